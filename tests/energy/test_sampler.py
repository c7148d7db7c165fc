import threading

import pytest

from edgeinfer.energy.reading import EnergyDelta, EnergyReading
from edgeinfer.energy.sampler import EnergySampler
from edgeinfer.testing import ReplayMeter

FIRST, SECOND, THIRD = (EnergyReading(10.0 + n, 5.0 * n) for n in range(3))


def test_two_readings_subtract():
    delta = THIRD - FIRST
    assert (delta, delta.watts) == (EnergyDelta(2.0, 10.0), 5.0)


def test_no_time_has_no_power():
    assert (FIRST - FIRST).watts is None


def test_the_first_reading_is_only_a_start():
    heard = []
    assert EnergySampler(ReplayMeter([FIRST]), heard.append).sample() is None
    assert heard == []


def test_each_further_reading_is_reported_as_a_difference():
    heard = []
    sampler = EnergySampler(ReplayMeter([FIRST, SECOND, THIRD]), heard.append)
    for _ in range(3):
        sampler.sample()
    assert heard == [EnergyDelta(1.0, 5.0), EnergyDelta(1.0, 5.0)]


def test_the_energy_of_a_failed_reading_is_in_the_next_one():
    heard = []
    sampler = EnergySampler(ReplayMeter([FIRST, None, THIRD]), heard.append)
    for _ in range(3):
        sampler.sample()
    assert (heard, sampler.failures) == ([EnergyDelta(2.0, 10.0)], 1)


@pytest.mark.parametrize(("cost_s", "pause_s"), [(0.0001, 0.2), (0.001, 0.2), (0.01, 2.0)])
def test_a_slow_sensor_is_read_less_often(cost_s, pause_s):
    sampler = EnergySampler(ReplayMeter([FIRST]), print)
    assert sampler.pause_after(cost_s) == pytest.approx(pause_s)


def test_the_thread_samples_by_itself():
    heard = threading.Event()
    with EnergySampler(ReplayMeter([FIRST, SECOND]), lambda _: heard.set(), interval_s=0.001):
        assert heard.wait(5)


def test_closing_reports_what_was_counted_last():
    heard = []
    sampler = EnergySampler(ReplayMeter([FIRST, SECOND]), heard.append, interval_s=3600)
    sampler.start()
    sampler.start()
    sampler.close()
    sampler.close()
    assert heard == [EnergyDelta(1.0, 5.0)]


def test_a_fault_of_the_listener_does_not_end_the_counting():
    calls = []
    heard_again = threading.Event()

    def listen(delta):
        calls.append(delta)
        if len(calls) == 1:
            raise ValueError("first")
        heard_again.set()

    with EnergySampler(ReplayMeter([FIRST, SECOND]), listen, interval_s=0.001) as sampler:
        assert heard_again.wait(5)
    assert sampler.failures == 1


def test_a_replayed_meter_knows_that_it_was_closed():
    meter = ReplayMeter([FIRST])
    meter.close()
    assert meter.closed
