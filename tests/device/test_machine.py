import pytest

from edgeinfer.device import BatteryReading, Power, profile_device
from edgeinfer.device.macos import COMMAND
from edgeinfer.testing import FakeHost


def read_machine(files: dict[str, str]) -> str | None:
    return profile_device(FakeHost(files=files), disk_path="/").machine


@pytest.mark.parametrize(
    ("vendor", "product", "machine"),
    [
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "QEMU virtual machine"),
        ("VMware, Inc.", "VMware20,1", "VMware virtual machine"),
        ("innotek GmbH", "VirtualBox", "VirtualBox virtual machine"),
        ("Microsoft Corporation", "Virtual Machine", "Hyper-V virtual machine"),
        ("Microsoft Corporation", "Surface Laptop 5", None),
        ("Amazon EC2", "c5.metal", None),
        ("Google", "Google Compute Engine", "Google Compute Engine virtual machine"),
    ],
)
def test_firmware_names_the_hypervisor(vendor, product, machine):
    folder = "/sys/class/dmi/id"
    files = {f"{folder}/sys_vendor": f"{vendor}\n", f"{folder}/product_name": f"{product}\n"}
    assert read_machine(files) == machine


@pytest.mark.parametrize(
    ("files", "machine"),
    [
        ({"/run/.containerenv": ""}, "Podman container"),
        ({"/proc/1/cgroup": "1:name=systemd:/lxc/web\n"}, "LXC container"),
        ({"/run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn container"),
    ],
)
def test_the_kind_of_container_is_named(files, machine):
    assert read_machine(files) == machine


@pytest.mark.parametrize(
    ("values", "machine", "unknown"),
    [
        ("machdep.cpu.brand_string: Apple M2\nkern.hv_vmm_present: 1", "virtual machine", "GPU"),
        ("sysctl.proc_translated: 1", None, "native CPU features"),
        ("", None, "CPU"),
    ],
)
def test_a_mac_says_what_hides_its_hardware(values, machine, unknown):
    host = FakeHost(system="darwin", commands={" ".join(COMMAND): values})
    found = profile_device(host, disk_path="/")
    assert found.machine == machine
    assert unknown in {it.what for it in found.unknown}


def test_a_battery_that_does_not_tell_its_charger_has_an_unknown_source():
    host = FakeHost(system="darwin", battery_reading=BatteryReading(0.4, None))
    assert profile_device(host, disk_path="/").power == Power("unknown", 0.4)
