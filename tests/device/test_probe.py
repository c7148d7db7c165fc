import pytest

from edgeinfer.device import Unknown, profile_device
from edgeinfer.testing import FakeHost

RECORDED = [
    ("intel-laptop", "Intel Core Ultra 7 155H, 16 cores, AVX2 VNNI, 31 GiB"),
    ("epyc-vm", "AMD EPYC, 2 cores, AVX-512 VNNI BF16, 24 GiB"),
    ("raspberry-pi-5", "Raspberry Pi 5 (Cortex-A76), 4 cores, NEON dotprod, 8 GiB"),
    ("container-v2", "Intel Xeon E-2378, 1.5 of 8 cores, AVX-512 VNNI, 2 GiB"),
    ("container-v1", "Intel Xeon Platinum 8275CL, 4 of 16 cores, AVX-512 VNNI, 4 GiB"),
    ("wsl", "AMD Ryzen 7 7840HS, 8 cores, AVX-512 VNNI BF16, 15 GiB"),
    ("nvidia-desktop", "AMD Ryzen 7 7700X, 8 cores, AVX-512 VNNI BF16, 62 GiB"),
    ("mac-m2", "Apple M2, 8 cores, NEON dotprod i8mm bf16, 16 GiB"),
    ("mac-intel", "Intel Core i7-10700K, 8 cores, AVX2, 32 GiB"),
    ("windows-laptop", "AMD Ryzen AI 9 HX 370, 12 cores, 31 GiB"),
]


@pytest.mark.parametrize(("name", "label"), RECORDED)
def test_the_label_sums_a_machine_up_in_one_line(profile, name, label):
    assert profile(name).label == label


@pytest.mark.parametrize(
    ("name", "machine"),
    [
        ("intel-laptop", None),
        ("epyc-vm", "virtual machine"),
        ("container-v2", "Docker container"),
        ("container-v1", "Kubernetes container, Amazon EC2 virtual machine"),
        ("wsl", "WSL virtual machine"),
        ("mac-m2", None),
    ],
)
def test_containers_and_virtual_machines_are_named(profile, name, machine):
    assert profile(name).machine == machine


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("intel-laptop", "Ubuntu 24.04.3 LTS (kernel 6.11.0-29-generic)"),
        ("mac-m2", "macOS 26.1"),
        ("windows-laptop", "Windows 11 Pro (build 26200)"),
    ],
)
def test_the_operating_system_is_named_with_its_version(profile, name, system):
    assert profile(name).os_name == system


@pytest.mark.parametrize("system", ["linux", "darwin", "windows", "freebsd"])
def test_a_machine_that_tells_nothing_still_has_a_profile(system):
    found = profile_device(FakeHost(system=system), disk_path="/data")
    assert found.cpu.name == "unknown CPU"
    assert {it.what for it in found.unknown} >= {"energy", "power source"}


def test_an_unreachable_disk_is_unknown_and_not_full():
    found = profile_device(FakeHost(disk_bytes=None), disk_path="/data")
    assert found.disk_free_bytes is None
    assert Unknown("free disk space", "/data cannot be reached") in found.unknown


@pytest.mark.parametrize(
    ("bandwidth", "basis"), [(None, "not measured"), (2e10, "measured by a read probe")]
)
def test_bandwidth_carries_where_it_comes_from(bandwidth, basis):
    found = profile_device(FakeHost(), disk_path="/data", bandwidth=bandwidth)
    assert found.memory.bandwidth_bytes_per_s == bandwidth
    assert found.memory.bandwidth_basis == basis
