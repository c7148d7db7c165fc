import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.energy.attribution import DEFAULT_PREFILL_WEIGHT, EnergyAttribution, Work
from edgeinfer.energy.reading import EnergyDelta
from edgeinfer.errors import UsageError

STREAMS = tuple(f"stream-{n}" for n in range(8))
WORK = st.builds(Work, st.integers(0, 512), st.integers(0, 8))
INTERVAL = st.tuples(
    st.floats(0.01, 20), st.floats(0, 80), st.dictionaries(st.sampled_from(STREAMS), WORK)
)


def decode(tokens):
    return Work(decode_tokens=tokens)


@settings(max_examples=60, deadline=None)
@given(st.lists(INTERVAL, max_size=30))
def test_shares_and_idle_add_up_to_the_meter(intervals):
    attribution = EnergyAttribution()
    for seconds, watts, work in intervals:
        attribution.observe(EnergyDelta(seconds, watts * seconds), work)
    attribution.observe(EnergyDelta(1.0, 2.0), {})
    shared = sum(attribution.share(stream).gross_joules for stream in STREAMS)
    metered = 2.0 + sum(seconds * watts for seconds, watts, _ in intervals)
    assert shared + attribution.idle_joules == pytest.approx(metered)
    assert shared == pytest.approx(attribution.attributed_joules)


@settings(max_examples=40, deadline=None)
@given(st.lists(INTERVAL, max_size=20))
def test_prefill_and_decode_add_up_to_gross(intervals):
    attribution = EnergyAttribution()
    for seconds, watts, work in intervals:
        attribution.observe(EnergyDelta(seconds, watts * seconds), work)
    shares = [attribution.share(stream) for stream in STREAMS]
    phases = sum(share.prefill_joules + share.decode_joules for share in shares)
    assert phases == pytest.approx(sum(share.gross_joules for share in shares))


def test_twice_the_work_bears_twice_the_energy():
    attribution = EnergyAttribution()
    for _ in range(10):
        attribution.observe(EnergyDelta(0.2, 3.0), {"a": decode(4), "b": decode(2)})
    a, b = attribution.share("a"), attribution.share("b")
    assert a.gross_joules == pytest.approx(20.0)
    assert a.gross_joules == pytest.approx(2 * b.gross_joules)


def test_a_prompt_token_weighs_less_than_a_generated_one():
    attribution = EnergyAttribution(prefill_weight=0.1)
    attribution.observe(EnergyDelta(1.0, 8.0), {"a": Work(prefill_tokens=30), "b": decode(1)})
    assert attribution.share("a").prefill_joules == pytest.approx(6.0)
    assert attribution.share("b").decode_joules == pytest.approx(2.0)


def test_the_weight_of_a_prompt_token_is_learnt_from_pure_intervals():
    attribution = EnergyAttribution()
    attribution.observe(EnergyDelta(1.0, 20.0), {"a": Work(prefill_tokens=100)})
    attribution.observe(EnergyDelta(10.0, 100.0), {"a": decode(100)})
    assert attribution.prefill_weight == pytest.approx(0.2)


def test_few_tokens_teach_nothing():
    attribution = EnergyAttribution()
    attribution.observe(EnergyDelta(1.0, 20.0), {"a": Work(prefill_tokens=10)})
    attribution.observe(EnergyDelta(1.0, 20.0), {"a": decode(10)})
    assert attribution.prefill_weight == DEFAULT_PREFILL_WEIGHT


def test_energy_of_a_step_waits_for_its_tokens():
    attribution = EnergyAttribution()
    for _ in range(4):
        attribution.observe(EnergyDelta(0.2, 2.0), {"a": Work()})
    assert attribution.pending_joules == pytest.approx(8.0)
    attribution.observe(EnergyDelta(0.2, 2.0), {"a": decode(1)})
    assert attribution.share("a").decode_joules == pytest.approx(10.0)


def test_requests_that_left_within_a_step_bear_it():
    attribution = EnergyAttribution()
    attribution.observe(EnergyDelta(0.2, 2.0), {"a": Work(), "b": Work()})
    attribution.observe(EnergyDelta(0.2, 1.0), {})
    assert attribution.share("a").gross_joules == pytest.approx(1.0)
    assert attribution.idle_joules == pytest.approx(1.0)


def test_idle_power_is_a_low_percentile_of_quiet_intervals():
    attribution = EnergyAttribution()
    for watts in (3, 3, 3, 9, 30, 30, 30, 30, 30, 30):
        attribution.observe(EnergyDelta(1.0, watts), {})
    assert attribution.idle_w == 3


def test_dynamic_energy_leaves_out_the_idle_draw():
    attribution = EnergyAttribution()
    attribution.observe(EnergyDelta(1.0, 3.0), {})
    attribution.observe(EnergyDelta(2.0, 20.0), {"a": decode(1), "b": decode(1)})
    share = attribution.share("a")
    assert (share.gross_joules, share.dynamic_joules) == (pytest.approx(10), pytest.approx(7))


def test_dynamic_energy_is_unknown_before_a_quiet_moment():
    attribution = EnergyAttribution()
    attribution.observe(EnergyDelta(2.0, 20.0), {"a": decode(1)})
    assert attribution.share("a").dynamic_joules is None


@pytest.mark.parametrize(
    "delta",
    [
        EnergyDelta(1.0, -0.5),
        EnergyDelta(-1.0, 5.0),
        EnergyDelta(0.0, 5.0),
        EnergyDelta(31.0, 5.0),
        EnergyDelta(0.2, 65_000.0),
        EnergyDelta(1.0, float("nan")),
        EnergyDelta(float("nan"), 1.0),
    ],
)
def test_an_absurd_interval_is_dropped_and_counted(delta):
    attribution = EnergyAttribution()
    attribution.observe(delta, {"a": decode(1)})
    assert (attribution.dropped, attribution.attributed_joules) == (1, 0.0)


def test_a_request_never_seen_used_nothing():
    assert EnergyAttribution().share("nobody").gross_joules == 0


def test_a_forgotten_request_is_gone_but_its_energy_stays_counted():
    attribution = EnergyAttribution()
    attribution.observe(EnergyDelta(1.0, 5.0), {"a": decode(1)})
    attribution.forget("a")
    assert attribution.share("a").gross_joules == 0
    assert attribution.attributed_joules == 5.0


def test_a_window_shorter_than_five_updates_is_not_resolved():
    attribution = EnergyAttribution()
    attribution.observe(EnergyDelta(0.2, 5.0), {"a": decode(1)})
    share = attribution.share("a")
    assert share.is_resolved(0.04)
    assert not share.is_resolved(0.05)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_prompt_token_must_weigh_something(weight):
    with pytest.raises(UsageError, match="above zero"):
        EnergyAttribution(prefill_weight=weight)
