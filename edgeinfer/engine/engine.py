"""The loop of generation: schedule, run, complete."""

from dataclasses import dataclass

from edgeinfer.engine.detokenizer import StreamingDetokenizer
from edgeinfer.engine.runner import ModelRunner
from edgeinfer.engine.scheduler import Scheduler
from edgeinfer.engine.sequence import Batch, FinishReason, Sequence
from edgeinfer.errors import InvalidRequestError, PromptTooLongError
from edgeinfer.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class Progress:
    """New text of one request after a step, with its counters so far."""

    request_id: str
    text: str
    usage: TokenUsage
    finish_reason: FinishReason | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: the batch it ran and the progress of every sequence that got a token."""

    batch: Batch
    progress: tuple[Progress, ...]


class Engine:
    """Runs many sequences on one ModelRunner; no thread, no clock and no socket in it."""

    def __init__(self, runner: ModelRunner, scheduler: Scheduler) -> None:
        self.runner = runner
        self.scheduler = scheduler
        self._detokenizers: dict[str, StreamingDetokenizer] = {}

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return self.scheduler.has_work

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence.

        Raises InvalidRequestError for an empty prompt, PromptTooLongError when no token of an
        answer would fit, and QueueFullError.
        """
        context_tokens = self.scheduler.limits.context_tokens
        if not sequence.prompt_tokens:
            raise InvalidRequestError("The prompt is empty.", param="prompt", hint="Ask something.")
        if len(sequence.prompt_tokens) >= context_tokens:
            raise PromptTooLongError(len(sequence.prompt_tokens), context_tokens)
        self.scheduler.add(sequence)
        self._detokenizers[sequence.request_id] = StreamingDetokenizer(sequence.sampling.stop)

    def cancel(self, request_id: str) -> Progress | None:
        """Take a request out between steps; None when it is not here (any more)."""
        sequence = self.scheduler.cancel(request_id)
        return self._report(sequence) if sequence else None

    def step(self) -> Step:
        """One batch through the model."""
        batch = self.scheduler.schedule()
        output = self.runner.run(batch)
        advanced = self.scheduler.complete(batch, output)
        return Step(batch, tuple(self._report(sequence) for sequence in advanced))

    def drop_all(self) -> tuple[str, ...]:
        """Give up everything after a failed step; returns the request ids that were dropped."""
        dropped = tuple(sequence.request_id for sequence in self.scheduler.drop_all())
        self._detokenizers.clear()
        self.runner.reset()
        return dropped

    def _report(self, sequence: Sequence) -> Progress:
        text = self._text_of_last_token(sequence)
        if sequence.finish_reason is not None:
            text += self._detokenizers.pop(sequence.request_id).finish()
        usage = TokenUsage(
            len(sequence.prompt_tokens), sequence.num_cached, len(sequence.completion_tokens)
        )
        return Progress(sequence.request_id, text, usage, sequence.finish_reason)

    def _text_of_last_token(self, sequence: Sequence) -> str:
        if sequence.finish_reason == "cancelled" or not sequence.completion_tokens:
            return ""
        detokenizer = self._detokenizers[sequence.request_id]
        text = detokenizer.push(self.runner.token_piece(sequence.completion_tokens[-1]))
        if detokenizer.stopped:
            self.scheduler.stop(sequence)
        return text
