"""Whose joules they were: shares each interval's energy among requests by the work they did."""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from edgeinfer.energy.reading import EnergyDelta
from edgeinfer.errors import UsageError

# Energy of a computed prompt token over that of a generated one, until both were measured here.
# At equal power it is the ratio of speeds: 0.07 on a Mac mini M4 (4B model, 28 and 385 tokens/s,
# jitesh.dev, 2026-03), 0.15 on a Ryzen 7 7840HS (4B, about 22 and 149 tokens/s).
DEFAULT_PREFILL_WEIGHT = 0.1
MIN_TOKENS_TO_LEARN = 64

# A longer interval means that the machine slept; more power than this, that a counter jumped.
MAX_INTERVAL_S = 30.0
MAX_WATTS = 10_000.0

# Idle power is the 10th percentile of quiet intervals: one minute of them at five a second.
IDLE_INTERVALS = 300
IDLE_PERCENTILE = 0.1
MIN_IDLE_S = 0.1

# A window of fewer counter updates than this says nothing about joules per token.
MIN_UPDATES = 5


@dataclass(frozen=True, slots=True)
class Work:
    """Tokens that a request had computed in an interval; reused prompt tokens are no work."""

    prefill_tokens: int = 0
    decode_tokens: int = 0


@dataclass(frozen=True, slots=True)
class EnergyShare:
    """A request's part of what the meter counted.

    Gross holds the machine's idle draw, dynamic does not and is None until idle power is known.
    Prefill and decode add up to gross. `window_s` is the time for which the request was present.
    """

    gross_joules: float = 0.0
    dynamic_joules: float | None = None
    prefill_joules: float = 0.0
    decode_joules: float = 0.0
    window_s: float = 0.0

    def is_resolved(self, resolution_s: float) -> bool:
        """Whether the window is long enough, for a meter of this resolution, to give J/token."""
        return self.window_s >= MIN_UPDATES * resolution_s


class EnergyAttribution:
    """Shares the meter's joules; attributed, pending and idle add up to all that was observed.

    An interval in which requests were present but none had a token ready waits for the next one
    with tokens: a step of a slow model lasts many intervals. `dropped` counts absurd intervals.
    """

    def __init__(self, *, prefill_weight: float | None = None) -> None:
        if prefill_weight is not None and not prefill_weight > 0:
            raise UsageError("The weight of a prompt token must be above zero.")
        self._fixed_weight = prefill_weight
        self._tallies: dict[str, _Tally] = {}
        self._pending = EnergyDelta(0.0, 0.0)
        self._present: frozenset[str] = frozenset()
        self._idle_watts: deque[float] = deque(maxlen=IDLE_INTERVALS)
        self._rates = _Rates()
        self._lock = threading.Lock()
        self.attributed_joules = 0.0
        self.idle_joules = 0.0
        self.dropped = 0

    @property
    def pending_joules(self) -> float:
        """Energy of a step under way, not shared yet."""
        return self._pending.joules

    @property
    def idle_w(self) -> float | None:
        """The machine's power without any request; None before a quiet interval was seen."""
        if not self._idle_watts:
            return None
        ordered = sorted(self._idle_watts)
        return ordered[int(IDLE_PERCENTILE * (len(ordered) - 1))]

    @property
    def prefill_weight(self) -> float:
        """Energy of a prompt token over that of a generated one: given, learnt or the default."""
        if self._fixed_weight is not None:
            return self._fixed_weight
        learnt = self._rates.ratio()
        return DEFAULT_PREFILL_WEIGHT if learnt is None else learnt

    def observe(self, delta: EnergyDelta, work: Mapping[str, Work]) -> None:
        """Share one interval; `work` names every request present, also one without a token."""
        with self._lock:
            if not _is_plausible(delta):
                self.dropped += 1
            elif work:
                self._observe_work(delta, work)
            else:
                self._observe_quiet(delta)

    def share(self, request_id: str) -> EnergyShare:
        """What this request used so far; all zero for one that was never observed."""
        with self._lock:
            tally = self._tallies.get(request_id)
            return EnergyShare() if tally is None else tally.freeze(self.idle_w)

    def forget(self, request_id: str) -> None:
        """Drop a finished request's tally; its joules stay in `attributed_joules`."""
        with self._lock:
            self._tallies.pop(request_id, None)
            self._present -= {request_id}

    def _observe_work(self, delta: EnergyDelta, work: Mapping[str, Work]) -> None:
        for request_id in work:
            self._tallies.setdefault(request_id, _Tally()).window_s += delta.seconds
        self._present |= frozenset(work)
        self._pending = _add(self._pending, delta)
        if any(done.prefill_tokens or done.decode_tokens for done in work.values()):
            self._divide(work)

    def _observe_quiet(self, delta: EnergyDelta) -> None:
        # Requests that left within a step still used it: nobody else can be asked to bear it.
        if self._present:
            self._divide(dict.fromkeys(self._present, Work(decode_tokens=1)), learn=False)
        self.idle_joules += self._pending.joules + delta.joules
        self._pending = EnergyDelta(0.0, 0.0)
        if delta.seconds >= MIN_IDLE_S:
            self._idle_watts.append(delta.joules / delta.seconds)

    def _divide(self, work: Mapping[str, Work], *, learn: bool = True) -> None:
        weight = self.prefill_weight
        total = sum(weight * w.prefill_tokens + w.decode_tokens for w in work.values())
        for request_id, done in work.items():
            tally = self._tallies.setdefault(request_id, _Tally())
            tally.prefill.add(self._pending, weight * done.prefill_tokens / total)
            tally.decode.add(self._pending, done.decode_tokens / total)
        if learn:
            self._rates.learn(self._pending, work)
        self.attributed_joules += self._pending.joules
        self._pending = EnergyDelta(0.0, 0.0)
        self._present = frozenset()


