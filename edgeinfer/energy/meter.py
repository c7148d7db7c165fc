"""Which energy sensor a machine offers: the best readable one, and why not the others."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from edgeinfer.energy.battery import BatteryMeter, find_batteries
from edgeinfer.energy.modelled import (
    CPU_TIMES_RESOLUTION_S,
    ModelledMeter,
    PowerModel,
    system_busy_s,
)
from edgeinfer.energy.rapl import RaplMeter, Zone, choose_zones, find_zones
from edgeinfer.energy.reading import EnergyReading

SYSFS = Path("/sys")

# Since Linux 5.10 (2020-12) the counters are root's: they were a side channel, CVE-2020-8694.
RAPL_GRANT = "sudo chmod a+r {root}/class/powercap/*/energy_uj"


class EnergyMeter(Protocol):
    """A cumulative energy counter; a window under five times `resolution_s` gives no J/token."""

    @property
    def name(self) -> str:
        """Which sensor, such as "rapl package-0"."""

    @property
    def source(self) -> Literal["measured", "modelled"]:
        """Whether a sensor counted or a model did."""

    @property
    def coverage(self) -> str:
        """What it sees: "package", "system", "board" or "modelled"."""

    @property
    def uncertainty(self) -> float:
        """Relative half width of a modelled value; 0 for a measured one."""

    @property
    def resolution_s(self) -> float:
        """How often the underlying figure is renewed."""

    def read(self) -> EnergyReading:
        """Joules since opening; raises OSError while the sensor cannot tell."""

    def close(self) -> None:
        """Give back what the meter holds."""


@dataclass(frozen=True, slots=True)
class SensorStatus:
    """One sensor as a person needs it: is it read, why not, and the command that grants it."""

    name: str
    readable: bool
    chosen: bool
    reason: str
    grant: str | None = None


def open_meter(
    root: Path = SYSFS,
    *,
    power_model: PowerModel,
    clock: Callable[[], float],
    busy_s: Callable[[], float] = system_busy_s,
    resolution_s: float = CPU_TIMES_RESOLUTION_S,
) -> EnergyMeter:
    """RAPL where it is readable, the battery while it discharges, the model otherwise.

    `busy_s` counts the core-seconds of work that the model turns into joules, as fine as
    `resolution_s`.
    """
    if zones := choose_zones(find_zones(root)):
        return RaplMeter(zones, clock=clock)
    if batteries := tuple(b for b in find_batteries(root) if b.watts() is not None):
        return BatteryMeter(batteries, clock=clock)
    return ModelledMeter(power_model, clock=clock, busy_s=busy_s, resolution_s=resolution_s)


def explain_sensors(root: Path = SYSFS) -> tuple[SensorStatus, ...]:
    """Every sensor found below `root`, the chosen one among them, the model last."""
    rapl = _explain_rapl(root)
    battery = _explain_batteries(root, free=not any(status.chosen for status in rapl))
    found = rapl + battery
    return (*found, _explain_model(free=not any(status.chosen for status in found)))


def _explain_rapl(root: Path) -> tuple[SensorStatus, ...]:
    zones = find_zones(root)
    if not zones:
        reason = "no powercap counter here: a virtual machine, a container, or no x86 Linux"
        return (SensorStatus("rapl", readable=False, chosen=False, reason=reason),)
    chosen = choose_zones(zones)
    return tuple(_explain_zone(zone, chosen, root) for zone in zones)


def _explain_zone(zone: Zone, chosen: tuple[Zone, ...], root: Path) -> SensorStatus:
    label = f"rapl {zone.label} ({zone.path.name})"
    if zone.problem is not None:
        grant = RAPL_GRANT.format(root=root)
        reason = f"cannot be read: {zone.problem}"
        return SensorStatus(label, readable=False, chosen=False, reason=reason, grant=grant)
    if zone in chosen:
        return SensorStatus(label, readable=True, chosen=True, reason="counted")
    return SensorStatus(label, readable=True, chosen=False, reason=_why_left(zone, chosen))


def _why_left(zone: Zone, chosen: tuple[Zone, ...]) -> str:
    if any(other.label == zone.label for other in chosen):
        return "the same counter is read through another interface"
    if zone.name == "psys" and chosen:
        return "contains the package; adding both would count it twice"
    if zone.is_package or zone.name == "dram":
        return "another package cannot be read, so the sum would be too small"
    return "is a part of its package"


def _explain_batteries(root: Path, *, free: bool) -> tuple[SensorStatus, ...]:
    batteries = find_batteries(root)
    if not batteries:
        reason = "no battery"
        return (SensorStatus("battery", readable=False, chosen=False, reason=reason),)
    statuses = []
    for battery in batteries:
        discharging = battery.watts() is not None
        reason = "not discharging, or without a power reading"
        if discharging:
            reason = "the whole system's draw" if free else "RAPL is finer"
        chosen = discharging and free
        name = f"battery {battery.name}"
        statuses.append(SensorStatus(name, readable=discharging, chosen=chosen, reason=reason))
    return tuple(statuses)


def _explain_model(*, free: bool) -> SensorStatus:
    reason = "no sensor can be read" if free else "a sensor is better"
    return SensorStatus("modelled", readable=True, chosen=free, reason=reason)
