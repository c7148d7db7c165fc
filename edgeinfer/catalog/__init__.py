"""Which models exist: facts about open weights, each with its source and date."""

from edgeinfer.catalog.catalog import Catalog
from edgeinfer.catalog.manifest import (
    Architecture,
    ModelFile,
    ModelManifest,
    Scope,
    Tier,
    Use,
    UseQuality,
)
from edgeinfer.catalog.quantization import Quantization, TensorType

__all__ = [
    "Architecture",
    "Catalog",
    "ModelFile",
    "ModelManifest",
    "Quantization",
    "Scope",
    "TensorType",
    "Tier",
    "Use",
    "UseQuality",
]
