"""Energy of the whole machine from its battery, while it discharges (Linux power_supply)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeinfer.energy.reading import EnergyReading

MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Battery:
    """One battery of the machine itself, not of a mouse."""

    path: Path

    @property
    def name(self) -> str:
        """The kernel's name, such as BAT0."""
        return self.path.name

    def watts(self) -> float | None:
        """Power drawn from it now; None while it does not discharge or does not say."""
        if _read_text(self.path / "status") != "Discharging":
            return None
        power = _read_micro(self.path / "power_now")
        if power is not None:
            return power
        current = _read_micro(self.path / "current_now")
        voltage = _read_micro(self.path / "voltage_now")
        return None if current is None or voltage is None else current * voltage


def find_batteries(root: Path) -> tuple[Battery, ...]:
    """The machine's batteries below `root`, whatever they do at the moment."""
    folders = sorted((root / "class" / "power_supply").glob("*"))
    return tuple(Battery(folder) for folder in folders if _is_own_battery(folder))


class BatteryMeter:
    """The integral of battery power since opening; read it at least every few seconds."""

    source: Literal["measured"] = "measured"
    coverage = "system"
    uncertainty = 0.0
    # Fuel gauges renew their figures every 1 to 30 s: a minute is the shortest honest window.
    resolution_s = 12.0

    def __init__(self, batteries: tuple[Battery, ...], *, clock: Callable[[], float]) -> None:
        self._batteries = batteries
        self._clock = clock
        self._time_s = clock()
        self._joules = 0.0
        self._watts = _sum_watts(batteries)
        self.name = "battery " + ", ".join(battery.name for battery in batteries)

    def read(self) -> EnergyReading:
        """Add the power since the last call; raises OSError once the machine is on mains."""
        now, watts = self._clock(), _sum_watts(self._batteries)
        # A span that began or ended on mains has no power to multiply with.
        if watts is not None and self._watts is not None:
            self._joules += (watts + self._watts) / 2 * (now - self._time_s)
        self._time_s, self._watts = now, watts
        if watts is None:
            raise OSError(f"{self.name} is no longer discharging")
        return EnergyReading(now, self._joules)

    def close(self) -> None:
        """Nothing is held open between two readings."""


def _sum_watts(batteries: tuple[Battery, ...]) -> float | None:
    known = [watts for battery in batteries if (watts := battery.watts()) is not None]
    return sum(known) if known else None


def _is_own_battery(folder: Path) -> bool:
    return _read_text(folder / "type") == "Battery" and _read_text(folder / "scope") != "Device"


def _read_text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _read_micro(path: Path) -> float | None:
    text = _read_text(path)
    try:
        # Some drivers give the discharge current a minus sign.
        return None if text is None else abs(int(text)) * MICRO
    except ValueError:
        return None
