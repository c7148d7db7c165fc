from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeinfer.energy.modelled import PowerModel

MAX_RANGE_UJ = 65_712_999_613


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 100.0

    def __call__(self) -> float:
        """The moment it was moved to."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def power_model() -> PowerModel:
    return PowerModel(idle_w=2.0, active_w=10.0, threads=4)


@pytest.fixture
def add_zone(tmp_path: Path) -> Callable[..., Path]:
    def add(folder: str, name: str, joules: float | None) -> Path:
        """One powercap zone below tmp_path; a counter of None cannot be read."""
        zone = tmp_path / "class" / "powercap" / folder
        zone.mkdir(parents=True)
        (zone / "name").write_text(f"{name}\n")
        (zone / "max_energy_range_uj").write_text(f"{MAX_RANGE_UJ}\n")
        # A folder in the file's place fails for root too, whom no permission stops.
        (zone / "energy_uj").mkdir() if joules is None else set_joules(zone, joules)
        return zone

    return add


@pytest.fixture
def add_battery(tmp_path: Path) -> Callable[..., Path]:
    def add(name: str = "BAT0", **values: str | int) -> Path:
        battery = tmp_path / "class" / "power_supply" / name
        battery.mkdir(parents=True)
        for key, value in {"type": "Battery", "status": "Discharging", **values}.items():
            (battery / key).write_text(f"{value}\n")
        return battery

    return add


@pytest.fixture
def laptop(add_zone: Callable[..., Path]) -> dict[str, Path]:
    """An Intel laptop: psys contains the package, which contains core and uncore, twice told."""
    zones = {
        "intel-rapl:0": ("package-0", 5000.0),
        "intel-rapl:0:0": ("core", 2000.0),
        "intel-rapl:0:1": ("uncore", 300.0),
        "intel-rapl:0:2": ("dram", 700.0),
        "intel-rapl:1": ("psys", 9000.0),
        "intel-rapl-mmio:0": ("package-0", 5000.0),
    }
    return {folder: add_zone(folder, *zone) for folder, zone in zones.items()}


def set_joules(zone: Path, joules: float) -> None:
    (zone / "energy_uj").write_text(f"{round(joules * 1e6)}\n")


@pytest.fixture
def count() -> Callable[[Path, float], None]:
    return set_joules
