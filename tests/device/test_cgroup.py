import pytest

from edgeinfer.device import profile_device
from edgeinfer.device.cgroup import read_limits
from edgeinfer.testing import FakeHost
from edgeinfer.units import GIB, MIB

NESTED = {
    "/proc/self/cgroup": "0::/outer/inner\n",
    "/sys/fs/cgroup/outer/inner/memory.max": "max\n",
    "/sys/fs/cgroup/outer/inner/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/outer/memory.max": f"{4 * GIB}\n",
    "/sys/fs/cgroup/outer/memory.current": f"{1 * GIB}\n",
    "/sys/fs/cgroup/outer/cpu.max": "250000 100000\n",
}


def test_a_container_may_use_its_limit_less_what_it_holds(profile):
    memory = profile("container-v2").memory
    assert memory.limit_bytes == 2 * GIB
    assert memory.budget_bytes == 2 * GIB - 200 * MIB


def test_version_1_counts_cache_that_can_be_dropped_as_free(profile):
    memory = profile("container-v1").memory
    assert memory.budget_bytes == 4 * GIB - 512 * MIB


@pytest.mark.parametrize(("name", "cores"), [("container-v2", 1.5), ("container-v1", 4.0)])
def test_a_quota_leaves_a_part_of_the_cores(profile, name, cores):
    assert profile(name).cpu.usable_cores == cores


def test_affinity_counts_where_it_is_tighter_than_the_quota():
    host = FakeHost(logical=8, allowed=1, files={"/sys/fs/cgroup/cpu.max": "200000 100000"})
    assert profile_device(host, disk_path="/").cpu.usable_cores == 1


def test_limits_of_the_groups_above_hold_too():
    limits = read_limits(FakeHost(files=NESTED))
    assert limits.cpu_cores == 2.5
    assert limits.memory is not None
    assert limits.memory.limit_bytes == 4 * GIB


def test_the_group_with_the_least_room_decides_and_not_the_smallest():
    files = {
        **NESTED,
        "/sys/fs/cgroup/outer/inner/memory.max": f"{3 * GIB}",
        "/sys/fs/cgroup/outer/memory.current": f"{3 * GIB}",
    }
    limits = read_limits(FakeHost(files=files))
    assert limits.memory is not None
    assert limits.memory.limit_bytes == 4 * GIB


def test_throttling_counts_as_a_limit():
    files = {"/sys/fs/cgroup/memory.max": "max", "/sys/fs/cgroup/memory.high": f"{GIB}"}
    limits = read_limits(FakeHost(files=files))
    assert limits.memory is not None
    assert limits.memory.limit_bytes == GIB


def test_a_limit_above_the_machine_is_none():
    files = {"/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    memory = profile_device(FakeHost(files=files), disk_path="/").memory
    assert memory.limit_bytes is None
    assert memory.budget_bytes == memory.available_bytes


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"/sys/fs/cgroup/cpu.max": "max 100000\n", "/sys/fs/cgroup/memory.max": "max\n"},
        {
            "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        {"/proc/self/cgroup": "garbage\n\n::\n", "/sys/fs/cgroup/cpu.max": "garbage"},
        {"/proc/self/cgroup": "0::/../../elsewhere\n"},
    ],
)
def test_no_limit_is_none_and_never_zero(files):
    limits = read_limits(FakeHost(files=files))
    assert limits.cpu_cores is None
    assert limits.memory is None


def test_an_overfull_group_leaves_nothing_and_never_less():
    files = {"/sys/fs/cgroup/memory.max": f"{GIB}", "/sys/fs/cgroup/memory.current": f"{2 * GIB}"}
    assert profile_device(FakeHost(files=files), disk_path="/").memory.budget_bytes == 0