@dataclass(slots=True)
class _Phase:
    joules: float = 0.0
    seconds: float = 0.0

    def add(self, delta: EnergyDelta, part: float) -> None:
        self.joules += delta.joules * part
        self.seconds += delta.seconds * part


@dataclass(slots=True)
class _Tally:
    prefill: _Phase = field(default_factory=_Phase)
    decode: _Phase = field(default_factory=_Phase)
    window_s: float = 0.0

    def freeze(self, idle_w: float | None) -> EnergyShare:
        gross = self.prefill.joules + self.decode.joules
        seconds = self.prefill.seconds + self.decode.seconds
        # Taken off once at the end, not interval by interval: clipping noise there would add up.
        dynamic = None if idle_w is None else max(0.0, gross - idle_w * seconds)
        return EnergyShare(
            gross, dynamic, self.prefill.joules, self.decode.joules, window_s=self.window_s
        )


@dataclass(slots=True)
class _Rates:
    """Joules a token, from intervals in which only one of the two phases ran."""

    prefill_joules: float = 0.0
    prefill_tokens: int = 0
    decode_joules: float = 0.0
    decode_tokens: int = 0

    def learn(self, delta: EnergyDelta, work: Mapping[str, Work]) -> None:
        prefill = sum(done.prefill_tokens for done in work.values())
        decode = sum(done.decode_tokens for done in work.values())
        if prefill and not decode:
            self.prefill_joules += delta.joules
            self.prefill_tokens += prefill
        elif decode and not prefill:
            self.decode_joules += delta.joules
            self.decode_tokens += decode

    def ratio(self) -> float | None:
        if min(self.prefill_tokens, self.decode_tokens) < MIN_TOKENS_TO_LEARN:
            return None
        prefill = self.prefill_joules / self.prefill_tokens
        decode = self.decode_joules / self.decode_tokens
        return prefill / decode if prefill > 0 and decode > 0 else None


def _is_plausible(delta: EnergyDelta) -> bool:
    return (
        isfinite(delta.joules)
        and 0 <= delta.joules <= MAX_WATTS * delta.seconds
        and delta.seconds <= MAX_INTERVAL_S
    )


def _add(first: EnergyDelta, second: EnergyDelta) -> EnergyDelta:
    return EnergyDelta(first.seconds + second.seconds, first.joules + second.joules)
