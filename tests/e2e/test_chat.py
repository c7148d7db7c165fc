import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from edgeinfer.service import Service
from tests.e2e.conftest import CONTEXT_TOKENS, Complete

pytestmark = pytest.mark.model

ENDLESS = {"stream": True, "max_tokens": 450, "extra_body": {"ignore_eos": True}}
QUESTIONS = [
    "What is a KV cache?",
    "What is edgeinfer?",
    "What is GGUF?",
    "How do I stop the server?",
    "Which quantization should I take?",
    "Does anything leave this machine?",
    "What is prefill?",
    "Who are you?",
]


def text_of(completion: Any) -> str:
    return str(completion.choices[0].message.content)


def test_a_stream_says_the_same_as_a_whole_answer(complete: Complete) -> None:
    whole = complete("What is edgeinfer?")
    chunks = list(complete("What is edgeinfer?", stream=True))
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert streamed == text_of(whole) != ""


def test_usage_is_exact_and_counts_what_was_reused(complete: Complete) -> None:
    first, second = (complete("How is energy measured here?").usage for _ in range(2))
    assert (first.prompt_tokens, first.completion_tokens) == (
        second.prompt_tokens,
        second.completion_tokens,
    )
    assert second.prompt_tokens_details.cached_tokens == second.prompt_tokens - 1
    assert first.total_tokens == first.prompt_tokens + first.completion_tokens


def test_a_stream_ends_with_the_same_usage(complete: Complete) -> None:
    usage = complete("How much memory?").usage
    stream = complete("How much memory?", stream=True, stream_options={"include_usage": True})
    *_, last = stream
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (
        usage.prompt_tokens,
        usage.completion_tokens,
    )


def test_every_answer_comes_with_its_receipt(complete: Complete) -> None:
    receipt = complete("What does an answer cost?").model_extra["edgeinfer"]
    assert receipt["ttft_s"] > 0
    assert receipt["energy"]["source"] in {"measured", "modelled"}
    assert len(receipt["costs"]) > 1


def test_twice_as_many_clients_as_slots_are_all_answered_as_if_alone(complete: Complete) -> None:
    alone = [text_of(complete(question)) for question in QUESTIONS]
    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        together = list(pool.map(lambda question: text_of(complete(question)), QUESTIONS))
    assert together == alone


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(complete: Complete) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        complete("long " * 1500)
    assert caught.value.code == "context_length_exceeded"
    body = caught.value.body
    assert isinstance(body, dict)
    assert body["n_ctx"] == CONTEXT_TOKENS < body["n_prompt_tokens"]


def test_a_killed_worker_is_a_typed_error_within_a_second_and_the_next_is_answered(
    complete: Complete, service: Service
) -> None:
    before = text_of(complete("What is edgeinfer?"))
    stream = iter(complete("Tell a long story.", **ENDLESS))
    next(stream)
    killed_s = time.monotonic()
    os.kill(service.process_id, signal.SIGKILL)
    with pytest.raises(openai.APIError, match="SIGKILL"):
        list(stream)
    assert time.monotonic() - killed_s < 1
    assert text_of(complete("What is edgeinfer?")) == before


def test_a_client_that_leaves_frees_its_slot(complete: Complete, service: Service) -> None:
    stream = complete("Tell a long story.", **ENDLESS)
    next(iter(stream))
    stream.close()
    deadline_s = time.monotonic() + 30
    while service.snapshot().running and time.monotonic() < deadline_s:
        threading.Event().wait(0.02)
    assert service.snapshot().running == 0
