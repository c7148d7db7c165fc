"""How GGUF files store weights: tensor types, and the mixtures of them that have names."""

from dataclasses import dataclass
from math import exp
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class TensorType:
    """How ggml stores one tensor: `block_size` weights take `block_bytes`."""

    type_id: int
    name: str
    block_size: int
    block_bytes: int


@dataclass(frozen=True, slots=True)
class Quantization:
    """A named mixture of tensor types.

    `file_type` is the number in `general.file_type`. `quality_penalty` is the share of a score that
    is lost against 16-bit weights, from 0 to 1; None is not known.
    """

    name: str
    file_type: int
    bits_per_weight: float
    quality_penalty: float | None
    source: str


# Source: gguf-py/gguf/constants.py of llama.cpp 0c1e57098 (GGMLQuantizationType, GGML_QUANT_SIZES),
# checked 2026-11-20: id, name, weights a block, bytes a block.
_TENSOR_TYPES: Final = (
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
    (42, "Q2_0", 64, 18),
)
TENSOR_TYPES: Final = MappingProxyType({row[0]: TensorType(*row) for row in _TENSOR_TYPES})

_BITS_SOURCE: Final = "llama.cpp tools/quantize/README.md, Llama-3.1-8B, 2026-11-20"
_BLOCK_SOURCE: Final = "size of the blocks, llama.cpp 0c1e57098, 2026-11-20"
_LISTED: Final = "penalty: rule of thumb after arXiv 2505.15030v5, uncalibrated"
_DERIVED: Final = "penalty: 1 - exp(-KLD), llama.cpp tools/perplexity/README.md, Llama-3-8B"
_NONE: Final = "penalty: not known"

# Mixtures with a penalty from the rule: name, file type, bits per weight, penalty.
_RATED: Final = (
    ("F32", 0, 32.0, 0.0),
    ("F16", 1, 16.0, 0.0),
    ("BF16", 32, 16.0, 0.0),
    ("Q8_0", 7, 8.5008, 0.0),
    ("Q6_K", 18, 6.5633, 0.005),
    ("Q5_K_M", 17, 5.7036, 0.01),
    ("Q4_K_M", 15, 4.8944, 0.03),
    ("IQ4_XS", 30, 4.4597, 0.035),
    ("Q4_0", 2, 4.5, 0.07),
    ("Q3_K_M", 12, 3.996, 0.09),
    ("Q2_K", 10, 3.1593, 0.30),
    ("MXFP4", 38, 4.25, 0.0),  # the format that gpt-oss was trained in
)
# Mixtures whose Kullback-Leibler divergence from f16 was measured: the last number.
_MEASURED: Final = (
    ("Q5_K_S", 16, 5.5704, 0.0166),
    ("Q4_K_S", 14, 4.6672, 0.0320),
    ("IQ4_NL", 25, 4.6818, 0.0357),
    ("Q3_K_L", 13, 4.2979, 0.0731),
    ("IQ3_M", 27, 3.7628, 0.1025),
    ("Q3_K_S", 11, 3.6429, 0.1998),
    ("IQ3_XXS", 23, 3.2548, 0.1836),
    ("IQ2_M", 29, 2.9294, 0.326),
    ("IQ2_XXS", 19, 2.3824, 0.812),
    ("IQ1_M", 31, 2.1460, 1.39),
    ("IQ1_S", 24, 2.0042, 2.2),
)
_UNRATED: Final = (
    ("Q4_1", 3, 5.0),
    ("Q5_0", 8, 5.5),
    ("Q5_1", 9, 6.0),
    ("Q2_K_S", 21, 2.9697),
    ("IQ3_XS", 22, 3.4977),
    ("IQ3_S", 26, 3.6606),
    ("IQ2_XS", 20, 2.5882),
    ("IQ2_S", 28, 2.7403),
    ("TQ1_0", 36, 1.6875),
    ("TQ2_0", 37, 2.0625),
    ("NVFP4", 39, 4.5),
    ("Q1_0", 40, 1.125),
    ("Q2_0", 41, 2.25),
)


def _table() -> tuple[Quantization, ...]:
    rated = (
        Quantization(name, kind, bits, penalty, f"{_BITS_SOURCE}; {_LISTED}")
        for name, kind, bits, penalty in _RATED
    )
    measured = (
        Quantization(name, kind, bits, 1 - exp(-divergence), f"{_BITS_SOURCE}; {_DERIVED}")
        for name, kind, bits, divergence in _MEASURED
    )
    unrated = (
        Quantization(name, kind, bits, None, f"{_BLOCK_SOURCE}; {_NONE}")
        for name, kind, bits in _UNRATED
    )
    return (*rated, *measured, *unrated)


QUANTIZATIONS: Final = MappingProxyType({entry.name: entry for entry in _table()})
FILE_TYPES: Final = MappingProxyType({entry.file_type: entry for entry in _table()})


def find_quantization(name: str) -> Quantization | None:
    """The entry of a name such as "Q4_K_M" in any case; None where there is none."""
    return QUANTIZATIONS.get(name.upper())
