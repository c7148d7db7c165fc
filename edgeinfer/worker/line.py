"""Who waits for the worker, who is with it, and who is suspected of having killed it."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edgeinfer.errors import InvalidRequestError, QuarantinedError, QueueFullError
from edgeinfer.units import format_bytes
from edgeinfer.worker.protocol import MAX_FRAME_BYTES, Failed, Generate, Progress

Listener = Callable[[Progress | Failed], None]

DEATHS_TO_QUARANTINE = 2
MAX_REQUEST_BYTES = MAX_FRAME_BYTES - 1024
_RETRY_AFTER_S = 5.0


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way: who listens, and since when it waits (seconds of one clock)."""

    request: Generate
    listener: Listener
    fingerprint: str
    taken_s: float
    sent_s: float | None = None

    @property
    def waited_s(self) -> float:
        """How long it stood in line; 0 while it still does."""
        return 0.0 if self.sent_s is None else self.sent_s - self.taken_s


class Line:
    """First come, first served into as many places as the worker has slots.

    A request that was with the worker when it died is a suspect: it runs alone the next time, and
    after a second death it is refused. So no innocent neighbor is quarantined with the culprit.
    There is no lock in here: the owner has one.
    """

    def __init__(self, *, slots: int, max_waiting: int) -> None:
        self._slots = slots
        self._max_waiting = max_waiting
        self._waiting: deque[Ticket] = deque()
        self._running: dict[str, Ticket] = {}
        self._deaths: Counter[str] = Counter()

    @property
    def num_waiting(self) -> int:
        """Requests that have not been sent."""
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """Requests that are with the worker."""
        return len(self._running)

    def add(self, ticket: Ticket) -> None:
        """Let a request stand in line; raises QuarantinedError or QueueFullError."""
        if self._deaths[ticket.fingerprint] >= DEATHS_TO_QUARANTINE:
            raise QuarantinedError(
                f"This request ended the worker {DEATHS_TO_QUARANTINE} times and is not run again.",
                hint="Change the request; other requests are served as usual.",
            )
        if len(self._waiting) >= self._max_waiting:
            raise QueueFullError(
                f"{len(self._waiting)} requests are waiting already.", retry_after_s=_RETRY_AFTER_S
            )
        self._waiting.append(ticket)

    def admit(self, now_s: float) -> Ticket | None:
        """The next request to send, if there is a place for it; a suspect only when alone."""
        if not self._waiting or len(self._running) >= self._places():
            return None
        ticket = self._waiting.popleft()
        ticket.sent_s = now_s
        self._running[ticket.request.request_id] = ticket
        return ticket

    def running(self, request_id: str) -> Ticket | None:
        """The request with the worker that has this id."""
        return self._running.get(request_id)

    def finish(self, request_id: str, *, harmless: bool) -> None:
        """The worker has answered; `harmless` clears the request of suspicion."""
        ticket = self._running.pop(request_id)
        if harmless:
            self._deaths.pop(ticket.fingerprint, None)

    def withdraw(self, request_id: str) -> Ticket | None:
        """Take a waiting request out; None when it does not wait (any more)."""
        for ticket in self._waiting:
            if ticket.request.request_id == request_id:
                self._waiting.remove(ticket)
                return ticket
        return None

    def lose_running(self) -> list[Ticket]:
        """The worker died: those that were with it are gone, and suspects from now on."""
        lost = list(self._running.values())
        self._running.clear()
        self._deaths.update(ticket.fingerprint for ticket in lost)
        return lost

    def dismiss_waiting(self) -> list[Ticket]:
        """Send everybody home who waits."""
        dismissed = list(self._waiting)
        self._waiting.clear()
        return dismissed

    def _places(self) -> int:
        tickets = (self._waiting[0], *self._running.values())
        return 1 if any(self._deaths[ticket.fingerprint] for ticket in tickets) else self._slots


def fingerprint(request: Generate) -> str:
    """The same for the same content, whatever the request's id.

    Raises InvalidRequestError for a request that no frame can carry.
    """
    content = msgspec.msgpack.encode(msgspec.structs.replace(request, request_id=""))
    if len(content) > MAX_REQUEST_BYTES:
        raise InvalidRequestError(
            f"The request has {format_bytes(len(content))};"
            f" at most {format_bytes(MAX_REQUEST_BYTES)} are taken.",
            param="messages",
        )
    return hashlib.sha256(content).hexdigest()
