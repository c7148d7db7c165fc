"""Which tokens run in the next step: continuous batching with chunked prefill."""

from collections import deque
from dataclasses import dataclass, field

from edgeinfer.engine.sequence import (
    Admission,
    Batch,
    BatchItem,
    FinishReason,
    Sequence,
    SequenceState,
    StepOutput,
)
from edgeinfer.errors import QueueFullError


@dataclass(frozen=True, slots=True)
class SchedulerLimits:
    """`context_tokens` bounds one sequence, `step_tokens` one step and with it a stream's pause."""

    slots: int
    context_tokens: int
    step_tokens: int = 256
    max_waiting: int = 64


@dataclass(slots=True)
class _Slot:
    """A row of the KV cache: who runs in it, or whose tokens it still holds."""

    sequence: Sequence | None = None
    namespace: str = ""
    resident: tuple[int, ...] = ()


@dataclass(slots=True)
class Scheduler:
    """First come, first served over a number of slots; prefill gets what decodes leave of a step.

    A finished sequence's cells stay in its slot until the slot is needed; a newcomer of the same
    namespace that shares a prefix reuses them (`reuses_prefixes`), never one of another namespace.
    """

    limits: SchedulerLimits
    end_tokens: frozenset[int]
    reuses_prefixes: bool = True
    waiting: deque[Sequence] = field(default_factory=deque)
    _slots: list[_Slot] = field(init=False)
    _arrivals: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._slots = [_Slot() for _ in range(self.limits.slots)]

    @property
    def running(self) -> tuple[Sequence, ...]:
        """Who holds a slot, in order of arrival."""
        held = [slot.sequence for slot in self._slots if slot.sequence]
        return tuple(sorted(held, key=lambda sequence: sequence.arrival))

    @property
    def has_work(self) -> bool:
        """Whether anybody waits or runs."""
        return bool(self.waiting) or any(slot.sequence for slot in self._slots)

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence; raises QueueFullError when the line is full."""
        if len(self.waiting) >= self.limits.max_waiting:
            raise QueueFullError(
                f"{len(self.waiting)} requests are waiting already.", retry_after_s=5.0
            )
        self._arrivals += 1
        sequence.arrival = self._arrivals
        self.waiting.append(sequence)

    def cancel(self, request_id: str) -> Sequence | None:
        """Take a sequence out, wherever it is; None when it is not here (any more)."""
        for sequence in (*self.waiting, *self.running):
            if sequence.request_id == request_id:
                self._finish(sequence, "cancelled")
                return sequence
        return None

    def stop(self, sequence: Sequence) -> None:
        """End a sequence whose text reached a stop string."""
        self._finish(sequence, "stop")

    def schedule(self) -> Batch:
        """The next step; empty when there is nothing to do."""
        admissions = tuple(self._admit())
        budget = self.limits.step_tokens
        items: list[BatchItem] = []
        for sequence in sorted(self.running, key=lambda s: s.is_prefilling):
            count = min(budget, sequence.num_uncomputed)
            if count:
                items.append(_batch_item(sequence, count))
                budget -= count
        return Batch(admissions, tuple(items))

    def complete(self, batch: Batch, output: StepOutput) -> tuple[Sequence, ...]:
        """Book a step; returns the sequences that got a token, finished ones included."""
        sampled = iter(output.tokens)
        advanced: list[Sequence] = []
        for item in batch.items:
            sequence = self._slots[item.slot].sequence
            token = next(sampled) if item.samples else None
            if sequence is None or sequence.request_id != item.request_id:
                continue
            sequence.num_computed += len(item.tokens)
            if token is not None:
                self._append(sequence, token)
                advanced.append(sequence)
        return tuple(advanced)

    def drop_all(self) -> tuple[Sequence, ...]:
        """Forget every sequence and cell, after the runner failed; returns who was dropped."""
        dropped = (*self.waiting, *self.running)
        for sequence in dropped:
            self._finish(sequence, "cancelled")
        self._slots = [_Slot() for _ in self._slots]
        return dropped

    def _append(self, sequence: Sequence, token: int) -> None:
        sequence.completion_tokens.append(token)
        sampling = sequence.sampling
        if token in self.end_tokens and not sampling.ignore_eos:
            self._finish(sequence, "stop")
        elif (
            len(sequence.completion_tokens) == sampling.max_tokens
            or sequence.num_tokens >= self.limits.context_tokens
        ):
            self._finish(sequence, "length")

    def _admit(self) -> list[Admission]:
        admissions: list[Admission] = []
        while self.waiting and any(slot.sequence is None for slot in self._slots):
            admissions.append(self._place(self.waiting.popleft()))
        return admissions

    def _place(self, sequence: Sequence) -> Admission:
        keep, _, index = max(
            (self._shared(slot, sequence), -len(slot.resident), index)
            for index, slot in enumerate(self._slots)
            if slot.sequence is None
        )
        slot = self._slots[index]
        slot.sequence, slot.namespace, slot.resident = sequence, sequence.namespace, ()
        sequence.state, sequence.slot = SequenceState.RUNNING, index
        sequence.num_computed = sequence.num_cached = keep
        return Admission(index, keep, sequence.sampling, sequence.prompt_tokens)

    def _shared(self, slot: _Slot, sequence: Sequence) -> int:
        """Leading tokens that the slot holds; the last is always computed, for its logits."""
        if not self.reuses_prefixes or slot.namespace != sequence.namespace:
            return 0
        shared = 0
        for ours, theirs in zip(sequence.prompt_tokens[:-1], slot.resident, strict=False):
            if ours != theirs:
                break
            shared += 1
        return shared

    def _finish(self, sequence: Sequence, reason: FinishReason) -> None:
        if sequence.state is SequenceState.WAITING:
            self.waiting.remove(sequence)
        if sequence.slot is not None and self._slots[sequence.slot].sequence is sequence:
            slot = self._slots[sequence.slot]
            slot.resident = sequence.tokens_from(0, sequence.num_computed)
            slot.sequence = None
        sequence.state = SequenceState.FINISHED
        sequence.finish_reason = reason


def _batch_item(sequence: Sequence, count: int) -> BatchItem:
    slot = sequence.slot
    if slot is None:
        raise ValueError(f"sequence {sequence.request_id} has no slot")
    return BatchItem(
        request_id=sequence.request_id,
        slot=slot,
        start=sequence.num_computed,
        tokens=sequence.tokens_from(sequence.num_computed, count),
        samples=sequence.num_computed + count == sequence.num_tokens,
        is_prefill=sequence.is_prefilling,
    )
