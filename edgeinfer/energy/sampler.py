"""Reads an energy meter at a steady pace and hands each difference to one listener."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from edgeinfer.energy.meter import EnergyMeter
from edgeinfer.energy.reading import EnergyDelta, EnergyReading

INTERVAL_S = 0.2
# One sample may take this share of one core; a slow sensor is read less often instead.
MAX_CORE_SHARE = 0.005


class EnergySampler:
    """Owns the sampling thread; the meter belongs to whoever opened it.

    `clock` counts the CPU time of the calling thread. `failures` counts readings that could not be
    taken (their energy is part of the next good one) and faults of the listener.
    """

    def __init__(
        self,
        meter: EnergyMeter,
        listener: Callable[[EnergyDelta], None],
        *,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._meter = meter
        self._listener = listener
        self._interval_s = interval_s
        self._clock = clock
        self._last: EnergyReading | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Take the first reading and begin; a second call changes nothing."""
        if self._thread is None:
            self._stop.clear()
            self.sample()
            self._thread = threading.Thread(target=self._run, name="energy", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread and report what was counted since its last sample."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
            self.sample()

    def sample(self) -> EnergyDelta | None:
        """Read now, from any thread; None for the first reading and for one that failed."""
        with self._lock:
            try:
                reading = self._meter.read()
            except OSError:
                self.failures += 1
                return None
            last, self._last = self._last, reading
            if last is None:
                return None
            delta = reading - last
            self._listener(delta)
            return delta

    def pause_after(self, cost_s: float) -> float:
        """Seconds to wait after a sample that took `cost_s` of CPU time."""
        return max(self._interval_s, cost_s / MAX_CORE_SHARE)

    def _run(self) -> None:
        pause_s = self._interval_s
        while not self._stop.wait(pause_s):
            began_s = self._clock()
            try:
                self.sample()
            except Exception:  # noqa: BLE001  a listener's fault must not end the counting
                self.failures += 1
            pause_s = self.pause_after(self._clock() - began_s)
