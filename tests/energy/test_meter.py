import pytest

from edgeinfer.energy.meter import explain_sensors, open_meter


@pytest.fixture
def open_here(tmp_path, power_model, clock):
    return lambda: open_meter(tmp_path, power_model=power_model, clock=clock)


def explained(root):
    return {status.name: status for status in explain_sensors(root)}


@pytest.mark.usefixtures("laptop")
def test_rapl_is_preferred_to_the_battery(open_here, add_battery):
    add_battery(power_now=1)
    assert open_here().name.startswith("rapl package-0")


def test_the_battery_is_preferred_to_the_model(open_here, add_battery):
    add_battery(power_now=1)
    assert open_here().name == "battery BAT0"


def test_a_charging_battery_leaves_the_model(open_here, add_battery):
    add_battery(status="Charging", power_now=1)
    assert open_here().name == "modelled"


def test_nothing_readable_leaves_the_model(open_here):
    assert open_here().source == "modelled"


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("psys (intel-rapl:1)", "contains the package"),
        ("package-0 core (intel-rapl:0:0)", "is a part of its package"),
        ("package-0 (intel-rapl:0)", "the same counter is read"),
    ],
)
@pytest.mark.usefixtures("laptop")
def test_every_counter_left_out_is_explained(tmp_path, folder, reason):
    status = explained(tmp_path)[f"rapl {folder}"]
    assert not status.chosen
    assert reason in status.reason


def test_an_unreadable_counter_comes_with_the_command_that_grants_it(tmp_path, add_zone):
    add_zone("intel-rapl:0", "package-0", None)
    status = explained(tmp_path)["rapl package-0 (intel-rapl:0)"]
    assert status.grant == f"sudo chmod a+r {tmp_path}/class/powercap/*/energy_uj"
    assert not status.readable


def test_a_package_beside_an_unreadable_one_is_explained(tmp_path, add_zone):
    add_zone("intel-rapl:0", "package-0", 1.0)
    add_zone("intel-rapl:1", "package-1", None)
    assert "too small" in explained(tmp_path)["rapl package-0 (intel-rapl:0)"].reason


def test_a_machine_without_sensors_is_explained(tmp_path):
    names = [(status.name, status.chosen) for status in explain_sensors(tmp_path)]
    assert names == [("rapl", False), ("battery", False), ("modelled", True)]


def test_a_discharging_battery_is_explained_as_chosen(tmp_path, add_battery):
    add_battery(power_now=1)
    assert explained(tmp_path)["battery BAT0"].chosen
    assert not explained(tmp_path)["modelled"].chosen


@pytest.mark.usefixtures("laptop")
def test_what_is_explained_as_chosen_is_what_is_opened(tmp_path, open_here, add_battery):
    add_battery(power_now=1)
    chosen = [status.name for status in explain_sensors(tmp_path) if status.chosen]
    assert all(name.split(" (")[0].removeprefix("rapl ") in open_here().name for name in chosen)
    assert len(chosen) == 2
