"""Joules and money of every request: the meter, whose tokens they were, and what a cloud would have charged."""

import threading
from collections.abc import Mapping

from edgeinfer.cost.model import CostComparison, CostModel
from edgeinfer.energy.attribution import EnergyAttribution, Work
from edgeinfer.energy.meter import EnergyMeter
from edgeinfer.energy.reading import EnergyDelta
from edgeinfer.energy.sampler import EnergySampler
from edgeinfer.metrics import CostLine, EnergyUse
from edgeinfer.usage import TokenUsage

LOCAL_LABEL = "this machine"
# Power on a screen is a mean over about so many seconds.
_POWER_WINDOW_S = 2.0


class EnergyBook:
    """Owns the sampling of one meter and shares its joules among requests."""

    def __init__(self, meter: EnergyMeter) -> None:
        self._meter = meter
        self._attribution = EnergyAttribution()
        self._lock = threading.Lock()
        self._work: dict[str, Work] = {}
        self._present: set[str] = set()
        self._power_w: float | None = None
        self._sampler = EnergySampler(meter, self._observe)
        self._sampler.start()

    @property
    def power_w(self) -> float | None:
        """Mean power of the last seconds; None before the first reading."""
        return self._power_w

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
        self._sampler.close()
        self._meter.close()

    def _observe(self, delta: EnergyDelta) -> None:
        with self._lock:
            work = {request_id: Work() for request_id in self._present} | self._work
            self._work = {}
        self._attribution.observe(delta, work)
        if delta.watts is not None:
            weight = min(1.0, delta.seconds / _POWER_WINDOW_S)
            before = delta.watts if self._power_w is None else self._power_w
            self._power_w = before + weight * (delta.watts - before)

    def _use(self, joules: float | None) -> EnergyUse:
        meter, spread = self._meter, self._meter.uncertainty
        bounded = joules is not None and spread > 0
        return EnergyUse(
            joules=joules,
            source=meter.source,
            meter=meter.name,
            coverage=meter.coverage,
            low_joules=joules * (1 - spread) if joules is not None and bounded else None,
            high_joules=joules * (1 + spread) if joules is not None and bounded else None,
        )


def compare_cost(
    model: CostModel, usage: TokenUsage, energy: EnergyUse, *, requests: int = 1
) -> CostComparison:
    """What these tokens cost here and in the cloud; a modelled energy carries its range into the money."""
    low, high = energy.low_joules, energy.high_joules
    joules_range = (low, high) if low is not None and high is not None else None
    return model.compare(usage, energy.joules, joules_range=joules_range, requests=requests)


def cost_lines(comparison: CostComparison) -> tuple[CostLine, ...]:
    """The comparison as columns, this machine first."""
    local = CostLine(LOCAL_LABEL, comparison.local_usd, comparison.local_basis)
    clouds = (CostLine(item.label, item.usd, item.basis) for item in comparison.clouds)
    return (local, *clouds)
