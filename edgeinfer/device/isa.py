"""Instruction-set extensions that decide how fast quantized weights multiply."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

# Names that /proc/cpuinfo prints (Linux arch/x86/include/asm/cpufeatures.h and
# arch/arm64/kernel/cpuinfo.c, checked 2026-11), and ours.
LINUX_NAMES: Final[Mapping[str, str]] = {
    "sse4_2": "sse4_2",
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "f16c": "f16c",
    "avx512f": "avx512f",
    "avx512bw": "avx512bw",
    "avx512vl": "avx512vl",
    "avx512vbmi": "avx512_vbmi",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "avx_vnni": "avx_vnni",
    "amx_tile": "amx_tile",
    "amx_int8": "amx_int8",
    "amx_bf16": "amx_bf16",
    "neon": "neon",
    "asimd": "neon",
    "asimddp": "dotprod",
    "asimdhp": "fp16",
    "i8mm": "i8mm",
    "sve": "sve",
    "sve2": "sve2",
    "bf16": "bf16",
}

# Names of sysctl on macOS: flags that are 1 on Apple Silicon, words of machdep.cpu.features and
# .leaf7_features on Intel.
MACOS_FLAGS: Final[Mapping[str, str]] = {
    "hw.optional.AdvSIMD": "neon",
    "hw.optional.arm.AdvSIMD": "neon",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_FP16": "fp16",
}
MACOS_NAMES: Final[Mapping[str, str]] = {
    "SSE4.2": "sse4_2",
    "AVX1.0": "avx",
    "AVX2": "avx2",
    "FMA": "fma",
    "F16C": "f16c",
    "AVX512F": "avx512f",
    "AVX512BW": "avx512bw",
    "AVX512VL": "avx512vl",
    "AVX512VBMI": "avx512_vbmi",
    "AVX512VNNI": "avx512_vnni",
}

_BASES: Final = (
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
    ("avx", "AVX"),
    ("sse4_2", "SSE4.2"),
    ("neon", "NEON"),
)
_EXTRAS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "AVX-512": (("avx512_vnni", "VNNI"), ("avx512_bf16", "BF16"), ("amx_int8", "AMX")),
    "AVX2": (("avx_vnni", "VNNI"),),
    "NEON": (
        ("dotprod", "dotprod"),
        ("i8mm", "i8mm"),
        ("bf16", "bf16"),
        ("sve", "SVE"),
        ("sve2", "SVE2"),
    ),
}

# As CPUID leaf 0 spells them.
X86_VENDORS: Final = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD", "HygonGenuine": "Hygon"}
_ARCHITECTURES: Final[Mapping[str, str]] = {"amd64": "x86_64", "arm64": "aarch64"}


def architecture(machine: str) -> str:
    """One name for what Windows and macOS call differently, such as "x86_64" and "aarch64"."""
    return _ARCHITECTURES.get(machine.lower(), machine.lower())


def shorten(name: str) -> str:
    """A processor's name without trademarks, clock rate, core count and its graphics."""
    name = re.sub(r"\((R|TM|C)\)|\bCPU\b|@.*|\b\d+th Gen\b", " ", name, flags=re.IGNORECASE)
    name = re.sub(r"\b\d+-Core Processor\b|\bProcessor\b|\b(w/|with) .*", " ", name)
    return " ".join(name.split())


def normalize(words: Iterable[str], names: Mapping[str, str]) -> frozenset[str]:
    """Our names of those words that we know."""
    return frozenset(names[word] for word in words if word in names)


def describe(features: frozenset[str]) -> str:
    """The widest extension and what it adds, such as "AVX-512 VNNI BF16"; empty when unknown."""
    base = next((name for feature, name in _BASES if feature in features), "")
    extras = (name for feature, name in _EXTRAS.get(base, ()) if feature in features)
    return " ".join((base, *extras))
