"""A private language-model service on the machine at hand, fully offline.

    from edgeinfer import ChatMessage, Generate, Runtime

    runtime, question = Runtime.default(), ChatMessage("user", "What is a KV cache?")
    with runtime.open_service(runtime.choose_model()) as service:
        for update in service.stream(Generate(messages=(question,))):
            print(getattr(update, "text", ""), end="", flush=True)

The last update is a Receipt: what the answer took in time, energy and money. The names below are
loaded when they are first used, so that importing the package costs nothing.
"""

import os as _os

# Before anything else is imported: no library below may look for a network.
for _name, _value in {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
}.items():
    _os.environ.setdefault(_name, _value)

import importlib as _importlib  # noqa: E402 - the environment comes first

# What type checkers take for true; importing typing for it would cost more than all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgeinfer.device.profile import DeviceProfile
    from edgeinfer.engine.message import ChatMessage
    from edgeinfer.engine.sampling import SamplingParams
    from edgeinfer.errors import (
        CapacityError,
        EdgeinferError,
        EngineError,
        ModelFileError,
        UsageError,
        WorkerError,
    )
    from edgeinfer.fit.plan import FitPlan
    from edgeinfer.metrics import EnergyUse, Snapshot
    from edgeinfer.runtime import LaunchOptions, Money, Runtime
    from edgeinfer.service import Delta, Receipt, Service
    from edgeinfer.usage import TokenUsage
    from edgeinfer.worker.protocol import Generate
del TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "CapacityError",
    "ChatMessage",
    "Delta",
    "DeviceProfile",
    "EdgeinferError",
    "EnergyUse",
    "EngineError",
    "FitPlan",
    "Generate",
    "LaunchOptions",
    "ModelFileError",
    "Money",
    "Receipt",
    "Runtime",
    "SamplingParams",
    "Service",
    "Snapshot",
    "TokenUsage",
    "UsageError",
    "WorkerError",
    "__version__",
]

_HOMES = {
    "edgeinfer.device.profile": ("DeviceProfile",),
    "edgeinfer.engine.message": ("ChatMessage",),
    "edgeinfer.engine.sampling": ("SamplingParams",),
    "edgeinfer.errors": (
        "CapacityError",
        "EdgeinferError",
        "EngineError",
        "ModelFileError",
        "UsageError",
        "WorkerError",
    ),
    "edgeinfer.fit.plan": ("FitPlan",),
    "edgeinfer.metrics": ("EnergyUse", "Snapshot"),
    "edgeinfer.runtime": ("LaunchOptions", "Money", "Runtime"),
    "edgeinfer.service": ("Delta", "Receipt", "Service"),
    "edgeinfer.usage": ("TokenUsage",),
    "edgeinfer.worker.protocol": ("Generate",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, from the module that defines it (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'edgeinfer' has no attribute {name!r}")
    found = globals()[name] = getattr(_importlib.import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
