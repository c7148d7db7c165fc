"""Files on this disk: which models are here, and whether their headers can be believed."""

from edgeinfer.store.gguf import read_header
from edgeinfer.store.header import GgufArray, GgufHeader, TensorInfo
from edgeinfer.store.store import ModelStore, Shelf, StoredModel, UnusableFile

__all__ = [
    "GgufArray",
    "GgufHeader",
    "ModelStore",
    "Shelf",
    "StoredModel",
    "TensorInfo",
    "UnusableFile",
    "read_header",
]
