"""A private language-model service on the machine at hand, fully offline."""

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

__version__ = "0.1.0"

__all__ = ["__version__"]
