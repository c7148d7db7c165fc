"""The accounts: every request's tokens, times and joules, and what a cloud would charge."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edgeinfer.cost.model import CostComparison, CostModel
from edgeinfer.energy.attribution import EnergyAttribution, Work
from edgeinfer.energy.meter import EnergyMeter
from edgeinfer.energy.reading import EnergyDelta
from edgeinfer.energy.sampler import INTERVAL_S, EnergySampler
from edgeinfer.errors import InvalidRequestError
from edgeinfer.metrics import CostLine, EnergyUse, RequestMetrics, RequestState, TokenRate
from edgeinfer.usage import TokenUsage
from edgeinfer.worker.protocol import Progress

LOCAL_LABEL = "this machine"
RECENT_REQUESTS = 50
# Power on a screen is a mean over about so many seconds, of readings that are far enough apart: a
# counter that is renewed every millisecond says nothing about the power of a shorter time.
_POWER_WINDOW_S = 2.0
_POWER_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Totals:
    """The requests at one instant: the sum of the ended ones, and a list, those under way first."""

    usage: TokenUsage
    ended: int
    tokens_per_s: float
    history: tuple[float, ...]
    requests: tuple[RequestMetrics, ...]


class RequestBook:
    """Follows every request of one model from its beginning to its end, from any thread."""

    def __init__(self, model: str, quantization: str, clock: Callable[[], float]) -> None:
        self._model = model
        self._quantization = quantization
        self._clock = clock
        self._rate = TokenRate(clock())
        self._lock = threading.Lock()
        self._active: dict[str, RequestMetrics] = {}
        self._recent: deque[RequestMetrics] = deque(maxlen=RECENT_REQUESTS)
        self._usage = TokenUsage()
        self._ended = 0

    def begin(self, request_id: str) -> None:
        """A request waits from now on; raises InvalidRequestError for an id that is taken."""
        metrics = RequestMetrics(
            request_id=request_id,
            model=self._model,
            quantization=self._quantization,
            state="waiting",
            usage=TokenUsage(),
        )
        with self._lock:
            if request_id in self._active:
                raise InvalidRequestError(
                    f"A request with the id {request_id!r} is under way.", param="request_id"
                )
            self._active[request_id] = metrics

    def take_back(self, request_id: str) -> None:
        """The request was refused: it leaves no trace."""
        with self._lock:
            del self._active[request_id]

    def note_tokens(self, generated: int) -> None:
        """So many tokens were generated now, for whomever."""
        with self._lock:
            self._rate.add(generated, self._clock())

    def advance(self, progress: Progress) -> None:
        """The request has come so far."""
        with self._lock:
            before = self._active[progress.request_id]
            self._active[progress.request_id] = _with_progress(before, progress)

    def end(self, request_id: str, state: RequestState, energy: EnergyUse) -> RequestMetrics:
        """The request has ended, after what was last noted of it."""
        with self._lock:
            metrics = replace(self._active.pop(request_id), state=state, energy=energy)
            self._recent.appendleft(metrics)
            self._usage += metrics.usage
            self._ended += 1
        return metrics

    def totals(self) -> Totals:
        """Everything at this instant, the running requests before the waiting ones."""
        with self._lock:
            now_s = self._clock()
            active = sorted(self._active.values(), key=lambda metrics: metrics.state == "waiting")
            return Totals(
                usage=self._usage,
                ended=self._ended,
                tokens_per_s=self._rate.current(now_s),
                history=self._rate.history(now_s),
                requests=(*active, *self._recent),
            )


def _with_progress(metrics: RequestMetrics, progress: Progress) -> RequestMetrics:
    return replace(
        metrics,
        state="running",
        usage=progress.usage,
        queue_s=progress.queue_s,
        ttft_s=progress.ttft_s,
        prefill_s=progress.ttft_s - progress.queue_s,
        decode_s=progress.elapsed_s - progress.ttft_s,
        finish_reason=progress.finish_reason,
    )


class EnergyBook:
    """Owns one meter and its sampling, and shares its joules among requests."""

    def __init__(self, meter: EnergyMeter, *, interval_s: float = INTERVAL_S) -> None:
        self._meter = meter
        self._attribution = EnergyAttribution()
        self._lock = threading.Lock()
        self._work: dict[str, Work] = {}
        self._present: set[str] = set()
        self._power = _PowerMean()
        self._sampler = EnergySampler(meter, self._observe, interval_s=interval_s)
        self._sampler.start()

    @property
    def power_w(self) -> float | None:
        """Mean power of the last seconds; None before there is one."""
        return self._power.watts

    def begin(self, request_id: str) -> None:
        """A request starts now: what was used before is not its."""
        self._sampler.sample()
        with self._lock:
            self._present.add(request_id)

    def note_work(self, done: Mapping[str, Work]) -> None:
        """Tokens computed in one step."""
        with self._lock:
            for request_id, work in done.items():
                before = self._work.get(request_id, Work())
                self._work[request_id] = Work(
                    before.prefill_tokens + work.prefill_tokens,
                    before.decode_tokens + work.decode_tokens,
                )

    def finish(self, request_id: str) -> EnergyUse:
        """A request ends now: its energy, or None joules when the meter is too coarse for it."""
        self._sampler.sample()
        share = self._attribution.share(request_id)
        with self._lock:
            self._present.discard(request_id)
        self._attribution.forget(request_id)
        resolved = share.is_resolved(self._meter.resolution_s)
        return self._use(share.gross_joules if resolved else None)

    def total(self) -> EnergyUse:
        """Energy of all requests so far."""
        return self._use(self._attribution.attributed_joules)

    def close(self) -> None:
        """Stop sampling and close the meter."""
        self._sampler.close()
        self._meter.close()

    def _observe(self, delta: EnergyDelta) -> None:
        with self._lock:
            work = {request_id: Work() for request_id in self._present} | self._work
            self._work = {}
        self._attribution.observe(delta, work)
        self._power.add(delta)

    def _use(self, joules: float | None) -> EnergyUse:
        meter, spread = self._meter, self._meter.uncertainty
        use = EnergyUse(joules, meter.source, meter.name, meter.coverage)
        if joules is None or spread == 0:
            return use
        return replace(use, low_joules=joules * (1 - spread), high_joules=joules * (1 + spread))


class _PowerMean:
    """Mean power whose past fades; intervals too short to say anything are put together."""

    def __init__(self) -> None:
        self.watts: float | None = None
        self._seconds = self._joules = 0.0

    def add(self, delta: EnergyDelta) -> None:
        self._seconds += delta.seconds
        self._joules += delta.joules
        if self._seconds < _POWER_INTERVAL_S:
            return
        watts, weight = self._joules / self._seconds, min(1.0, self._seconds / _POWER_WINDOW_S)
        self.watts = watts if self.watts is None else self.watts + weight * (watts - self.watts)
        self._seconds = self._joules = 0.0


def compare_cost(
    model: CostModel, usage: TokenUsage, energy: EnergyUse, *, requests: int = 1
) -> CostComparison:
    """What these tokens cost here and in the cloud; the range of modelled joules carries over."""
    low, high = energy.low_joules, energy.high_joules
    joules_range = (low, high) if low is not None and high is not None else None
    return model.compare(usage, energy.joules, joules_range=joules_range, requests=requests)


def cost_lines(comparison: CostComparison) -> tuple[CostLine, ...]:
    """The comparison as columns, this machine first."""
    local = CostLine(LOCAL_LABEL, comparison.local_usd, comparison.local_basis)
    clouds = (CostLine(item.label, item.usd, item.basis) for item in comparison.clouds)
    return (local, *clouds)
