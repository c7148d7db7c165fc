"""One request's tokens, the batch that carries them to the runner, and what comes back."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from edgeinfer.engine.sampling import SamplingParams

FinishReason = Literal["stop", "length", "cancelled"]


class SequenceState(Enum):
    """A sequence waits for a slot, runs in one, and is finished."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(slots=True, eq=False)
class Sequence:
    """A request inside the engine; only the scheduler writes it.

    `num_computed` counts the tokens whose KV entries exist, `num_cached` those of them that were
    reused from an earlier sequence of the same `namespace`.
    """

    request_id: str
    prompt_tokens: tuple[int, ...]
    sampling: SamplingParams
    namespace: str = ""
    arrival: int = 0
    state: SequenceState = SequenceState.WAITING
    slot: int | None = None
    num_computed: int = 0
    num_cached: int = 0
    completion_tokens: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    @property
    def num_tokens(self) -> int:
        """Tokens of prompt and completion."""
        return len(self.prompt_tokens) + len(self.completion_tokens)

    @property
    def num_uncomputed(self) -> int:
        """Tokens without KV entries."""
        return self.num_tokens - self.num_computed

    @property
    def is_prefilling(self) -> bool:
        """Whether a part of the prompt is still to be computed."""
        return self.num_computed < len(self.prompt_tokens)

    def tokens_from(self, start: int, count: int) -> tuple[int, ...]:
        """`count` tokens of prompt and completion from position `start` on."""
        prompt_length = len(self.prompt_tokens)
        if start >= prompt_length:
            offset = start - prompt_length
            return tuple(self.completion_tokens[offset : offset + count])
        head = self.prompt_tokens[start : start + count]
        return head + tuple(self.completion_tokens[: count - len(head)])


@dataclass(frozen=True, slots=True)
class Admission:
    """A sequence takes a slot: keep the first `keep_tokens` cells there, drop the rest."""

    slot: int
    keep_tokens: int
    sampling: SamplingParams
    prompt_tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BatchItem:
    """Tokens of one sequence in one step, from position `start` on.

    `samples`: they are the last that are known, so the next one is drawn after them.
    """

    request_id: str
    slot: int
    start: int
    tokens: tuple[int, ...]
    samples: bool
    is_prefill: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What the runner does in one step: first the admissions, then all items in one pass."""

    admissions: tuple[Admission, ...]
    items: tuple[BatchItem, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens of all items."""
        return sum(len(item.tokens) for item in self.items)


@dataclass(frozen=True, slots=True)
class StepOutput:
    """One sampled token a sampling item of the batch, in order."""

    tokens: tuple[int, ...]
