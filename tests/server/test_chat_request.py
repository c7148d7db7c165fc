import pytest

from edgeinfer.engine.message import ChatMessage
from edgeinfer.errors import InvalidRequestError
from edgeinfer.server.chat_request import parse_chat
from edgeinfer.server.errors import ProblemError

HI = {"role": "user", "content": "Hi"}


def parse(**fields):
    return parse_chat({"messages": [HI], **fields}, context_tokens=1000)


def refusal(**fields):
    with pytest.raises(ProblemError) as caught:
        parse(**fields)
    return caught.value.problem


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"temperature": 1}, "temperature", 1.0),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"top_k": 3}, "top_k", 3),
        ({"min_p": 0.2}, "min_p", 0.2),
        ({"repeat_penalty": 1.1}, "repeat_penalty", 1.1),
        ({"frequency_penalty": -2}, "frequency_penalty", -2.0),
        ({"presence_penalty": 2}, "presence_penalty", 2.0),
        ({"ignore_eos": True}, "ignore_eos", True),
        ({"stop": "END"}, "stop", ("END",)),
        ({"stop": ["a", "b"]}, "stop", ("a", "b")),
        ({"seed": 7}, "seed", 7),
        ({"seed": -1}, "seed", 2**32 - 2),
        ({"seed": 2**62}, "seed", 2**62 % (2**32 - 1)),
        ({"max_tokens": 5}, "max_tokens", 5),
        ({"max_tokens": 5, "max_completion_tokens": 9}, "max_tokens", 9),
        ({"max_tokens": 2**62}, "max_tokens", 1000),
        ({"temperature": None}, "temperature", None),
    ],
)
def test_a_knob_reaches_the_sampler(fields, name, value):
    assert getattr(parse(**fields).sampling, name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("tool_choice", "auto"),
        ("functions", [{"name": "f"}]),
        ("response_format", {"type": "json_object"}),
        ("logprobs", True),
        ("top_logprobs", 5),
        ("logit_bias", {"-1": 5}),
        ("n", 2),
        ("n", 0),
        ("n", "two"),
        ("audio", {"voice": "x"}),
        ("modalities", ["text", "audio"]),
        ("prediction", {"type": "content"}),
        ("grammar", "root ::= root"),
        ("guided_json", {"type": "object"}),
    ],
)
def test_what_would_change_the_answer_is_refused(name, value):
    problem = refusal(**{name: value})
    assert (problem.status, problem.code, problem.param) == (400, "unsupported_parameter", name)


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [], "tool_choice": "none"},
        {"tools": None, "response_format": None, "logit_bias": None},
        {"response_format": {"type": "text"}, "logit_bias": {}},
        {"n": 1, "logprobs": False, "top_logprobs": 0, "modalities": ["text"]},
        {"user": "me", "metadata": {"a": "b"}, "store": True, "service_tier": "auto"},
        {"prompt_cache_key": "k", "parallel_tool_calls": False, "safety_identifier": "s"},
    ],
)
def test_what_asks_for_nothing_is_taken_without_a_word(fields):
    assert parse(**fields).ignored_fields == ()


def test_unknown_fields_are_ignored_and_named():
    request = parse(reasoning_effort="low", verbosity="high", temprature=0.1, unused=None)
    assert request.ignored_fields == ("reasoning_effort", "temprature", "verbosity")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"role": "developer", "content": "Be brief"}], ChatMessage("system", "Be brief")),
        ([{"role": "system", "content": "Be brief"}], ChatMessage("system", "Be brief")),
        ([{"role": "assistant", "content": None}], ChatMessage("assistant", "")),
        ([{"role": "user", "content": "Hi", "name": "Ann"}], ChatMessage("user", "Hi")),
        (
            [{"role": "user", "content": [{"type": "text", "text": t} for t in "ab"]}],
            ChatMessage("user", "a\nb"),
        ),
    ],
)
def test_messages_reach_the_model_as_text(messages, expected):
    assert parse(messages=messages).messages == (expected,)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "tool", "content": "5", "tool_call_id": "c"}, "messages[0]"),
        ({"role": "assistant", "tool_calls": [{"id": "c"}]}, "messages[0]"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///x"}}]},
            "messages[0].content[0]",
        ),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0]"),
    ],
)
def test_what_is_no_text_is_refused(message, param):
    problem = refusal(messages=[message])
    assert (problem.code, problem.param) == ("unsupported_parameter", param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "wizard", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"content": "Hi"}]}, "role"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"max_tokens": "abc"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"seed": 1.5}, "seed"),
        ({"stream": "yes"}, "stream"),
        ({"stop": [1]}, "stop[0]"),
        ({"model": 5}, "model"),
        ({"model": "m" * 1000}, "model"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(fields, param):
    problem = refusal(**fields)
    assert (problem.status, problem.param) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": 9}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["a"] * 100_000}, "stop"),
    ],
)
def test_a_knob_outside_its_range_is_named(fields, param):
    with pytest.raises(InvalidRequestError) as caught:
        parse(**fields)
    assert caught.value.param == param


def test_a_request_without_messages_is_refused():
    with pytest.raises(ProblemError) as caught:
        parse_chat({"model": "default"}, context_tokens=1000)
    assert caught.value.problem.param == "messages"
