import pytest

from edgeinfer.device import EnergySensor, Power, profile_device
from edgeinfer.testing import FakeHost

GRANT = "sudo chmod a+r /sys/class/powercap/*/energy_uj"


@pytest.mark.parametrize(
    ("name", "power"),
    [
        ("intel-laptop", Power("battery", 0.8)),
        ("mac-m2", Power("mains", 0.93)),
        ("windows-laptop", Power("battery", 0.5)),
        ("epyc-vm", Power("unknown")),
    ],
)
def test_the_power_source_and_charge_are_read(profile, name, power):
    assert profile(name).power == power


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_a_battery_that_does_not_discharge_means_mains(profile, status):
    overlay = {"/sys/class/power_supply/BAT0/status": f"{status}\n"}
    assert profile("intel-laptop", **overlay).power.source == "mains"


def test_two_batteries_count_by_their_size():
    files = {
        f"/sys/class/power_supply/{name}": text
        for name, text in {
            "BAT0/type": "Battery",
            "BAT0/capacity": "100",
            "BAT0/energy_full": "30000000",
            "BAT1/type": "Battery",
            "BAT1/capacity": "20",
            "BAT1/energy_full": "10000000",
        }.items()
    }
    power = profile_device(FakeHost(files=files), disk_path="/").power
    assert power.battery_ratio == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("name", "sensors"),
    [
        ("intel-laptop", ["RAPL package-0", "RAPL psys", "battery BAT0"]),
        ("nvidia-desktop", ["RAPL package-0", "hwmon amdgpu"]),
        ("raspberry-pi-5", ["Raspberry Pi power chip"]),
        ("epyc-vm", []),
    ],
)
def test_each_energy_sensor_is_listed_once(profile, name, sensors):
    assert [it.name for it in profile(name).energy_sensors] == sensors


def test_a_counter_for_root_only_names_the_command_that_opens_it(profile):
    path = "/sys/class/powercap/intel-rapl-mmio:0/energy_uj"
    assert profile("intel-laptop").energy_sensors[0] == EnergySensor(
        "RAPL package-0", path, readable=False, remedy=GRANT
    )


def test_a_readable_counter_needs_no_remedy(profile):
    assert all(it.readable and it.remedy is None for it in profile("nvidia-desktop").energy_sensors)


@pytest.mark.parametrize(
    ("files", "remedy"),
    [
        ({}, "sudo apt install raspi-utils"),
        ({"/usr/bin/vcgencmd": ""}, "sudo usermod -aG video $USER   # then log in again"),
        ({"/usr/bin/vcgencmd": "", "/dev/vcio": ""}, None),
    ],
)
def test_the_raspberry_pi_power_chip_names_what_is_missing(files, remedy):
    host = FakeHost(files={"/proc/device-tree/model": "Raspberry Pi 5 Model B", **files})
    (sensor,) = profile_device(host, disk_path="/").energy_sensors
    assert sensor.remedy == remedy


def test_a_raspberry_pi_4_measures_no_current():
    host = FakeHost(files={"/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5"})
    assert profile_device(host, disk_path="/").energy_sensors == ()


def test_a_machine_without_a_sensor_says_why(profile):
    (energy,) = [it for it in profile("epyc-vm").unknown if it.what == "energy"]
    assert "virtual machine" in energy.why
