import contextlib
import socket
import threading

import httpx
import openai
import pytest

from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Listener

WAIT_S = 10


class Stage:
    """One server for all tests: an application that plays the one of the test."""

    def __init__(self, listener):
        self.port = listener.port
        self.url = listener.url
        self.app = None
        self.paths = []

    def play(self, service, **options):
        """Serve `service` from now on."""
        self.app = build_app(service, version="0.1.0", **options)
        self.paths = []
        return service

    async def __call__(self, scope, receive, send):
        """Pass a request to the application of the test."""
        self.paths.append(scope["path"])
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def stage():
    with Listener() as listener:
        stage = Stage(listener)
        listener.start_in_thread(stage)
        yield stage


@pytest.fixture(scope="session")
def client(stage):
    with httpx.Client(base_url=stage.url, trust_env=False, timeout=WAIT_S) as it:
        yield it


@pytest.fixture(scope="session")
def sdk(stage):
    with openai.OpenAI(base_url=f"{stage.url}/v1", api_key="none", timeout=WAIT_S) as it:
        yield it


@pytest.fixture
def ask(client):
    """Post a chat completion with these fields."""

    def ask(**fields):
        body = {"messages": [{"role": "user", "content": "Hi"}], **fields}
        return client.post("/v1/chat/completions", json=body)

    return ask


@pytest.fixture
def gate():
    """An event for a script to wait for; it opens when the test is over."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def connect(stage):
    """Open a raw connection to the server."""
    with contextlib.ExitStack() as stack:

        def connect(data=b"", port=None):
            address = ("127.0.0.1", port or stage.port)
            connection = stack.enter_context(socket.create_connection(address, timeout=WAIT_S))
            connection.sendall(data)
            return connection

        yield connect


@pytest.fixture
def raw_chat():
    """The bytes of a streaming chat request."""
    body = b'{"stream": true, "messages": [{"role": "user", "content": "Hi"}]}'
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    )
    return head + body
