from dataclasses import replace
from typing import Any

import pytest

from edgeinfer.errors import QueueFullError, WorkerCrashedError
from edgeinfer.metrics import RequestState
from edgeinfer.service import Delta, Receipt
from edgeinfer.usage import TokenUsage
from edgeinfer_tui.exchange import Exchange


def test_words_that_came_between_two_looks_arrive_together(asker: Any) -> None:
    exchange = Exchange(asker, "Why?")
    asker.say(Delta("request-1", "Be", TokenUsage(4, 0, 1)))
    asker.say(Delta("request-1", "cause", TokenUsage(4, 0, 2)))
    answer = exchange.drain()
    assert (answer.text, answer.usage.completion_tokens) == ("Because", 2)


def test_nothing_new_leaves_the_answer_as_it_is(asker: Any) -> None:
    exchange = Exchange(asker, "Why?")
    assert exchange.drain() is exchange.drain()


@pytest.mark.parametrize(
    ("state", "shown"), [("finished", "done"), ("cancelled", "stopped"), ("failed", "failed")]
)
def test_a_receipt_ends_the_answer(
    asker: Any, receipt: Receipt, state: RequestState, shown: str
) -> None:
    exchange = Exchange(asker, "Why?")
    asker.say(replace(receipt, metrics=replace(receipt.metrics, state=state)))
    assert exchange.drain().state == shown


def test_an_error_keeps_the_words_before_it(asker: Any) -> None:
    exchange = Exchange(asker, "Why?")
    asker.say(Delta("request-1", "Be", TokenUsage()))
    asker.say(WorkerCrashedError("The worker ended."))
    answer = exchange.drain()
    assert (answer.text, answer.state) == ("Be", "failed")


def test_a_refused_question_has_failed_at_once(asker: Any) -> None:
    asker.refusal = QueueFullError("All slots are busy.", retry_after_s=3)
    exchange = Exchange(asker, "Why?")
    exchange.cancel()
    assert exchange.answer.error is asker.refusal
    assert asker.cancelled == []


def test_a_question_is_cancelled_once(asker: Any) -> None:
    exchange = Exchange(asker, "Why?")
    exchange.cancel()
    exchange.cancel()
    assert exchange.answer.is_open
    assert asker.cancelled == ["request-1"]


def test_an_ended_answer_is_not_cancelled(asker: Any, receipt: Receipt) -> None:
    exchange = Exchange(asker, "Why?")
    asker.say(receipt)
    exchange.drain()
    exchange.cancel()
    assert asker.cancelled == []


def test_a_late_word_of_an_earlier_question_goes_nowhere(asker: Any) -> None:
    Exchange(asker, "Why?")
    late = asker.say
    exchange = Exchange(asker, "How?")
    late(Delta("request-1", "Because.", TokenUsage()))
    assert exchange.drain().text == ""
