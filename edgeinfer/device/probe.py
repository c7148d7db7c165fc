"""Reads the profile of a machine within a tenth of a second."""

from collections.abc import Callable, Mapping
from typing import Final

from edgeinfer.device import linux, macos, windows
from edgeinfer.device.host import Host
from edgeinfer.device.profile import DeviceProfile, Memory, MemoryLimit, SystemFacts, Unknown

# On a system without a reader the Linux one finds none of its files, and says so for each.
_READERS: Final[Mapping[str, Callable[[Host], SystemFacts]]] = {
    "linux": linux.read_system,
    "darwin": macos.read_system,
    "windows": windows.read_system,
}


def profile_device(host: Host, *, disk_path: str, bandwidth: float | None = None) -> DeviceProfile:
    """Ask the host for everything; never raises, what cannot be read is listed in `unknown`.

    `disk_path` is where models are stored and need not exist yet. `bandwidth` is a result of
    `measure_bandwidth`, in bytes read per second.
    """
    facts = _READERS.get(host.system, linux.read_system)(host)
    disk_free = host.disk_free(disk_path)
    return DeviceProfile(
        cpu=facts.cpu,
        memory=_read_memory(host, facts.memory_limit, bandwidth),
        accelerators=facts.accelerators,
        power=facts.power,
        energy_sensors=facts.energy_sensors,
        disk_free_bytes=disk_free,
        os_name=facts.os_name,
        machine=facts.machine,
        unknown=facts.unknown + _explain_disk(disk_path, disk_free),
    )


def _read_memory(host: Host, limit: MemoryLimit | None, bandwidth: float | None) -> Memory:
    reading = host.memory()
    # A limit above the machine's memory limits nothing: cgroup v1 writes "none" as 2**63 - 4096.
    held = limit if limit and limit.limit_bytes < reading.total_bytes else None
    return Memory(
        total_bytes=reading.total_bytes,
        available_bytes=reading.available_bytes,
        limit_bytes=held.limit_bytes if held else None,
        limit_used_bytes=held.used_bytes if held else None,
        swap_total_bytes=reading.swap_total_bytes,
        bandwidth_bytes_per_s=bandwidth,
        bandwidth_basis="not measured" if bandwidth is None else "measured by a read probe",
    )


def _explain_disk(disk_path: str, disk_free: int | None) -> tuple[Unknown, ...]:
    if disk_free is not None:
        return ()
    return (Unknown("free disk space", f"{disk_path} cannot be reached"),)
