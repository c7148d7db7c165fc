import pytest

from edgeinfer.device import isa, profile_device
from edgeinfer.testing import FakeHost
from edgeinfer.units import MIB

RK3588 = "\n\n".join(f"CPU implementer: 0x41\nCPU part: {part}" for part in ("0xd05", "0xd0b"))


@pytest.mark.parametrize(
    ("features", "label"),
    [
        ({"avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8"},
         "AVX-512 VNNI BF16 AMX"),
        ({"avx", "avx2", "fma"}, "AVX2"),
        ({"sse4_2", "avx"}, "AVX"),
        ({"sse4_2"}, "SSE4.2"),
        ({"neon", "dotprod", "i8mm", "sve"}, "NEON dotprod i8mm SVE"),
        (set(), ""),
    ],
)  # fmt: skip
def test_the_isa_label_names_the_widest_extension_first(features, label):
    assert isa.describe(frozenset(features)) == label


@pytest.mark.parametrize(
    ("long", "short"),
    [
        ("12th Gen Intel(R) Core(TM) i7-1260P", "Intel Core i7-1260P"),
        ("Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz", "Intel Xeon E5-2690 v4"),
        ("AMD EPYC 7B13 64-Core Processor", "AMD EPYC 7B13"),
        ("AMD Ryzen 5 5600G with Radeon Graphics", "AMD Ryzen 5 5600G"),
    ],
)
def test_names_lose_what_a_person_does_not_need(long, short):
    assert isa.shorten(long) == short


@pytest.mark.parametrize(
    ("name", "vendor", "architecture"),
    [
        ("intel-laptop", "Intel", "x86_64"),
        ("epyc-vm", "AMD", "x86_64"),
        ("raspberry-pi-5", "Arm", "aarch64"),
        ("mac-m2", "Apple", "aarch64"),
        ("windows-laptop", "AMD", "x86_64"),
    ],
)
def test_vendor_and_architecture_have_one_spelling(profile, name, vendor, architecture):
    cpu = profile(name).cpu
    assert (cpu.vendor, cpu.architecture) == (vendor, architecture)


def test_features_have_the_same_names_on_all_systems(profile):
    assert profile("raspberry-pi-5").cpu.features == {"neon", "fp16", "dotprod"}
    assert profile("mac-m2").cpu.features == {"neon", "fp16", "dotprod", "i8mm", "bf16"}
    assert profile("mac-intel").cpu.features == {"sse4_2", "avx", "avx2", "fma", "f16c"}


@pytest.mark.parametrize(
    ("name", "size"),
    [("intel-laptop", 24 * MIB), ("epyc-vm", 32 * MIB), ("mac-intel", 16 * MIB), ("wsl", None)],
)
def test_the_third_level_cache_is_read_where_it_is_told(profile, name, size):
    assert profile(name).cpu.l3_cache_bytes == size


def test_different_cores_are_all_named():
    cpu = profile_device(FakeHost(files={"/proc/cpuinfo": RK3588}), disk_path="/").cpu
    assert cpu.name == "Cortex-A55 + Cortex-A76"


def test_one_core_is_written_without_a_plural():
    cpu = profile_device(FakeHost(logical=1, physical=None), disk_path="/").cpu
    assert cpu.cores_label == "1 core"


def test_hidden_topology_is_listed_as_unknown():
    found = profile_device(FakeHost(physical=None), disk_path="/")
    assert "physical cores" in {it.what for it in found.unknown}


def test_windows_says_that_the_features_are_unknown(profile):
    found = profile("windows-laptop")
    assert found.cpu.features == frozenset()
    assert "CPU features" in {it.what for it in found.unknown}
