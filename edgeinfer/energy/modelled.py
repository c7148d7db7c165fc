"""Energy where no sensor can be read: a power model driven by how busy the CPU was."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Self

import psutil

from edgeinfer.energy.reading import EnergyReading

# CodeCarbon 3.3.2 (2026-10-23) gives an unknown CPU 4 W a thread, and a tenth of that at rest.
# Against five machines measured at the wall while decoding (geerlingguy/ai-benchmarks,
# 2025-12-18), watts measured / 4 W a thread: Raspberry Pi 5 11.9/16, Intel N150 26.4/16,
# Ryzen AI 5 340 51.1/48, Ryzen AI Max+ 395 133/128, Mac mini M4 30.1/40. Hence the range.
WATTS_PER_THREAD = 4.0
IDLE_SHARE = 0.1
UNCERTAINTY = 0.7

# CPU times advance in ticks of 10 ms a core; a process's own clock on Linux in nanoseconds.
CPU_TIMES_RESOLUTION_S = 0.05
PROCESS_CLOCK_RESOLUTION_S = 0.001


@dataclass(frozen=True, slots=True)
class PowerModel:
    """Power of a machine at rest and with all its threads busy; `basis` is said on screens."""

    idle_w: float
    active_w: float
    threads: int
    uncertainty: float = UNCERTAINTY
    basis: str = "stated by the caller"

    @classmethod
    def for_cpu(cls, *, logical: int | None, physical: int | None) -> Self:
        """The rule of 4 W a thread; one thread where neither count is known."""
        threads = logical or physical or 1
        active_w = WATTS_PER_THREAD * threads
        basis = f"{WATTS_PER_THREAD:g} W for each of {threads} threads (CodeCarbon 3.3.2)"
        return cls(IDLE_SHARE * active_w, active_w, threads, basis=basis)

    def joules(self, seconds: float, busy_s: float) -> float:
        """Energy of a span in which `busy_s` core-seconds were worked."""
        share = min(max(busy_s / (seconds * self.threads), 0.0), 1.0) if seconds > 0 else 0.0
        return (self.idle_w + (self.active_w - self.idle_w) * share) * seconds


def system_busy_s() -> float:
    """Core-seconds that the whole system has worked since boot."""
    times = psutil.cpu_times()._asdict()
    working = ("user", "nice", "system", "irq", "softirq")
    return float(sum(times.get(name, 0.0) for name in working))


def processes_busy_s(pids: Iterable[int]) -> float:
    """Core-seconds of these processes since they began; 0 for one that is gone."""
    return sum(_precise_busy_s(pid) for pid in pids)


def _precise_busy_s(pid: int) -> float:
    """Linux keeps every process's CPU time to the nanosecond behind a clock id made of its pid.

    clock_getcpuclockid(3): the complement of the pid above three bits, of which 2 asks for the
    scheduler's time.
    """
    try:
        if sys.platform == "linux":
            return time.clock_gettime((~pid << 3) | 2)
        times = psutil.Process(pid).cpu_times()
    except (OSError, psutil.Error):
        return 0.0
    return float(times.user + times.system)


class ModelledMeter:
    """The integral of modelled power since opening; `busy_s` counts core-seconds of work."""

    name = "modelled"
    source: Literal["modelled"] = "modelled"
    coverage = "modelled"

    def __init__(
        self,
        model: PowerModel,
        *,
        clock: Callable[[], float],
        busy_s: Callable[[], float] = system_busy_s,
        resolution_s: float = CPU_TIMES_RESOLUTION_S,
    ) -> None:
        self.resolution_s = resolution_s
        self._model = model
        self._clock = clock
        self._read_busy_s = busy_s
        self._time_s, self._busy_s = clock(), busy_s()
        self._joules = 0.0
        self.uncertainty = model.uncertainty

    def read(self) -> EnergyReading:
        """Add what the model gives for the span since the last call."""
        now, busy_s = self._clock(), self._read_busy_s()
        self._joules += self._model.joules(now - self._time_s, busy_s - self._busy_s)
        self._time_s, self._busy_s = now, busy_s
        return EnergyReading(now, self._joules)

    def close(self) -> None:
        """Nothing is held open between two readings."""
