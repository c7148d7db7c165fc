import dataclasses

import pytest

from edgeinfer.device import measure_bandwidth, profile_device, working_set
from edgeinfer.testing import FakeHost
from edgeinfer.units import GIB, MIB


@pytest.mark.parametrize("cores", [1, 3])
def test_bandwidth_is_measured_even_without_time(cores):
    assert measure_bandwidth(cores=cores, budget_s=0, working_set_bytes=MIB) > 0


@pytest.mark.parametrize(
    ("l3_bytes", "cores", "available_bytes", "expected"),
    [
        (None, 4, 8 * GIB, 256 * MIB),
        (32 * MIB, 2, 8 * GIB, 256 * MIB),
        (32 * MIB, 16, 8 * GIB, 1024 * MIB),
        (32 * MIB, 16, 400 * MIB, 100 * MIB),
        (None, 1, 1 * MIB, 4 * MIB),
    ],
)
def test_the_working_set_overflows_caches_and_spares_memory(
    l3_bytes, cores, available_bytes, expected
):
    found = profile_device(FakeHost(available_bytes=available_bytes), disk_path="/")
    cpu = dataclasses.replace(found.cpu, l3_cache_bytes=l3_bytes)
    assert working_set(cpu, found.memory, cores=cores) == expected
