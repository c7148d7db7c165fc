"""One line that says how far a step is: rewritten on a terminal, a line every tenth elsewhere."""

import os
import re
import time
from collections.abc import Callable
from typing import TextIO

NINJA_STEP = re.compile(r"^\s*\[(\d+)/(\d+)\] ")
MAKE_STEP = re.compile(r"^\s*\[ *(\d+)%\] ")
# Before this share is done, the first files say little about the rest.
FORECAST_FROM = 0.05
REDRAW_S = 0.25


def parse_step(line: str) -> tuple[int, int] | None:
    """Steps done and steps in all, from a line of ninja (`[n/m]`) or make (`[ p%]`)."""
    if found := NINJA_STEP.match(line):
        done, total = int(found[1]), int(found[2])
        return (done, total) if 0 < total >= done else None
    if found := MAKE_STEP.match(line):
        return min(int(found[1]), 100), 100
    return None


def format_elapsed(seconds: float) -> str:
    """Minutes and seconds, such as `2:10`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def format_remaining(elapsed_s: float, done: int, total: int) -> str | None:
    """A modest forecast, or None while there is no basis for one."""
    if done >= total or done < total * FORECAST_FROM:
        return None
    minutes = round(elapsed_s / done * (total - done) / 60)
    return f"about {minutes} min left" if minutes else "less than a minute left"


class Progress:
    """Shows one step from its start to `finish`."""

    def __init__(
        self, label: str, out: TextIO, *, live: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._label, self._out, self._live, self._clock = label, out, live, clock
        self._start_s = clock()
        self._drawn_s = self._start_s - REDRAW_S
        self._done = self._total = self._tenths = 0
        self._counted_s: float | None = None

    def feed(self, line: str) -> None:
        """Take one line of the command's output; an empty one only lets time pass."""
        if step := parse_step(line):
            self._done, self._total = step
            self._counted_s = self._counted_s or self._clock()
        if self._live:
            self._redraw()
        elif self._total and self._done * 10 // self._total > self._tenths:
            self._tenths = self._done * 10 // self._total
            self._write(f"{self.text()}\n")

    def finish(self, outcome: str) -> None:
        """Replace the line by its outcome."""
        start = "\r\x1b[K" if self._live else ""
        self._write(f"{start}{self._label}: {outcome}\n")

    def text(self) -> str:
        """The line as of now."""
        if self._counted_s is None:
            return f"{self._label}, {self.elapsed}"
        # Downloads came before the first count and say nothing about the rest.
        counting_s = self._clock() - self._counted_s
        left = format_remaining(counting_s, self._done, self._total)
        counted = f"{self._label} {self._done}/{self._total}"
        return ", ".join(filter(None, [counted, self.elapsed, left]))

    @property
    def elapsed(self) -> str:
        """Time since the start."""
        return format_elapsed(self._clock() - self._start_s)

    def _redraw(self) -> None:
        if self._clock() - self._drawn_s >= REDRAW_S:
            self._drawn_s = self._clock()
            self._write(f"\r\x1b[K{self.text()}")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def is_live(out: TextIO, term: str | None = os.environ.get("TERM")) -> bool:
    """Whether a line can be rewritten there."""
    return out.isatty() and term not in {None, "", "dumb"}
