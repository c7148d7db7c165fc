"""One question and its answer, gathered on any thread and fetched at the screen's pace."""

from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Literal

from edgeinfer.errors import EdgeinferError
from edgeinfer.metrics import RequestState
from edgeinfer.service import Delta, Receipt, Update
from edgeinfer.usage import TokenUsage
from edgeinfer_tui.source import Asker

AnswerState = Literal["running", "stopping", "done", "stopped", "failed"]

_ENDINGS: dict[RequestState, AnswerState] = {"cancelled": "stopped", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A question and what has come back so far."""

    question: str
    state: AnswerState = "running"
    text: str = ""
    usage: TokenUsage = field(default_factory=TokenUsage)
    receipt: Receipt | None = None
    error: EdgeinferError | None = None

    @property
    def is_open(self) -> bool:
        """Whether words may still come."""
        return self.state in {"running", "stopping"}


class Exchange:
    """Asks one question and owns its inbox, so that a late word of an earlier one goes nowhere."""

    def __init__(self, asker: Asker, question: str) -> None:
        self._asker = asker
        self._inbox: SimpleQueue[Update] = SimpleQueue()
        self._request_id: str | None = None
        self.answer = Answer(question)
        try:
            self._request_id = asker.ask(question, self._inbox.put)
        except EdgeinferError as error:
            self.answer = _fold(self.answer, [error])

    def drain(self) -> Answer:
        """The answer with all that has arrived since the last call."""
        updates: list[Update] = []
        while True:
            try:
                updates.append(self._inbox.get_nowait())
            except Empty:
                break
        if updates:
            self.answer = _fold(self.answer, updates)
        return self.answer

    def cancel(self) -> None:
        """Stop a running answer; without effect on one that has ended."""
        if self._request_id is None or self.answer.state != "running":
            return
        self.answer = replace(self.answer, state="stopping")
        self._asker.cancel(self._request_id)


def _fold(answer: Answer, updates: list[Update]) -> Answer:
    text = "".join(update.text for update in updates if isinstance(update, Delta))
    answer = replace(answer, text=answer.text + text)
    for update in updates:
        match update:
            case Delta(usage=usage):
                answer = replace(answer, usage=usage)
            case Receipt(metrics=metrics):
                state = _ENDINGS.get(metrics.state, "done")
                answer = replace(answer, state=state, usage=metrics.usage, receipt=update)
            case EdgeinferError():
                answer = replace(answer, state="failed", error=update)
    return answer
