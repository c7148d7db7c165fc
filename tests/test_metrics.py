import pytest

from edgeinfer.metrics import HISTORY_S, EnergyUse, RequestMetrics, TokenRate
from edgeinfer.usage import TokenUsage


def make_metrics(usage: TokenUsage, **times: float) -> RequestMetrics:
    return RequestMetrics("a", "model", "Q4_K_M", "finished", usage, **times)  # type: ignore[arg-type]


def make_energy(joules: float | None) -> EnergyUse:
    return EnergyUse(joules, "measured", "replay", "package")


@pytest.mark.parametrize(
    ("joules", "tokens", "expected"), [(10.0, 5, 2.0), (None, 5, None), (10.0, 0, None)]
)
def test_joules_a_token_need_both(
    joules: float | None, tokens: int, expected: float | None
) -> None:
    assert make_energy(joules).per_token(tokens) == expected


@pytest.mark.parametrize(
    ("tokens", "decode_s", "expected"),
    [(11, 2.0, 5.0), (1, 2.0, None), (0, 2.0, None), (9, 0, None)],
)
def test_the_speed_of_decode_leaves_the_first_token_out(
    tokens: int, decode_s: float, expected: float | None
) -> None:
    usage = TokenUsage(completion_tokens=tokens)
    assert make_metrics(usage, decode_s=decode_s).decode_tokens_per_s == expected


@pytest.mark.parametrize(
    ("prompt", "cached", "expected"), [(100, 0, 50.0), (100, 90, 5.0), (100, 100, None)]
)
def test_the_speed_of_prefill_counts_what_was_computed(
    prompt: int, cached: int, expected: float | None
) -> None:
    usage = TokenUsage(prompt, cached)
    assert make_metrics(usage, prefill_s=2.0).prefill_tokens_per_s == expected


def test_times_that_were_not_reached_give_no_speed() -> None:
    metrics = make_metrics(TokenUsage(10, 0, 10))
    assert (metrics.decode_tokens_per_s, metrics.prefill_tokens_per_s) == (None, None)


def test_usage_adds_up() -> None:
    total = TokenUsage(1, 2, 3) + TokenUsage(10, 20, 30)
    assert (total, total.total_tokens) == (TokenUsage(11, 22, 33), 44)


def test_the_rate_is_that_of_the_last_full_second() -> None:
    rate = TokenRate(0.0)
    rate.add(3, 0.2)
    rate.add(4, 0.9)
    assert (rate.current(0.95), rate.current(1.5), rate.current(2.5)) == (0.0, 7.0, 0.0)


def test_the_history_has_a_value_a_second_oldest_first() -> None:
    rate = TokenRate(10.0)
    rate.add(1, 10.5)
    rate.add(2, 12.5)
    assert rate.history(13.0) == (1.0, 0.0, 2.0)


def test_the_history_is_bounded_even_after_a_long_sleep() -> None:
    rate = TokenRate(0.0)
    rate.add(5, 0.5)
    assert rate.history(1e6) == (0.0,) * HISTORY_S


def test_a_clock_that_goes_back_changes_nothing() -> None:
    rate = TokenRate(10.0)
    rate.add(5, 11.5)
    rate.add(1, 9.0)
    assert rate.history(12.0) == (0.0, 6.0)
