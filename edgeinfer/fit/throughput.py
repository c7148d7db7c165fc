"""How fast a model may answer: a roofline over memory bandwidth, until somebody measures."""

from dataclasses import dataclass
from typing import Final

# Share of a nominal bandwidth that llama.cpp reaches while it decodes on seven CPU machines, from
# public measurements of 2026: 0.55 to 0.72. A probe that only reads comes nearer to what decoding
# reaches; that range is assumed.
NOMINAL_SHARE: Final = (0.55, 0.72)
PROBE_SHARE: Final = (0.65, 1.0)
# Time of a token that does not depend on its bytes: below 0.5 ms on CPUs (fit over the same
# measurements).
FIXED_S: Final = 0.0005
# One multiplication and one addition a weight.
FLOPS_PER_WEIGHT: Final = 2
# Prefill rates vary by quantization and clock, so the careful side of the rate is taken.
PREFILL_SHARE: Final = 0.7
_PREFILL_BASIS: Final = "; prefill from the rate per core of a similar CPU"


@dataclass(frozen=True, slots=True)
class ThroughputEstimate:
    """Tokens per second of one stream; None where nothing can be said.

    The true decode rate is expected between `decode_low` and `decode_high`; `basis` says why.
    """

    decode_tokens_per_s: float | None
    decode_low: float | None
    decode_high: float | None
    prefill_tokens_per_s: float | None
    basis: str


@dataclass(frozen=True, slots=True)
class Roofline:
    """What bounds the speed of a machine; None is not known."""

    bandwidth_bytes_per_s: float | None
    bandwidth_basis: str
    flops_per_s: float | None


def estimate_throughput(
    read_bytes: int, parameters_active: int, machine: Roofline
) -> ThroughputEstimate:
    """Speed of a model that reads `read_bytes` for each token, KV cache included."""
    prefill = _estimate_prefill(parameters_active, machine.flops_per_s)
    suffix = _PREFILL_BASIS if prefill else ""
    bandwidth = machine.bandwidth_bytes_per_s
    if not bandwidth:
        basis = f"memory bandwidth is not known{suffix}"
        return ThroughputEstimate(None, None, None, prefill, basis)
    low, high = _choose_share(machine.bandwidth_basis)
    rates = [decode_rate(read_bytes, bandwidth * share) for share in (low, high)]
    middle = decode_rate(read_bytes, bandwidth * (low + high) / 2)
    basis = (
        f"estimate: {bandwidth / 1e9:.3g} GB/s ({machine.bandwidth_basis}),"
        f" of which {low:.0%} to {high:.0%} is expected to be reached{suffix}"
    )
    return ThroughputEstimate(middle, rates[0], rates[1], prefill, basis)


def decode_rate(read_bytes: int, bytes_per_s: float) -> float:
    """Tokens per second when every token reads so many bytes."""
    return 1 / (FIXED_S + read_bytes / bytes_per_s)


def _choose_share(basis: str) -> tuple[float, float]:
    return PROBE_SHARE if "probe" in basis else NOMINAL_SHARE


def _estimate_prefill(parameters_active: int, flops_per_s: float | None) -> float | None:
    if not flops_per_s:
        return None
    return PREFILL_SHARE * flops_per_s / (FLOPS_PER_WEIGHT * parameters_active)
