import threading

import openai
import pytest

from edgeinfer.errors import PromptTooLongError
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Deadlines, Listener
from edgeinfer.testing import ScriptedService

HI = [{"role": "user", "content": "Hi"}]
WAIT_S = 10
PIECE = "x" * 100_000


@pytest.mark.parametrize("script", [[], ["text"]], ids=["before", "after"])
def test_a_client_that_leaves_its_stream_cancels_the_request(
    stage, connect, gate, raw_chat, script
):
    service = stage.play(ScriptedService([*script, gate]))
    connection = connect(raw_chat)
    request = service.submitted.get(timeout=WAIT_S)
    if script:
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    connection.close()
    assert service.cancelled.get(timeout=WAIT_S) == request.request_id


def test_a_client_that_leaves_before_its_answer_cancels_the_request(stage, connect, gate, raw_chat):
    service = stage.play(ScriptedService([gate]))
    connection = connect(raw_chat.replace(b"true", b"null"))
    request = service.submitted.get(timeout=WAIT_S)
    connection.close()
    assert service.cancelled.get(timeout=WAIT_S) == request.request_id


def test_closing_the_sdks_stream_cancels_the_request(stage, sdk, gate):
    service = stage.play(ScriptedService(["text", gate]))
    chunks = sdk.chat.completions.create(model="default", messages=HI, stream=True)
    next(iter(chunks))
    chunks.close()
    assert service.cancelled.get(timeout=WAIT_S)


def test_a_finished_request_is_not_cancelled(stage, ask):
    service = stage.play(ScriptedService())
    ask(stream=True)
    ask()
    assert service.cancelled.empty()


def test_a_client_that_leaves_in_mid_body_is_forgotten(stage, connect, client, raw_chat):
    service = stage.play(ScriptedService())
    connect(raw_chat[:-5]).close()
    assert client.get("/health").status_code == 200
    assert service.submitted.empty()


def test_a_silent_wait_is_kept_alive_by_comments(stage, client, gate):
    stage.play(ScriptedService([gate, "late"]), keep_alive_s=0.01)
    body = {"messages": HI, "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        assert any(line == ": keep-alive" for line in lines)
        gate.set()
        assert list(lines)[-2] == "data: [DONE]"


def test_the_sdk_skips_the_comments(stage, sdk, gate):
    stage.play(ScriptedService([gate, "late"]), keep_alive_s=0.01)
    chunks = iter(sdk.chat.completions.create(model="default", messages=HI, stream=True))
    assert next(chunks).choices[0].delta.role == "assistant"
    gate.set()
    assert next(chunks).choices[0].delta.content == "late"


def test_an_error_after_comments_is_an_event(stage, sdk, gate):
    stage.play(ScriptedService([gate, PromptTooLongError(5000, 2048)]), keep_alive_s=0.01)
    chunks = iter(sdk.chat.completions.create(model="default", messages=HI, stream=True))
    next(chunks)
    gate.set()
    with pytest.raises(openai.APIError) as caught:
        next(chunks)
    assert caught.value.code == "context_length_exceeded"


class Landmark(threading.Event):
    """An event that is set when a script comes by."""

    def wait(self, timeout=None):
        """Tell that the script is here."""
        self.set()
        return super().wait(timeout)


def test_text_for_a_slow_reader_is_joined(stage, connect, gate, raw_chat):
    said_all = Landmark()
    stage.play(ScriptedService([*[PIECE] * 200, said_all, gate]))
    connection = connect(raw_chat)
    threading.Event.wait(said_all, WAIT_S)
    with connection.makefile("rb") as stream:
        events = (line for line in stream if line.startswith(b"data: "))
        sizes = []
        while sum(size // len(PIECE) for size in sizes) < 200:
            sizes.append(len(next(events)))
    assert len(sizes) < 200


def test_a_reader_that_stalls_is_cut_off(connect, gate, raw_chat):
    service = ScriptedService([*[PIECE] * 200, gate])
    with Listener(deadlines=Deadlines(stall_s=0.05)) as listener:
        listener.start_in_thread(build_app(service, version="0.1.0"))
        connect(raw_chat, listener.port)
        assert service.cancelled.get(timeout=WAIT_S)


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_stops_says_so_to_running_requests(gate, stream, raw_chat, connect):
    service = ScriptedService(["text", gate] if stream else [gate])
    listener = Listener()
    listener.start_in_thread(build_app(service, version="0.1.0"))
    connection = connect(raw_chat if stream else raw_chat.replace(b"true", b"null"), listener.port)
    service.submitted.get(timeout=WAIT_S)
    listener.close()
    with connection.makefile("rb") as answer:
        assert b'"code":"server_shutdown"' in answer.read()
    assert service.cancelled.get(timeout=WAIT_S)
