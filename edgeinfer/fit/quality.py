"""Which of two models that fit answers better: an ordinal rule, no score.

After arXiv 2505.15030v5 (2026-03): a larger model at 4 bits beats a smaller one at 8, down to about
3.5 bits a weight; small models lose more.
"""

from dataclasses import dataclass
from typing import Final

from edgeinfer.catalog import Tier, Use
from edgeinfer.catalog.quantization import find_quantization
from edgeinfer.fit.candidate import Candidate

# Below this rate a use is no pleasure; people read about five tokens a second.
SPEED_FLOORS: Final[dict[Use, float]] = {"chat": 5, "code": 10, "reasoning": 15}
FEWEST_BITS: Final = 3.5
FEWEST_BITS_SMALL: Final = 4.5
SMALL_PARAMETERS: Final = 2_000_000_000
# Small models lose more to quantization: the factor on the penalty, a rule of thumb.
SENSITIVITY: Final[tuple[tuple[int, float], ...]] = (
    (8_000_000_000, 1.0),
    (3_000_000_000, 1.5),
    (0, 2.5),
)
UNKNOWN_PENALTY: Final = 0.10
TIERS: Final[dict[Tier, int]] = {"A": 3, "B": 2, "C": 1}
# Tiers of models that the catalogue does not rate, by size alone.
TIER_SIZES: Final[tuple[tuple[int, Tier], ...]] = ((7_000_000_000, "A"), (2_500_000_000, "B"))


@dataclass(frozen=True, slots=True, order=True)
class QualityRank:
    """Compares candidates: the tier first, then the size that quantization leaves."""

    tier: int
    effective_parameters: float


def rank_quality(candidate: Candidate, use: Use) -> QualityRank:
    """Where a candidate stands for a use; greater is better."""
    kept = 1 - quality_penalty(candidate)
    return QualityRank(TIERS[tier_of(candidate, use)], candidate.parameters_total * kept)


def tier_of(candidate: Candidate, use: Use) -> Tier:
    """The catalogue's tier, C for a use it does not rate; of a model it does not know, by size."""
    if candidate.tiers:
        return candidate.tiers.get(use, "C")
    size = candidate.parameters_total
    return next((tier for least, tier in TIER_SIZES if size >= least), "C")


def quality_penalty(candidate: Candidate) -> float:
    """The share of its quality that a model loses to its quantization, from 0 to 1."""
    kind = find_quantization(candidate.quantization)
    penalty = kind.quality_penalty if kind else None
    if penalty is None:
        penalty = UNKNOWN_PENALTY
    size = candidate.parameters_total
    factor = next(factor for least, factor in SENSITIVITY if size >= least)
    return min(1.0, penalty * factor)


def is_sound(candidate: Candidate) -> bool:
    """Whether the weights have bits enough for a model of this size."""
    small = candidate.parameters_total < SMALL_PARAMETERS
    return bits_per_weight(candidate) >= (FEWEST_BITS_SMALL if small else FEWEST_BITS)


def bits_per_weight(candidate: Candidate) -> float:
    """Of the named mixture, or of the file where the name is not known."""
    kind = find_quantization(candidate.quantization)
    if kind is not None:
        return kind.bits_per_weight
    return candidate.weights_bytes * 8 / candidate.parameters_total


def speed_floor(use: Use) -> float:
    """Tokens per second below which a faster, smaller model is preferred."""
    return SPEED_FLOORS[use]
