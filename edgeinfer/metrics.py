"""What a finished request measured, and all that a screen shows at one instant."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from edgeinfer.usage import TokenUsage

RequestState = Literal["waiting", "running", "finished", "failed", "cancelled"]
ServiceState = Literal["loading", "ready", "restarting", "failed"]
EnergySource = Literal["measured", "modelled", "unknown"]


@dataclass(frozen=True, slots=True)
class EnergyUse:
    """Energy of one request or of many, in joules.

    `joules` None means that nothing can be said. `low_joules` and `high_joules` bound a modelled
    value and are None for a measured one. `coverage` says what the meter sees: "package", "system",
    "board" or "modelled".
    """

    joules: float | None
    source: EnergySource
    meter: str
    coverage: str
    low_joules: float | None = None
    high_joules: float | None = None

    def per_token(self, completion_tokens: int) -> float | None:
        """Joules per generated token; None without energy or without a token."""
        if self.joules is None or completion_tokens == 0:
            return None
        return self.joules / completion_tokens


@dataclass(frozen=True, slots=True)
class CostLine:
    """One column of the money comparison."""

    label: str
    usd: Decimal | None
    basis: str


@dataclass(frozen=True, slots=True)
class RequestMetrics:
    """One request as a receipt or a table row shows it; times are None where not reached."""

    request_id: str
    model: str
    quantization: str
    state: RequestState
    usage: TokenUsage
    queue_s: float | None = None
    ttft_s: float | None = None
    prefill_s: float | None = None
    decode_s: float | None = None
    finish_reason: str | None = None
    energy: EnergyUse | None = None
    costs: tuple[CostLine, ...] = ()

    @property
    def decode_tokens_per_s(self) -> float | None:
        """Generated tokens after the first, per second of decode."""
        later_tokens = self.usage.completion_tokens - 1
        return later_tokens / self.decode_s if self.decode_s and later_tokens > 0 else None

    @property
    def prefill_tokens_per_s(self) -> float | None:
        """Prompt tokens that were computed, not reused, per second of prefill."""
        computed = self.usage.prompt_tokens - self.usage.cached_tokens
        return computed / self.prefill_s if self.prefill_s and computed else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a screen shows at one instant.

    `history` holds generated tokens per second, one value a second, oldest first, at most 120.
    """

    state: ServiceState
    model: str
    quantization: str
    endpoint: str | None
    device: str
    uptime_s: float
    tokens_per_s: float
    history: tuple[float, ...]
    energy: EnergyUse
    power_w: float | None
    usage: TokenUsage
    costs: tuple[CostLine, ...]
    verdict: str
    worker_restarts: int
    running: int
    waiting: int
    requests: tuple[RequestMetrics, ...]


HISTORY_S = 120


class TokenRate:
    """Tokens a second, counted in whole seconds of a clock that its caller reads."""

    def __init__(self, started_s: float) -> None:
        self._second = int(started_s)
        self._current = 0
        self._history: deque[float] = deque(maxlen=HISTORY_S)

    def add(self, tokens: int, now_s: float) -> None:
        """`tokens` were generated at `now_s`."""
        self._advance(now_s)
        self._current += tokens

    def current(self, now_s: float) -> float:
        """Tokens of the last full second."""
        self._advance(now_s)
        return self._history[-1] if self._history else 0.0

    def history(self, now_s: float) -> tuple[float, ...]:
        """One value a second, oldest first, the running second left out."""
        self._advance(now_s)
        return tuple(self._history)

    def _advance(self, now_s: float) -> None:
        elapsed = min(int(now_s) - self._second, HISTORY_S + 1)
        for _ in range(elapsed):
            self._history.append(float(self._current))
            self._current = 0
        self._second = max(self._second, int(now_s))
