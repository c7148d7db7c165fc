from dataclasses import replace

import pytest

from edgeinfer.fit import Candidate
from edgeinfer.fit.quality import bits_per_weight, is_sound, quality_penalty, rank_quality, tier_of

BILLION = 10**9


@pytest.fixture
def make(architecture):
    """A candidate of a size in billions and a quantization."""

    def build(billions, quantization="Q4_K_M", **changes):
        count = int(billions * BILLION)
        plain = Candidate(
            "m", "M", quantization, architecture(32, 8, 128), weights_bytes=count // 2,
            read_bytes=count // 2, parameters_total=count, parameters_active=count,
        )  # fmt: skip
        return replace(plain, **changes)

    return build


@pytest.mark.parametrize(("larger", "smaller"), [("Q4_K_M", "Q8_0"), ("Q3_K_M", "Q8_0")])
def test_a_larger_model_at_few_bits_beats_a_smaller_at_many(make, larger, smaller):
    assert rank_quality(make(8, larger), "chat") > rank_quality(make(4, smaller), "chat")


@pytest.mark.parametrize(
    ("billions", "quantization", "sound"),
    [
        (8, "Q4_K_M", True),
        (8, "Q3_K_M", True),
        (8, "Q2_K", False),
        (1, "Q4_K_M", True),
        (1, "Q3_K_M", False),
        (1, "IQ4_XS", False),
        (20, "MXFP4", True),
    ],
)
def test_small_models_need_more_bits(make, billions, quantization, sound):
    assert is_sound(make(billions, quantization)) == sound


@pytest.mark.parametrize(
    ("billions", "quantization", "penalty"),
    [
        (8, "Q4_K_M", 0.03),
        (4, "Q4_K_M", 0.045),
        (1, "Q4_K_M", 0.075),
        (1, "Q8_0", 0),
        (8, "?", 0.1),
    ],
)
def test_small_models_lose_more(make, billions, quantization, penalty):
    assert quality_penalty(make(billions, quantization)) == pytest.approx(penalty)


def test_the_same_model_is_better_with_more_bits(make):
    assert rank_quality(make(0.6, "Q8_0"), "chat") > rank_quality(make(0.6, "Q4_K_M"), "chat")


def test_a_tier_counts_more_than_size(make):
    good = make(4, tiers={"code": "A"})
    assert rank_quality(good, "code") > rank_quality(make(8, tiers={"code": "B"}), "code")


@pytest.mark.parametrize(("billions", "tier"), [(14, "A"), (3, "B"), (1, "C")])
def test_a_model_that_nobody_rated_is_judged_by_size(make, billions, tier):
    assert tier_of(make(billions), "chat") == tier


def test_a_use_that_the_catalogue_does_not_rate_is_the_lowest_tier(make):
    assert tier_of(make(14, tiers={"chat": "A"}), "code") == "C"


def test_an_unknown_mixture_has_the_bits_of_its_file(make):
    assert bits_per_weight(make(8, "?")) == pytest.approx(4)
