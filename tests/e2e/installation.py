"""An installation in a temporary folder, made once for all tests that need the engine."""

import tempfile
from functools import cache
from pathlib import Path

from edgeinfer.device.host import LocalHost
from edgeinfer.engine.native import NativeChoice
from edgeinfer.paths import Paths
from edgeinfer.runtime import Runtime
from edgeinfer.store.store import StoredModel

GUIDE_ID = "edgeinfer-guide"


@cache
def runtime() -> Runtime:
    """A runtime that knows the embedded guide alone and has chosen its CPU variant."""
    folder = _folder()
    made = Runtime(Paths(Path(folder.name)), LocalHost())
    made.native_choice(made.profile())
    return made


@cache
def choice() -> NativeChoice:
    """The variant that works here."""
    return runtime().native_choice(runtime().profile())


def guide() -> StoredModel:
    """The model that is part of the package."""
    return runtime().choose_model()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="edgeinfer-tests-", ignore_cleanup_errors=True)
