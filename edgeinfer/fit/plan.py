"""Ranks models for a machine: what fits, with how much context, how fast, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edgeinfer.catalog import Use
from edgeinfer.errors import InsufficientMemoryError, UnknownModelError
from edgeinfer.fit.candidate import Candidate, Resources, Serving
from edgeinfer.fit.memory import (
    KV_BLOCK,
    ContextShape,
    KvType,
    MemoryEstimate,
    cell_bytes,
    estimate_memory,
)
from edgeinfer.fit.quality import QualityRank, is_sound, rank_quality, speed_floor
from edgeinfer.fit.throughput import ThroughputEstimate, estimate_throughput
from edgeinfer.units import format_bytes

Verdict = Literal["fits", "tight", "too large"]

CONTEXT_FLOOR: Final = 2048
CONTEXT_STEP: Final = 1024
# Tokens in the cache for which speed is stated.
SPEED_TOKENS: Final = 1024
# Up to a tenth over the budget a mapped file still runs, slower, as its pages come and go.
TIGHT_PERCENT: Final = 110
_VERDICTS: Final[dict[Verdict, int]] = {"fits": 2, "tight": 1, "too large": 0}


@dataclass(frozen=True, slots=True)
class FitEntry:
    """One candidate on one machine; context (per sequence) and KV type are what it can have."""

    candidate: Candidate
    verdict: Verdict
    context_tokens: int
    kv_type: KvType
    memory: MemoryEstimate
    speed: ThroughputEstimate
    meets_floor: bool
    why: str

    @property
    def is_stored(self) -> bool:
        """Whether the file is on this disk."""
        return self.candidate.stored_id is not None


@dataclass(frozen=True, slots=True)
class FitPlan:
    """All candidates, best first."""

    entries: tuple[FitEntry, ...]
    resources: Resources
    use: Use
    context_tokens: int

    @property
    def best(self) -> FitEntry | None:
        """The best that fits; None when nothing does."""
        return next((entry for entry in self.entries if entry.verdict == "fits"), None)

    @property
    def best_on_disk(self) -> FitEntry | None:
        """The best that fits and needs no download; None when there is none."""
        stored = (entry for entry in self.entries if entry.is_stored)
        return next((entry for entry in stored if entry.verdict == "fits"), None)

    def require(self, name: str) -> FitEntry:
        """The entry of a stored or catalogue id that fits or is tight.

        Raises InsufficientMemoryError naming the nearest that fits, and UnknownModelError for a
        name that was no candidate.
        """
        named = [
            entry
            for entry in self.entries
            if name in {entry.candidate.stored_id, entry.candidate.model_id}
        ]
        if not named:
            raise UnknownModelError(
                f"There is no model named {name!r} in this plan.",
                hint="edgeinfer fit lists all candidates.",
            )
        if named[0].verdict == "too large":
            raise self._refuse(named[0])
        return named[0]

    def _refuse(self, entry: FitEntry) -> InsufficientMemoryError:
        needed, resources = entry.memory.total_bytes, self.resources
        return InsufficientMemoryError(
            f"{entry.candidate.label} needs {format_bytes(needed)} even with"
            f" {entry.context_tokens:,} tokens of context, but"
            f" {format_bytes(resources.usable_bytes)} may be used:"
            f" {format_bytes(resources.budget_bytes)} are free,"
            f" {format_bytes(resources.reserve_bytes)} of which stay reserved.",
            needed_bytes=needed,
            free_bytes=resources.usable_bytes,
            hint=self._suggest_instead(entry),
        )

    def _suggest_instead(self, refused: FitEntry) -> str:
        """The same model in another file, else the best that fits."""
        fitting = [entry for entry in self.entries if entry.verdict == "fits"]
        model_id = refused.candidate.model_id
        kin = (entry for entry in fitting if entry.candidate.model_id == model_id)
        nearest = next(kin, self.best)
        if nearest is None:
            return "Close other programs: not even the smallest model fits now."
        place = "it is on this disk" if nearest.is_stored else "it has to be fetched first"
        tokens = f"{nearest.context_tokens:,} tokens of context"
        return f"{nearest.candidate.label} fits with {tokens}; {place}."


def plan_fit(
    candidates: Sequence[Candidate],
    resources: Resources,
    *,
    context_tokens: int,
    use: Use = "chat",
    serving: Serving | None = None,
) -> FitPlan:
    """Judge every candidate and rank them for a use.

    Memory is found by shrinking the context to a floor, then storing the KV cache in the smaller
    type there. A smaller quantization is another candidate, so it is preferred only where that does
    not help.
    """
    serving = serving or Serving()
    entries = [
        _judge(candidate, resources, wanted=context_tokens, use=use, serving=serving)
        for candidate in candidates
    ]
    ranked = sorted(entries, key=lambda entry: _rank(entry, use), reverse=True)
    return FitPlan(tuple(ranked), resources, use, context_tokens)


def _judge(
    candidate: Candidate, resources: Resources, *, wanted: int, use: Use, serving: Serving
) -> FitEntry:
    limit = resources.usable_bytes
    for shape in _shapes(candidate, wanted, serving):
        memory = estimate_memory(
            candidate.architecture, candidate.weights_bytes, shape, repacks=resources.repacks
        )
        if memory.total_bytes <= limit:
            break
    verdict = _decide(memory.total_bytes, limit)
    speed = _estimate_speed(candidate, shape, resources)
    rate = speed.decode_tokens_per_s
    return FitEntry(
        candidate=candidate,
        verdict=verdict,
        context_tokens=shape.context_tokens,
        kv_type=shape.kv_type,
        memory=memory,
        speed=speed,
        meets_floor=rate is None or rate >= speed_floor(use),
        why=_explain(verdict, memory, limit, (speed, shape)),
    )


def _shapes(candidate: Candidate, wanted: int, serving: Serving) -> Iterator[ContextShape]:
    """Contexts to try, from the one wanted to the smallest one that is useful."""
    most = max(1, min(wanted, candidate.architecture.n_ctx_train))
    floor = min(CONTEXT_FLOOR, most)
    sizes = [*range(most, floor, -CONTEXT_STEP), floor]
    tries = [(size, serving.kv_types[0]) for size in sizes]
    if _quantizes_cache(candidate):
        tries += [(floor, kv_type) for kv_type in serving.kv_types[1:]]
    for size, kv_type in tries:
        yield ContextShape(
            size, serving.slots, serving.step_tokens, kv_type=kv_type, all_outputs=False
        )


def _quantizes_cache(candidate: Candidate) -> bool:
    """Whether each head's keys and values fill whole blocks, as a quantized cache needs."""
    architecture = candidate.architecture
    return architecture.head_dim_k % KV_BLOCK == 0 and architecture.head_dim_v % KV_BLOCK == 0


