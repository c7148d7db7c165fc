"""The seam between the engine and whatever computes tokens."""

from dataclasses import dataclass
from typing import Protocol

from edgeinfer.engine.sequence import Batch, StepOutput


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a loaded model says of itself; `context_tokens` is per sequence."""

    name: str
    quantization: str
    parameters: int
    size_bytes: int
    context_tokens: int
    trained_context_tokens: int
    slots: int
    chat_template: str | None
    bos_text: str
    eos_text: str
    variant: str
    threads: int


class ModelRunner(Protocol):
    """Computes batches and knows the vocabulary. Owned by one thread."""

    @property
    def facts(self) -> ModelFacts:
        """The loaded model's facts."""
        ...

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end a generation."""
        ...

    @property
    def special_texts(self) -> tuple[str, ...]:
        """Texts of control tokens, which must not be taken from a user's words."""
        ...

    @property
    def reuses_prefixes(self) -> bool:
        """Whether the cells behind a shared prefix can be dropped alone."""
        ...

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids; `add_special` adds what begins a text, `parse_special` knows control tokens.

        May be called from another thread than the owner's.
        """
        ...

    def token_piece(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens."""
        ...

    def run(self, batch: Batch) -> StepOutput:
        """Compute one step; raises EngineError when the native library refuses it."""
        ...

    def reset(self) -> None:
        """Drop every cell of the KV cache."""
        ...

    def close(self) -> None:
        """Give back the model's memory."""
        ...
