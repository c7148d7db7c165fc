"""The HTTP server on a loopback socket: the only module that knows uvicorn."""

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from types import FrameType
from typing import ClassVar, Self

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from edgeinfer.errors import UsageError
from edgeinfer.server.errors import Problem

MAX_HEADER_BYTES = 16 * 1024

_BACKLOG = 512
_MAX_PORT = 65_535
_JOIN_S = 0.5
_REASONS = {errno.EADDRINUSE: "another program uses it", errno.EACCES: "this user may not"}
_BAD_HTTP = Problem(status=400, code="bad_http", message="This is not valid HTTP.")
_TOO_SLOW = Problem(status=408, code="request_timeout", message="The request came too slowly.")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds for a client to send headers and body, to read on, and to send another request.

    `grace_s` is what running requests get to finish after the first signal.
    """

    header_s: float = 10.0
    body_s: float = 60.0
    stall_s: float = 60.0
    keep_alive_s: int = 75
    grace_s: int = 30


class Listener:
    """Owns a listening loopback socket, and the HTTP server on it once an application is given.

    The socket listens from the start, so that a port in use is known before a model is loaded;
    whoever connects before the application is there waits for it. Raises UsageError for an address
    that is no loopback or is taken.
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, deadlines: Deadlines | None = None
    ) -> None:
        self._socket = _bind(host, port)
        self._address = self._socket.getsockname()
        self._deadlines = deadlines or Deadlines()
        self._server: uvicorn.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port; the one that the system chose where 0 was asked for."""
        return int(self._address[1])

    @property
    def url(self) -> str:
        """Where the routes begin, without a slash at the end."""
        host = self._address[0]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def serve(self, app: ASGIApp) -> None:
        """Serve until SIGINT or SIGTERM; to be called on the main thread.

        The first signal lets running requests finish, the second ends them now.
        """
        with self._signals():
            thread = self.start_in_thread(app)
            while thread.is_alive():
                # With a timeout, as Windows delivers no signal to a thread that waits without.
                thread.join(_JOIN_S)
        self.close()

    def start_in_thread(self, app: ASGIApp) -> threading.Thread:
        """Serve on a thread of its own until close()."""
        server = self._server = uvicorn.Server(_config(app, self._deadlines))
        thread = self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run(server)), daemon=True, name="http"
        )
        thread.start()
        return thread

    def close(self) -> None:
        """Stop now: running requests are told that the server shuts down."""
        self._stop_now()
        if self._thread:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    async def _run(self, server: uvicorn.Server) -> None:
        self._loop = asyncio.get_running_loop()
        await server.serve(sockets=[self._socket])

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        handlers = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._server and not self._server.should_exit:
            self._server.should_exit = True
        else:
            self._stop_now()

    def _stop_now(self) -> None:
        if self._server is None:
            return
        self._server.should_exit = self._server.force_exit = True
        # No loop yet, or none any more: then nothing runs that would have to be told.
        with contextlib.suppress(RuntimeError):
            if self._loop:
                self._loop.call_soon_threadsafe(_cancel_requests, self._server)


class _Connection(H11Protocol):
    """uvicorn's HTTP/1.1 with the deadlines that it lacks, and its own refusals as JSON."""

    deadlines: ClassVar[Deadlines]
    _phase: object = None
    _timer: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio sets it only on sockets of its own making; without it every small write waits
        # for an acknowledgment, 40 ms on Linux.
        plain = transport.get_extra_info("socket")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._enter(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._enter(self.conn.their_state)

    def connection_lost(self, exc: Exception | None) -> None:
        self._enter(h11.CLOSED)
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader(None)

    def resume_writing(self) -> None:
        if self._stall:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's wording is not ours
        self._refuse(_BAD_HTTP)

    def _enter(self, phase: object) -> None:
        """Note what the client sends now; a deadline holds for all of it, however it trickles."""
        if phase is self._phase:
            return
        self._phase = phase
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if phase is h11.IDLE:
            self._timer = self.loop.call_later(self.deadlines.header_s, self._refuse, _TOO_SLOW)
        elif phase is h11.SEND_BODY:
            self._timer = self.loop.call_later(self.deadlines.body_s, self._refuse, _TOO_SLOW)

    def _refuse(self, problem: Problem) -> None:
        """Answer as far as none has begun, and close."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(_raw_response(problem))
        self.transport.close()

    def _watch_reader(self, size_before: int | None) -> None:
        """Cut the connection if nothing was read since the last look."""
        size = self.transport.get_write_buffer_size()
        if size == size_before:
            self.transport.abort()
        else:
            self._stall = self.loop.call_later(self.deadlines.stall_s, self._watch_reader, size)


def _raw_response(problem: Problem) -> bytes:
    status = HTTPStatus(problem.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(problem.body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + problem.body


def _config(app: ASGIApp, deadlines: Deadlines) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=type("_TimedConnection", (_Connection,), {"deadlines": deadlines}),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        # The application logs its own faults; uvicorn would repeat them.
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=deadlines.keep_alive_s,
        timeout_graceful_shutdown=deadlines.grace_s,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )


def _cancel_requests(server: uvicorn.Server) -> None:
    for task in server.server_state.tasks:
        task.cancel()


def _bind(host: str, port: int) -> socket.socket:
    address = "127.0.0.1" if host == "localhost" else host
    if not 0 <= port <= _MAX_PORT:
        raise UsageError(f"{port} is no port number.", hint=f"Choose one from 0 to {_MAX_PORT}.")
    if not _is_loopback(address):
        raise UsageError(
            f"{host} is no loopback address; this release serves only programs on this machine.",
            hint=f"Use 127.0.0.1, and reach it from elsewhere by `ssh -L {port}:127.0.0.1:{port}`.",
        )
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, "the system refuses it")
        raise UsageError(
            f"Cannot listen on port {port} of {host}: {reason}.",
            hint="Choose another port with --port; 0 takes any that is free.",
        ) from error


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