def _decide(needed: int, limit: int) -> Verdict:
    if needed <= limit:
        return "fits"
    return "tight" if needed * 100 <= limit * TIGHT_PERCENT else "too large"


def _estimate_speed(
    candidate: Candidate, shape: ContextShape, resources: Resources
) -> ThroughputEstimate:
    """The speed at a fixed fill of an unquantized cache, so that all candidates compare."""
    architecture = candidate.architecture
    tokens = min(SPEED_TOKENS, shape.context_tokens)
    window = min(tokens, architecture.window_tokens or 0)
    cells = tokens * architecture.n_layer_full + window * architecture.n_layer_window
    state = cells * cell_bytes(architecture, "f16") + architecture.recurrent_bytes
    return estimate_throughput(
        candidate.read_bytes + state, candidate.parameters_active, resources.roofline
    )


def _explain(
    verdict: Verdict,
    memory: MemoryEstimate,
    limit: int,
    rest: tuple[ThroughputEstimate, ContextShape],
) -> str:
    speed, shape = rest
    amount = f"{format_bytes(memory.total_bytes)} of {format_bytes(limit)}"
    if verdict == "too large":
        return f"too large: needs {amount} that may be used"
    context = f"{shape.context_tokens:,} tokens of context"
    if shape.kv_type != "f16":
        context += f" with the KV cache as {shape.kv_type}"
    text = f"{verdict}: {amount} with {context}"
    if speed.decode_low is None or speed.decode_high is None:
        return f"{text}; speed not known"
    return f"{text}; about {speed.decode_low:.0f} to {speed.decode_high:.0f} tokens/s (estimate)"


def _rank(entry: FitEntry, use: Use) -> tuple[int | float | QualityRank, ...]:
    """What fits, general before the guide, sound weights, fast enough; then by quality.

    Of those that are too slow the fastest comes first.
    """
    candidate, rate = entry.candidate, entry.speed.decode_tokens_per_s or 0.0
    return (
        entry.verdict == "fits",
        candidate.scope == "general",
        _VERDICTS[entry.verdict],
        is_sound(candidate),
        entry.meets_floor,
        0.0 if entry.meets_floor else rate,
        rank_quality(candidate, use),
    )
