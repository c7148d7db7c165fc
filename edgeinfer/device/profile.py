"""What a machine is: values that cross threads and processes, and print as a table."""

from dataclasses import dataclass
from typing import Literal

from edgeinfer.device import isa
from edgeinfer.units import GIB

PowerSource = Literal["mains", "battery", "unknown"]


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor; `usable_cores` is what affinity and a cgroup quota leave to this process."""

    name: str
    vendor: str
    architecture: str
    physical_cores: int | None
    logical_cores: int
    usable_cores: float
    features: frozenset[str]
    l3_cache_bytes: int | None

    @property
    def isa_label(self) -> str:
        """Such as "AVX-512 VNNI BF16" or "NEON dotprod i8mm"; empty when unknown."""
        return isa.describe(self.features)

    @property
    def cores_label(self) -> str:
        """Such as "8 cores", or "1.5 of 8 cores" where a limit holds."""
        if self.usable_cores < self.logical_cores:
            return f"{self.usable_cores:g} of {self.logical_cores} cores"
        count = self.physical_cores or self.logical_cores
        return f"{count} core{'' if count == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory; `limit_*` are of the tightest memory cgroup, None without one.

    `bandwidth_basis` says where the bandwidth comes from.
    """

    total_bytes: int
    available_bytes: int
    limit_bytes: int | None
    swap_total_bytes: int
    bandwidth_bytes_per_s: float | None = None
    bandwidth_basis: str = "not measured"
    limit_used_bytes: int | None = None

    @property
    def budget_bytes(self) -> int:
        """What may be used now: free in the machine, and free within the cgroup."""
        if self.limit_bytes is None:
            return self.available_bytes
        headroom = max(0, self.limit_bytes - (self.limit_used_bytes or 0))
        return min(self.available_bytes, headroom)

    @property
    def capacity_bytes(self) -> int:
        """What may be used when nothing else runs: the machine's memory, or the cgroup's limit."""
        return self.total_bytes if self.limit_bytes is None else self.limit_bytes


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU or NPU that the system lists.

    `memory_bytes` is its own memory, None when not known; `shared_memory` True means that it works
    in main memory, None that the system does not tell.
    """

    kind: Literal["gpu", "npu"]
    vendor: str
    name: str
    driver: str | None
    memory_bytes: int | None
    shared_memory: bool | None


@dataclass(frozen=True, slots=True)
class Power:
    """Where the current comes from, and the charge from 0 to 1 where there is a battery."""

    source: PowerSource
    battery_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class EnergySensor:
    """A counter or gauge of energy; `remedy` is the command that makes it readable."""

    name: str
    path: str
    readable: bool
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that could not be read, why, and what a person can do about it."""

    what: str
    why: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A memory cgroup; page cache that the kernel would drop first is not counted as used."""

    limit_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """What the reader of one operating system found."""

    cpu: Cpu
    memory_limit: MemoryLimit | None
    accelerators: tuple[Accelerator, ...]
    power: Power
    energy_sensors: tuple[EnergySensor, ...]
    os_name: str
    machine: str | None
    unknown: tuple[Unknown, ...]


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """The whole machine; `machine` names a container or virtual machine, None on bare metal."""

    cpu: Cpu
    memory: Memory
    accelerators: tuple[Accelerator, ...]
    power: Power
    energy_sensors: tuple[EnergySensor, ...]
    disk_free_bytes: int | None
    os_name: str
    machine: str | None
    unknown: tuple[Unknown, ...]

    @property
    def label(self) -> str:
        """One line, such as "AMD EPYC, 2 cores, AVX-512 VNNI BF16, 24 GiB"."""
        size = _format_size(self.memory.capacity_bytes)
        parts = (self.cpu.name, self.cpu.cores_label, self.cpu.isa_label, size)
        return ", ".join(part for part in parts if part)


def _format_size(count: int) -> str:
    """Memory as it is sold: firmware keeps a part back, so that 7.9 GiB reads as "8 GiB"."""
    gibibytes = count / GIB
    return f"{gibibytes:.0f} GiB" if gibibytes >= 2 else f"{gibibytes:.1f} GiB"  # noqa: PLR2004
