"""The native library of llama.cpp, loaded by explicit path with the CPU variant to use."""

import collections
import ctypes
import importlib
import importlib.util
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

from edgeinfer.errors import EngineError

_PACKAGE = "llama_cpp"
_LOG_WARN, _LOG_CONTINUED = 3, 5

#: The last complaints of the native library, newest last.
complaints: collections.deque[str] = collections.deque(maxlen=20)


@cache
def bindings() -> Any:  # noqa: ANN401 - a generated module without types
    """The low-level bindings, without the package's high-level classes.

    `llama_cpp/__init__.py` imports NumPy and much else that is not needed here (0.15 s and 40 MB of
    the worker's start), so its place is held by an empty package while the submodule is imported.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise EngineError(
            "The engine (llama-cpp-python) is not installed.",
            hint="Run `make run` in the clone to build it.",
        )
    held = sys.modules.get(_PACKAGE)
    if held is None:
        package = types.ModuleType(_PACKAGE)
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules[_PACKAGE] = package
    try:
        module = importlib.import_module(f"{_PACKAGE}.llama_cpp")
    except (OSError, RuntimeError) as error:
        raise EngineError(
            f"The engine's library cannot be loaded: {error}.", hint="Run `edgeinfer doctor`."
        ) from error
    finally:
        if held is None:
            del sys.modules[_PACKAGE]
    module.llama_log_set(_LOG_CALLBACK, None)
    return module


def load_backends(cpu_library: Path, accelerators: tuple[Path, ...] = ()) -> None:
    """Register one CPU variant and the accelerators' libraries in the registry that libllama reads.

    The function is looked up through libllama's own handle: the wheel holds `libggml` under several
    names, and a backend loaded through another copy would register where nobody looks.
    """
    load = bindings()._lib.ggml_backend_load  # noqa: SLF001 - the only handle there is
    load.argtypes, load.restype = [ctypes.c_char_p], ctypes.c_void_p
    for path in accelerators:
        load(str(path).encode())
    if not load(str(cpu_library).encode()):
        raise EngineError(
            f"The CPU library {cpu_library.name} cannot be loaded.", hint="Run `edgeinfer doctor`."
        )


def last_complaint() -> str:
    """What the native library complained about last, as the end of a sentence."""
    return complaints[-1] if complaints else "no reason given"


def _keep_complaint(level: int, text: bytes, _user_data: int) -> None:
    message = text.decode(errors="replace").strip()
    if _LOG_WARN <= level < _LOG_CONTINUED and message:
        complaints.append(message)


# The native library keeps the address, so this object lives as long as the module.
_LOG_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
    _keep_complaint
)
