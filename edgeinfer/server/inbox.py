"""One request's updates on their way from the service's threads into the event loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.types import Receive

from edgeinfer.errors import EdgeinferError
from edgeinfer.server.errors import ClientGoneError
from edgeinfer.service import Delta, Receipt, ServiceLike, Update
from edgeinfer.worker.protocol import Generate


@dataclass(frozen=True, slots=True)
class News:
    """What came since the last look: text, perhaps the end, perhaps nothing at all."""

    text: str = ""
    end: Receipt | EdgeinferError | None = None


class Inbox:
    """Collects a request's updates; text not fetched yet is joined, so no queue can grow."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._pieces: list[str] = []
        self._end: Receipt | EdgeinferError | None = None
        self._client_gone = False

    @property
    def has_ended(self) -> bool:
        """Whether the service has said its last word."""
        return self._end is not None

    def hear(self, update: Update) -> None:
        """The listener, called on the service's thread."""
        # The loop is closed when the server stops before the service; then nobody is left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take, update)

    async def next(self, timeout_s: float | None = None) -> News:
        """The news, or none after `timeout_s`; raises ClientGoneError."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        self._changed.clear()
        if self._client_gone:
            raise ClientGoneError
        pieces, self._pieces = self._pieces, []
        return News("".join(pieces), self._end)

    async def watch(self, receive: Receive) -> None:
        """Note when the client leaves."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._client_gone = True
        self._changed.set()

    def _take(self, update: Update) -> None:
        if isinstance(update, Delta):
            self._pieces.append(update.text)
        else:
            self._end = update
        self._changed.set()


@contextlib.asynccontextmanager
async def open_inbox(
    service: ServiceLike, request: Generate, receive: Receive
) -> AsyncIterator[Inbox]:
    """Submit a request; leaving before its end cancels it. Raises what the service refuses it with.

    The service is called on a pool's thread: it writes to its worker, and a worker that was stopped
    from outside does not read.
    """
    inbox = Inbox()
    loop = asyncio.get_running_loop()

    def cancel(done: asyncio.Future[None]) -> None:
        """Follow the submission, even if it still waits for the worker."""
        if not done.exception():
            loop.run_in_executor(None, service.cancel, request.request_id)

    submitted = loop.run_in_executor(None, service.submit, request, inbox.hear)
    watcher = asyncio.create_task(inbox.watch(receive))
    try:
        await asyncio.shield(submitted)
        yield inbox
    finally:
        watcher.cancel()
        if not inbox.has_ended:
            submitted.add_done_callback(cancel)
