import pytest

from edgeinfer.device import Accelerator, Unknown, profile_device
from edgeinfer.testing import FakeHost
from edgeinfer.units import MIB


def pci_gpu(vendor: str, kind: str = "0x030000", slot: str = "0000:03:00.0", **files: str):
    folder = f"/sys/bus/pci/devices/{slot}"
    named = {f"{folder}/{name}": text for name, text in files.items()}
    return FakeHost(files={f"{folder}/vendor": vendor, f"{folder}/class": kind, **named})


def names_of(found) -> list[str]:
    return [it.name for it in found.accelerators]


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("intel-laptop", ["Intel GPU 8086:7D55", "Intel NPU"]),
        ("raspberry-pi-5", ["Broadcom VideoCore"]),
        ("nvidia-desktop", ["NVIDIA GeForce RTX 4070", "AMD GPU 1002:164E"]),
        ("mac-m2", ["Apple M2 GPU", "Apple Neural Engine"]),
        ("mac-intel", []),
        ("windows-laptop", ["AMD Radeon 890M Graphics", "NPU Compute Accelerator Device"]),
        ("epyc-vm", []),
    ],
)
def test_each_gpu_and_npu_is_listed_once(profile, name, devices):
    assert names_of(profile(name)) == devices


def test_an_apu_tells_its_memory_and_that_it_shares(profile):
    apu = profile("nvidia-desktop").accelerators[1]
    assert apu == Accelerator("gpu", "AMD", apu.name, "amdgpu", 512 * MIB, shared_memory=True)


def test_memory_that_sysfs_does_not_tell_is_unknown(profile):
    found = profile("nvidia-desktop")
    assert found.accelerators[0].memory_bytes is None
    assert any(it.what == "memory of NVIDIA GeForce RTX 4070" for it in found.unknown)


@pytest.mark.parametrize(
    ("host", "shared"),
    [
        (pci_gpu("0x8086", slot="0000:00:02.0"), True),
        (pci_gpu("0x8086"), False),
        (pci_gpu("0x10de"), False),
        (pci_gpu("0x1002"), None),
        (pci_gpu("0x1002", gpu_metrics="\x80\x00\x01\x03"), False),
        (pci_gpu("0x1002", kind="0x120000", gpu_metrics="\x80\x00\x03\x00"), True),
    ],
)
def test_shared_memory_is_known_only_where_the_system_tells(host, shared):
    assert profile_device(host, disk_path="/").accelerators[0].shared_memory is shared


@pytest.mark.parametrize(
    "host",
    [pci_gpu("0x1234"), pci_gpu("0x8086", kind="0x120000"), pci_gpu("0x10de", kind="0x040300")],
)
def test_screens_of_virtual_machines_npus_and_sound_are_no_gpus(host):
    assert profile_device(host, disk_path="/").accelerators == ()


def test_a_server_board_tells_its_own_name():
    host = pci_gpu("0x1002", product_name="AMD Instinct MI210\n")
    assert names_of(profile_device(host, disk_path="/")) == ["AMD Instinct MI210"]


def test_a_gpu_without_a_driver_is_listed_with_its_remedy():
    found = profile_device(pci_gpu("0x10de"), disk_path="/")
    assert (
        Unknown("NVIDIA GPU", "no driver is loaded for it", "install its vendor's driver")
        in found.unknown
    )


def test_an_nvidia_gpu_hidden_from_a_container_names_the_option():
    found = profile_device(pci_gpu("0x10de", uevent="DRIVER=nvidia"), disk_path="/")
    assert any("--gpus all" in (it.remedy or "") for it in found.unknown)


def test_a_device_closed_to_this_user_names_the_command(profile):
    closed = [it for it in profile("intel-laptop").unknown if it.what.startswith("/dev/")]
    assert [it.what for it in closed] == ["/dev/accel/accel0"]
    assert (closed[0].remedy or "").startswith("sudo usermod -aG render $USER")


def test_wsl_says_that_the_gpu_of_windows_has_no_name(profile):
    assert any(it.what == "GPU" and "/dev/dxg" in it.why for it in profile("wsl").unknown)
