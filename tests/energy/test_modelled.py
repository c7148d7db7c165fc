import os

import psutil
import pytest

from edgeinfer.energy.modelled import ModelledMeter, PowerModel, processes_busy_s, system_busy_s


@pytest.mark.parametrize(
    ("logical", "physical", "active_w"),
    [(4, 4, 16.0), (22, 16, 88.0), (None, 8, 32.0), (None, None, 4.0)],
)
def test_power_follows_the_threads(logical, physical, active_w):
    model = PowerModel.for_cpu(logical=logical, physical=physical)
    assert (model.active_w, model.idle_w) == (active_w, pytest.approx(active_w / 10))


@pytest.mark.parametrize(
    ("threads", "measured_w"),
    [(4, 11.9), (4, 26.4), (12, 51.1), (32, 133.0), (10, 30.1)],
    ids=["Raspberry Pi 5", "Intel N150", "Ryzen AI 5 340", "Ryzen AI Max+ 395", "Mac mini M4"],
)
def test_the_stated_range_holds_machines_measured_at_the_wall(threads, measured_w):
    model = PowerModel.for_cpu(logical=threads, physical=None)
    assert abs(measured_w / model.active_w - 1) <= model.uncertainty


@pytest.mark.parametrize(
    ("busy_s", "joules"),
    [(0.0, 20.0), (20.0, 60.0), (40.0, 100.0), (99.0, 100.0), (-5.0, 20.0)],
)
def test_power_lies_between_idle_and_active(power_model, clock, busy_s, joules):
    ticks = iter([7.0, 7.0 + busy_s])
    meter = ModelledMeter(power_model, clock=clock, busy_s=lambda: next(ticks))
    clock.now += 10.0
    assert meter.read().joules == pytest.approx(joules)


def test_no_time_is_no_energy(power_model, clock):
    meter = ModelledMeter(power_model, clock=clock, busy_s=lambda: 0.0)
    assert meter.read().joules == 0
    meter.close()


def test_a_modelled_meter_says_so(power_model, clock):
    meter = ModelledMeter(power_model, clock=clock)
    assert (meter.source, meter.coverage) == ("modelled", "modelled")
    assert meter.uncertainty > 0


def test_the_system_has_worked_since_boot():
    assert system_busy_s() > 0


def test_this_process_has_worked():
    assert processes_busy_s([os.getpid()]) > 0


def test_a_process_that_is_gone_works_no_more():
    free_pid = max(psutil.pids()) + 100_000
    assert processes_busy_s([free_pid]) == 0
