import json
from dataclasses import replace

import pytest

from edgeinfer.server.replies import receipt_json
from edgeinfer.testing import ScriptedService, scripted_receipt
from edgeinfer.usage import TokenUsage

HI = [{"role": "user", "content": "Hi"}]
pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def service(stage):
    return stage.play(ScriptedService(["Hel", "lo"]))


@pytest.fixture
def stream(client):
    """The events of a stream, each without its `data: `."""

    def stream(**fields):
        body = {"messages": HI, "stream": True, **fields}
        text = client.post("/v1/chat/completions", json=body).text
        return [line.removeprefix("data: ") for line in text.split("\n\n") if line]

    return stream


def test_an_answer_has_text_usage_and_one_choice(sdk):
    answer = sdk.chat.completions.create(model="default", messages=HI)
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "scripted-0.1b"
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (7, 9)


def test_an_answer_carries_its_receipt(ask):
    receipt = ask().json()["edgeinfer"]
    assert receipt["ttft_s"] == 0.05
    assert receipt["decode_tokens_per_s"] == 10
    assert receipt["energy"]["j_per_token"] == 3
    assert receipt["energy"]["source"] == "measured"
    assert receipt["costs"][0]["usd"] == "5E-7"


def test_the_length_limit_is_the_finish_reason(stage, ask):
    stage.play(ScriptedService(finish_reason="length"))
    assert ask().json()["choices"][0]["finish_reason"] == "length"


def test_an_answer_is_numbered_like_its_request(service, ask):
    response = ask()
    assert response.json()["id"] == f"chatcmpl-{response.headers['x-request-id']}"
    assert service.submitted.get().request_id == response.headers["x-request-id"]


def test_a_stream_adds_up_to_the_answer(sdk):
    chunks = list(sdk.chat.completions.create(model="default", messages=HI, stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "Hello"
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_parts_of_a_stream_share_id_and_time(stream):
    chunks = [json.loads(event) for event in stream()[:-1]]
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1


def test_a_stream_ends_with_finish_reason_and_done(stream):
    *_, last, done = stream()
    assert json.loads(last)["choices"][0]["delta"] == {}
    assert json.loads(last)["choices"][0]["finish_reason"] == "stop"
    assert done == "[DONE]"


def test_a_stream_has_no_usage_unless_asked_for(stream):
    assert not any('"usage"' in event for event in stream())


def test_usage_comes_once_and_last_when_asked_for(sdk):
    chunks = list(
        sdk.chat.completions.create(
            model="default", messages=HI, stream=True, stream_options={"include_usage": True}
        )
    )
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 2


@pytest.mark.parametrize("options", [None, {"include_usage": True}])
def test_the_last_chunk_has_the_receipt(stream, options):
    receipts = ["edgeinfer" in json.loads(event) for event in stream(stream_options=options)[:-1]]
    assert receipts == [False] * (len(receipts) - 1) + [True]


def test_a_stream_is_sent_as_events(ask):
    response = ask(stream=True)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"


def test_text_comes_before_the_answer_is_complete(stage, sdk, gate):
    stage.play(ScriptedService(["first", gate, "second"]))
    with sdk.chat.completions.create(model="default", messages=HI, stream=True) as chunks:
        texts = (chunk.choices[0].delta.content for chunk in chunks)
        assert [next(texts), next(texts)] == ["", "first"]
        gate.set()
        assert next(texts) == "second"


def test_energy_that_is_not_known_is_null():
    receipt = scripted_receipt("a", TokenUsage(), "stop")
    unmetered = replace(receipt, metrics=replace(receipt.metrics, energy=None))
    assert receipt_json(unmetered)["energy"] is None
