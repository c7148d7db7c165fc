"""Cumulative energy readings, and the difference of two of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EnergyDelta:
    """What a meter counted between two readings."""

    seconds: float
    joules: float

    @property
    def watts(self) -> float | None:
        """Mean power; None over no time at all."""
        return self.joules / self.seconds if self.seconds > 0 else None


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """Joules since the meter was opened, and the monotonic second at which they were read."""

    time_s: float
    joules: float

    def __sub__(self, earlier: "EnergyReading") -> EnergyDelta:
        return EnergyDelta(self.time_s - earlier.time_s, self.joules - earlier.joules)
