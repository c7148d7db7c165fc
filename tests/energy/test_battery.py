import pytest

from edgeinfer.energy.battery import BatteryMeter, find_batteries


@pytest.mark.parametrize(
    ("values", "watts"),
    [
        ({"power_now": 12_500_000}, 12.5),
        ({"power_now": -12_500_000}, 12.5),
        ({"current_now": 1_500_000, "voltage_now": 12_000_000}, 18.0),
        ({"current_now": 1_500_000}, None),
        ({"power_now": "unknown"}, None),
        ({"power_now": 12_500_000, "status": "Charging"}, None),
    ],
)
def test_a_battery_tells_its_power_only_while_it_discharges(tmp_path, add_battery, values, watts):
    add_battery(**values)
    assert find_batteries(tmp_path)[0].watts() == (watts and pytest.approx(watts))


def test_the_battery_of_a_mouse_is_not_the_machine(tmp_path, add_battery):
    add_battery("hidpp_battery_0", scope="Device", power_now=1)
    assert find_batteries(tmp_path) == ()


def test_a_mains_adapter_is_no_battery(tmp_path, add_battery):
    add_battery("AC", type="Mains")
    assert find_batteries(tmp_path) == ()


def test_power_is_integrated_over_time(tmp_path, add_battery, clock):
    battery = add_battery(power_now=10_000_000)
    meter = BatteryMeter(find_batteries(tmp_path), clock=clock)
    clock.now += 4.0
    (battery / "power_now").write_text("20000000")
    assert meter.read().joules == pytest.approx(60.0)
    assert meter.name == "battery BAT0"


def test_two_batteries_add_up(tmp_path, add_battery, clock):
    add_battery("BAT0", power_now=3_000_000)
    add_battery("BAT1", power_now=4_000_000)
    meter = BatteryMeter(find_batteries(tmp_path), clock=clock)
    clock.now += 2.0
    assert meter.read().joules == pytest.approx(14.0)


def test_plugging_in_ends_the_measurement(tmp_path, add_battery, clock):
    battery = add_battery(power_now=10_000_000)
    meter = BatteryMeter(find_batteries(tmp_path), clock=clock)
    (battery / "status").write_text("Charging")
    with pytest.raises(OSError, match="BAT0 is no longer discharging"):
        meter.read()


def test_time_on_mains_is_not_counted(tmp_path, add_battery, clock):
    battery = add_battery(power_now=10_000_000)
    meter = BatteryMeter(find_batteries(tmp_path), clock=clock)
    (battery / "status").write_text("Charging")
    with pytest.raises(OSError, match="discharging"):
        meter.read()
    (battery / "status").write_text("Discharging")
    clock.now += 60.0
    assert meter.read().joules == 0
    meter.close()
