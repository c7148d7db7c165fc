"""Limits of Linux control groups, version 1 and 2, on this process and on all groups above it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, TypeVar

from edgeinfer.device.host import Host
from edgeinfer.device.profile import MemoryLimit

_MOUNT: Final = "/sys/fs/cgroup"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """The tightest limits; None where nothing limits."""

    cpu_cores: float | None
    memory: MemoryLimit | None


def read_limits(host: Host) -> CgroupLimits:
    """Read both versions, because a hybrid system mounts both and uses either."""
    groups = _own_groups(host)
    unified = _levels(_MOUNT, groups.get("", "/"))
    cpu = _levels(f"{_MOUNT}/cpu", groups.get("cpu", "/"))
    memory = _levels(f"{_MOUNT}/memory", groups.get("memory", "/"))
    quotas = _each(_quota_v2, host, unified) + _each(_quota_v1, host, cpu)
    memories = _each(_memory_v2, host, unified) + _each(_memory_v1, host, memory)
    return CgroupLimits(
        cpu_cores=min(quotas, default=None),
        memory=min(memories, key=lambda it: it.limit_bytes - it.used_bytes, default=None),
    )


def _own_groups(host: Host) -> dict[str, str]:
    """The group of this process per v1 controller; the v2 group under the empty name."""
    groups = {}
    for line in (host.read_text("/proc/self/cgroup") or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _levels(mount: str, group: str) -> list[str]:
    """The folder of the group and of each group above it, up to the mount.

    Inside a container the group may be named as the host sees it (no such folder here, so only the
    mount counts) or begin with "/.." (outside of what is mounted).
    """
    parts = [part for part in PurePosixPath(group).parts if part not in ("/", "..")]
    return ["/".join((mount, *parts[:count])) for count in range(len(parts), -1, -1)]


def _each(read: Callable[[Host, str], T | None], host: Host, folders: list[str]) -> list[T]:
    return [found for folder in folders if (found := read(host, folder)) is not None]


def _quota_v2(host: Host, folder: str) -> float | None:
    quota, _, period = (host.read_text(f"{folder}/cpu.max") or "").partition(" ")
    return _divide(_to_int(quota), _to_int(period))


def _quota_v1(host: Host, folder: str) -> float | None:
    quota = _read_int(host, f"{folder}/cpu.cfs_quota_us")
    return _divide(quota, _read_int(host, f"{folder}/cpu.cfs_period_us"))


def _divide(quota: int | None, period: int | None) -> float | None:
    """Cores; a quota of -1 is none."""
    return quota / period if quota and period and quota > 0 else None


def _memory_v2(host: Host, folder: str) -> MemoryLimit | None:
    # Above memory.high the kernel throttles a process to a crawl, so that it counts as a limit too.
    limits = (_read_int(host, f"{folder}/memory.{name}") for name in ("max", "high"))
    limit = min((it for it in limits if it is not None), default=None)
    if limit is None:
        return None
    used = _read_int(host, f"{folder}/memory.current") or 0
    return MemoryLimit(limit, used - min(used, _droppable(host, folder, "inactive_file")))


def _memory_v1(host: Host, folder: str) -> MemoryLimit | None:
    limit = _read_int(host, f"{folder}/memory.limit_in_bytes")
    if limit is None:
        return None
    used = _read_int(host, f"{folder}/memory.usage_in_bytes") or 0
    return MemoryLimit(limit, used - min(used, _droppable(host, folder, "total_inactive_file")))


def _droppable(host: Host, folder: str, key: str) -> int:
    for line in (host.read_text(f"{folder}/memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return _to_int(value) or 0
    return 0


def _read_int(host: Host, path: str) -> int | None:
    return _to_int(host.read_text(path) or "")


def _to_int(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
