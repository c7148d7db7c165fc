"""Energy of the CPU package from Linux powercap (RAPL), wraps, twins and mirrors seen to."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeinfer.energy.reading import EnergyReading

MICRO = 1_000_000

# A socket's limit is some 500 W (2026); a step that implies more is a counter that was reset.
MAX_ZONE_W = 1_000.0

# Two dies that mirror one counter are read one after the other: CodeCarbon 3.3.2 (2026-10-23)
# calls counters equal within 1e-6 of their value or 1 J.
MIRROR_RELATIVE = 1e-6
MIRROR_JOULES = 1.0


@dataclass(frozen=True, slots=True)
class Zone:
    """One powercap zone; `problem` says why its counter cannot be read, None when it can."""

    path: Path
    name: str
    label: str
    max_range_uj: int
    problem: str | None

    @property
    def is_package(self) -> bool:
        """Whether this is a CPU package, or one die of it."""
        return self.name.startswith("package")

    def energy_uj(self) -> int:
        """The raw counter; raises OSError where it cannot be read."""
        return _read_int(self.path / "energy_uj")


def find_zones(root: Path) -> tuple[Zone, ...]:
    """All RAPL zones below `root`, readable or not, in the order of their folders."""
    folders = sorted((root / "class" / "powercap").glob("intel-rapl*:*"))
    return tuple(_describe(folder) for folder in folders if (folder / "name").is_file())


def choose_zones(zones: Iterable[Zone]) -> tuple[Zone, ...]:
    """The zones whose sum counts every joule once; empty where no honest sum can be read.

    Packages with their DRAM, each through one interface. psys, which contains them, only where no
    package exists or can be read: on some boards it is not calibrated. Cores and graphics never:
    they are parts of the package.
    """
    by_label: dict[str, Zone] = {}
    for zone in sorted(zones, key=_preference):
        by_label.setdefault(zone.label, zone)
    packages = [zone for zone in by_label.values() if zone.is_package]
    readable = [zone for zone in by_label.values() if zone.problem is None]
    if packages and all(zone.problem is None for zone in packages):
        return tuple(packages + [zone for zone in readable if zone.name == "dram"])
    return tuple(zone for zone in readable if zone.name == "psys")


class RaplMeter:
    """The sum of RAPL counters since opening; `resets` counts steps that no wrap explains."""

    source: Literal["measured"] = "measured"
    uncertainty = 0.0
    resolution_s = 0.001

    def __init__(self, zones: tuple[Zone, ...], *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counters = [_Counter(zone) for zone in zones]
        self._time_s = clock()
        self._joules = 0.0
        self.resets = 0
        self.name = "rapl " + ", ".join(zone.label for zone in zones)
        self.coverage = "system" if zones[0].name == "psys" else "package"

    def read(self) -> EnergyReading:
        """Add what was counted since the last call; raises OSError when a counter is gone."""
        now = self._clock()
        values = [counter.zone.energy_uj() for counter in self._counters]
        limit_j = MAX_ZONE_W * max(now - self._time_s, 1.0)
        steps = [c.advance(v) for c, v in zip(self._counters, values, strict=True)]
        for step in _without_mirrors(steps):
            if 0 <= step.joules <= limit_j:
                self._joules += step.joules
            else:
                self.resets += 1
        self._time_s = now
        return EnergyReading(now, self._joules)

    def close(self) -> None:
        """Nothing is held open between two readings."""


@dataclass(frozen=True, slots=True)
class _Step:
    zone: Zone
    value_j: float
    joules: float

    def mirrors(self, other: "_Step") -> bool:
        """Whether both counters show one and the same energy."""
        allowed = max(MIRROR_JOULES, MIRROR_RELATIVE * self.value_j)
        return (
            self.zone.is_package
            and other.zone.is_package
            and abs(self.value_j - other.value_j) <= allowed
            and abs(self.joules - other.joules) <= allowed
        )


class _Counter:
    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self._last_uj = zone.energy_uj()

    def advance(self, value_uj: int) -> _Step:
        step_uj = value_uj - self._last_uj
        if step_uj < 0:
            step_uj += self.zone.max_range_uj
        self._last_uj = value_uj
        return _Step(self.zone, value_uj / MICRO, step_uj / MICRO)


def _without_mirrors(steps: list[_Step]) -> Iterator[_Step]:
    seen: list[_Step] = []
    for step in steps:
        if not any(step.mirrors(other) for other in seen):
            seen.append(step)
            yield step


def _describe(folder: Path) -> Zone:
    name = _read_name(folder)
    parent = folder.parent / folder.name.rpartition(":")[0]
    is_part = folder.name.count(":") > 1
    label = f"{_read_name(parent)} {name}" if is_part else name
    try:
        max_range_uj = _read_int(folder / "max_energy_range_uj")
    except OSError:
        max_range_uj = 0
    return Zone(folder, name, label, max_range_uj, _find_problem(folder))


def _find_problem(folder: Path) -> str | None:
    try:
        _read_int(folder / "energy_uj")
    except OSError as error:
        return error.strerror or str(error)
    return None


def _preference(zone: Zone) -> tuple[bool, bool, str]:
    # The same package stands behind an MSR and a memory-mapped interface; the latter needs no
    # interrupt of the core it measures.
    return (zone.problem is not None, "mmio" not in zone.path.name, zone.path.name)


def _read_name(folder: Path) -> str:
    try:
        return (folder / "name").read_text().strip()
    except OSError:
        return folder.name


def _read_int(path: Path) -> int:
    text = path.read_text().strip()
    try:
        return int(text)
    except ValueError as error:
        raise OSError(f"{path} holds no number") from error
