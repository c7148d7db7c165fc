import os
import signal
import threading

import httpx
import pytest

from edgeinfer.errors import UsageError
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Deadlines, Listener
from edgeinfer.testing import ScriptedService

WAIT_S = 10
HEALTH = b"GET /health HTTP/1.1\r\nhost: localhost\r\n"
POST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
)


def read_all(connection):
    with connection.makefile("rb") as stream:
        return stream.read()


@pytest.fixture
def hurried():
    """A server whose clients must be quick."""
    with Listener(deadlines=Deadlines(header_s=0.05, body_s=0.05)) as listener:
        listener.start_in_thread(build_app(ScriptedService(), version="0.1.0"))
        yield listener


def test_a_taken_port_is_told_before_anything_starts():
    with Listener() as first, pytest.raises(UsageError, match="another program uses it") as caught:
        Listener(port=first.port)
    assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["8.8.8.8", "192.168.1.5", "::", "example.com", ""])
def test_only_loopback_is_listened_on(host):
    with pytest.raises(UsageError, match="no loopback address") as caught:
        Listener(host, 8000)
    assert "ssh -L 8000:" in caught.value.hint


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(port):
    with pytest.raises(UsageError, match="no port number"):
        Listener(port=port)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2"])
def test_the_url_names_the_port_that_was_chosen(host):
    with Listener(host) as listener:
        assert listener.url.endswith(f":{listener.port}")
        assert listener.port > 0


def test_who_connects_before_the_application_waits_for_it(connect):
    with Listener() as listener:
        connection = connect(HEALTH + b"connection: close\r\n\r\n", listener.port)
        listener.start_in_thread(build_app(ScriptedService(), version="0.1.0"))
        assert read_all(connection).startswith(b"HTTP/1.1 200 OK")


def test_a_closed_listener_frees_its_port():
    with Listener() as listener:
        listener.start_in_thread(build_app(ScriptedService(), version="0.1.0"))
    with Listener(port=listener.port) as again:
        assert again.port == listener.port


def test_half_open_connections_block_nobody(stage, client, connect):
    stage.play(ScriptedService())
    for _ in range(100):
        connect(HEALTH)
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    "start",
    [
        b"",
        HEALTH,
        POST + b"content-length: 10\r\n\r\n{",
    ],
    ids=["nothing", "header", "body"],
)
def test_a_request_that_does_not_come_is_not_waited_for(hurried, connect, start):
    answer = read_all(connect(start, hurried.port))
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'"code":"request_timeout"' in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        HEALTH + b"a: " + b"x" * 30_000,
        HEALTH + b"content-length: -5\r\n\r\n",
        HEALTH + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
        HEALTH + b"host: localhost\r\n\r\n",
    ],
)
def test_bad_http_is_answered_and_closed(connect, request_bytes):
    answer = read_all(connect(request_bytes))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"code":"bad_http"' in answer


def serve_until_killed(service, act):
    """Serve on this thread, which hears signals, while `act(response)` runs on another."""
    body = {"stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    answers = []

    def ask():
        url = f"{listener.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, trust_env=False) as response:
            act()
            answers.append(response.read())

    with Listener() as listener:
        client = threading.Thread(target=ask)
        client.start()
        listener.serve(build_app(service, version="0.1.0"))
        client.join(WAIT_S)
    return answers[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_a_running_request_finish(gate, number):
    def stop_and_go_on():
        os.kill(os.getpid(), number)
        gate.set()

    answer = serve_until_killed(ScriptedService(["text", gate, " more"]), stop_and_go_on)
    assert b" more" in answer
    assert answer.endswith(b"data: [DONE]\n\n")


def test_the_second_signal_ends_a_running_request(gate):
    def stop_twice():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    answer = serve_until_killed(ScriptedService(["text", gate]), stop_twice)
    assert b'"code":"server_shutdown"' in answer
    assert b"[DONE]" not in answer


def test_signals_mean_what_they_did_once_serving_is_over(gate):
    before = signal.getsignal(signal.SIGTERM)
    gate.set()
    serve_until_killed(ScriptedService([gate]), lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before
