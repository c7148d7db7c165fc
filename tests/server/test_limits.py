import json

import pytest

from edgeinfer.server.errors import ProblemError
from edgeinfer.server.limits import MAX_BODY_BYTES, MAX_DEPTH, parse_object
from edgeinfer.testing import ScriptedService

PATH = "/v1/chat/completions"
JSON = {"content-type": "application/json"}

MALFORMED = [
    b"",
    b"{",
    b'{"a": }',
    b"null",
    b"[1, 2]",
    b'"text"',
    b'{"a": "\xff\xfe"}',
    b"\xef\xbb\xbf{}",
    '{"a": 1}'.encode("utf-16"),
    b'{"a": "\\ud800"}',
    b'{"\\udfff": 1}',
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": 1e999}',
    b'{"a": %s}' % (b"9" * 5000),
    b'{"a": 0.%s}' % (b"1" * 5000),
    b'{"a": 1, "a": 2}',
    b'{"b": [{"a": 1, "a": 1}]}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"a": %s1%s}' % (b"[" * MAX_DEPTH, b"]" * MAX_DEPTH),
    b'{"a": [%s1]}' % (b"1," * 100_000),
    b'"' + b'\\"' * 1_000_000,
    b'{"a": "\t"}',
    b"{'a': 1}",
    b'{"a": 1} {"b": 2}',
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_json_is_the_clients_mistake(body):
    with pytest.raises(ProblemError) as caught:
        parse_object(body)
    assert (caught.value.problem.status, caught.value.problem.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": "[[[[" * 1000 + '"\\' * 1000 + ",,{{"},
        {"a": "\U0001f600 \\ud800"},
        {"a": [1, -2.5, 1e300, True, None]},
        {"a": 2**62},
    ],
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_well_formed_json_is_read_as_it_is(value, ensure_ascii):
    assert parse_object(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == value


def test_the_deepest_allowed_nesting_is_read():
    depth = MAX_DEPTH - 1
    assert parse_object(b'{"a": %s1%s}' % (b"[" * depth, b"]" * depth))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": NaN}', b"\xff"])
def test_a_malformed_body_is_answered_with_400(stage, client, body):
    stage.play(ScriptedService())
    response = client.post(PATH, content=body, headers=JSON)
    assert (response.status_code, response.json()["error"]["type"]) == (
        400,
        "invalid_request_error",
    )


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(stage, connect):
    stage.play(ScriptedService())
    head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    connection = connect(f"{head}content-length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(stage, client, chunked):
    service = stage.play(ScriptedService())
    body = b" " * (MAX_BODY_BYTES + 1)
    response = client.post(PATH, content=iter([body]) if chunked else body, headers=JSON)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert service.submitted.empty()


def test_the_connection_serves_on_after_a_refused_body(stage, client):
    stage.play(ScriptedService())
    client.post(PATH, content=iter([b" " * (MAX_BODY_BYTES + 1)]), headers=JSON)
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_what_does_not_come_as_json_is_refused(stage, client, headers):
    stage.play(ScriptedService())
    response = client.post(PATH, content=b"{}", headers=headers)
    assert response.status_code == 415


def test_json_may_name_its_character_set(stage, client):
    stage.play(ScriptedService())
    body = b'{"messages": [{"role": "user", "content": "Hi"}]}'
    headers = {"content-type": "application/json; charset=utf-8"}
    assert client.post(PATH, content=body, headers=headers).status_code == 200


def test_a_key_that_stands_twice_among_many_is_found_at_once():
    keys = [*range(40_000), 39_999]
    with pytest.raises(ProblemError, match="'39999' stands twice"):
        parse_object(b"{%s}" % b",".join(b'"%d":1' % key for key in keys))
