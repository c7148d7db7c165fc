"""When a worker counts as hung, and how its restarts are paced."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """Bounds of the watch over a worker, in seconds.

    A process that the kernel reports as stopped hangs for certain; one that is merely silent may be
    starved of CPU or wait for a slow disk, and a long step may be honest work on a small machine:
    those get more time.
    """

    stopped_s: float = 0.5
    silent_s: float = 15.0
    step_s: float = 300.0
    load_s: float = 900.0
    interval_s: float = 0.05
    backoff_s: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)

    def pause_s(self, failures_in_a_row: int) -> float:
        """How long to wait before the next start; the first failure after a success is free."""
        return self.backoff_s[min(failures_in_a_row, len(self.backoff_s) - 1)]
