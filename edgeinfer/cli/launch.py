"""Opens the service of a command, and says on stderr what makes a person wait."""

import sys

from edgeinfer.cli.output import print_text
from edgeinfer.doctor import is_writable
from edgeinfer.paths import HOME_VARIABLE
from edgeinfer.runtime import LaunchOptions, Runtime
from edgeinfer.service import Service
from edgeinfer.store.store import StoredModel
from edgeinfer.units import MIB, format_bytes

# Less is loaded before a person could read that it is.
_LOAD_NOTE_BYTES = 256 * MIB


def open_service(runtime: Runtime, model: StoredModel, options: LaunchOptions) -> Service:
    """Load the model; raises what Runtime.open_service raises."""
    _announce_examination(runtime)
    if model.size_bytes >= _LOAD_NOTE_BYTES and sys.stderr.isatty():
        _note(f"Loading {model.name} {model.quantization}, {format_bytes(model.size_bytes)} ...")
    return runtime.open_service(model, options)


def _announce_examination(runtime: Runtime) -> None:
    """The canary takes some seconds: once, or at every start where its verdict cannot be kept."""
    if runtime.variant_store(runtime.profile()).load():
        return
    home = runtime.paths.home
    if is_writable(home):
        _note("First start on this machine: trying the engine's variants, some seconds, once ...")
    else:
        _note(
            f"Note: {home} cannot be written, so every start takes some seconds more;"
            f" {HOME_VARIABLE} names another folder."
        )


def _note(text: str) -> None:
    print_text(text, indent="", err=True)
