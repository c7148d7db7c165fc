import pytest

from edgeinfer.fit.throughput import FIXED_S, Roofline, decode_rate, estimate_throughput

GB = 10**9


def test_a_token_takes_its_bytes_over_the_bandwidth():
    assert 1 / decode_rate(5 * GB, 50 * GB) == pytest.approx(FIXED_S + 0.1)


# Public measurements of 2026, tokens per second against the nominal bandwidth.
@pytest.mark.parametrize(
    ("bandwidth_gb", "model_gb", "measured"),
    [(89.6, 4.92, 57.4 / 4.92), (25.6, 2.5, 18.25 / 2.5), (120, 4.92, 83 / 4.92)],
)
def test_the_range_holds_what_was_measured_on_cpus(bandwidth_gb, model_gb, measured):
    machine = Roofline(bandwidth_gb * GB, "nominal", None)
    estimate = estimate_throughput(int(model_gb * GB), 8 * GB, machine)
    assert estimate.decode_low <= measured <= estimate.decode_high


def test_the_estimate_lies_within_its_range_and_says_what_it_is():
    estimate = estimate_throughput(GB, GB, Roofline(40 * GB, "measured by a read probe", None))
    assert estimate.decode_low < estimate.decode_tokens_per_s < estimate.decode_high
    assert estimate.basis.startswith("estimate: 40 GB/s (measured by a read probe)")


def test_without_a_bandwidth_nothing_is_said():
    estimate = estimate_throughput(GB, GB, Roofline(None, "not measured", None))
    assert estimate.decode_tokens_per_s is None
    assert estimate.basis == "memory bandwidth is not known"


def test_prefill_is_operations_over_the_rate():
    machine = Roofline(None, "not measured", 1e12)
    estimate = estimate_throughput(GB, GB, machine)
    assert estimate.prefill_tokens_per_s == pytest.approx(350)
    assert "prefill from the rate per core of a similar CPU" in estimate.basis
