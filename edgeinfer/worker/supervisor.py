"""Keeps one worker process alive and answers for its requests."""

import enum
import hashlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edgeinfer.errors import (
    EdgeinferError,
    QuarantinedError,
    QueueFullError,
    WorkerError,
    WorkerHungError,
    WorkerStartError,
)
from edgeinfer.usage import TokenUsage
from edgeinfer.worker.failures import to_failed
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.process import RESTART_HINT, WorkerProcess
from edgeinfer.worker.protocol import (
    Cancel,
    Failed,
    FromWorker,
    Generate,
    Progress,
    Ready,
    Start,
    Work,
)

Listener = Callable[[Progress | Failed], None]
WorkListener = Callable[[Work], None]

DEATHS_TO_QUARANTINE = 2
_RETRY_AFTER_S = 5.0


class WorkerState(enum.Enum):
    """Where the worker is in its life."""

    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(slots=True)
class _Ticket:
    """A request on its way: who listens, and since when it waits (seconds of the monotonic clock)."""

    request: Generate
    listener: Listener
    fingerprint: str
    taken_s: float
    sent_s: float | None = None


class Supervisor:
    """Owns the worker of one model: starts it, watches it, restarts it, and answers for its requests.

    As many requests as the model has slots are with the worker; the others wait here, so a crash costs only those that
    ran. A request that was running when the worker died is a suspect: when it comes again it runs alone, and if the
    worker dies once more it is quarantined. So no innocent neighbor is ever quarantined with the culprit.
    """

    def __init__(
        self,
        start: Start,
        *,
        policy: WatchPolicy | None = None,
        on_work: WorkListener | None = None,
    ) -> None:
        self._start = start
        self._policy = policy or WatchPolicy()
        self._on_work = on_work
        self._changed = threading.Condition(threading.RLock())
        self._state = WorkerState.LOADING
        self._ready: Ready | None = None
        self._start_error: EdgeinferError | None = None
        self._restarts = self._failures_in_a_row = 0
        self._waiting: deque[_Ticket] = deque()
        self._running: dict[str, _Ticket] = {}
        self._deaths: Counter[str] = Counter()
        self._closing = threading.Event()
        self._process = WorkerProcess(self._start, self._hear)
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="worker-watch")
        self._watcher.start()

    @property
    def state(self) -> WorkerState:
        return self._state

    @property
    def ready(self) -> Ready | None:
        """The loaded model's facts; None before the first load."""
        return self._ready

    @property
    def restarts(self) -> int:
        return self._restarts

    @property
    def process_id(self) -> int:
        return self._process.process_id

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        return len(self._running)

    def wait_ready(self) -> Ready:
        """Block until the model is loaded; raises the load's error (ModelFileError, WorkerStartError, ...)."""
        with self._changed:
            self._changed.wait_for(lambda: self._state not in _LOADING_STATES)
            if self._state is WorkerState.READY and self._ready:
                return self._ready
            raise self._start_error or WorkerStartError("The worker was closed while it loaded.")

    def submit(self, request: Generate, listener: Listener) -> None:
        """Queue a request; `listener` hears its progress and exactly one final message, on another thread.

        Raises QueueFullError, QuarantinedError, or the load's error while the model cannot be loaded.
        """
        ticket = _Ticket(request, listener, _fingerprint(request), time.monotonic())
        with self._changed:
            self._refuse(ticket)
            self._waiting.append(ticket)
            self._pump()

    def cancel(self, request_id: str) -> None:
        """Stop a request wherever it is; its listener hears a final message. Unknown ids are ignored."""
        with self._changed:
            if request_id in self._running:
                self._process.send(Cancel(request_id))
                return
            ticket = next((t for t in self._waiting if t.request.request_id == request_id), None)
            if ticket is None:
                return
            self._waiting.remove(ticket)
        ticket.listener(_cancelled(ticket))

    def close(self) -> None:
        """End the worker; requests still here get a final error."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._watcher.join()
        self._process.close()
        with self._changed:
            self._state = WorkerState.CLOSED
            dropped = [*self._running.values(), *self._waiting]
            self._running.clear()
            self._waiting.clear()
            self._changed.notify_all()
        _fail_all(dropped, _closed())

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _refuse(self, ticket: _Ticket) -> None:
        if self._closing.is_set():
            raise _closed()
        if self._start_error:
            raise self._start_error
        if self._deaths[ticket.fingerprint] >= DEATHS_TO_QUARANTINE:
            raise QuarantinedError(
                f"This request ended the worker {DEATHS_TO_QUARANTINE} times and is not run again.",
                hint="Change the request; other requests are served as usual.",
            )
        if len(self._waiting) >= self._start.max_waiting:
            raise QueueFullError(
                f"{len(self._waiting)} requests are waiting already.", retry_after_s=_RETRY_AFTER_S
            )

    def _pump(self) -> None:
        """Send the worker what it has room for, in order of arrival; a suspect only when it is alone."""
        while self._waiting and self._state is WorkerState.READY:
            tickets = (self._waiting[0], *self._running.values())
            suspected = any(self._deaths[ticket.fingerprint] for ticket in tickets)
            if len(self._running) >= (1 if suspected else self._start.slots):
                return
            ticket = self._waiting.popleft()
            ticket.sent_s = time.monotonic()
            self._running[ticket.request.request_id] = ticket
            self._process.send(ticket.request)

    def _hear(self, message: FromWorker) -> None:
        """One message of the worker, on its reader's thread."""
        match message:
            case Ready():
                self._note_ready(message)
            case Work() if self._on_work:
                self._on_work(message)
            case Progress():
                self._deliver(message, message.request_id, final=message.finish_reason is not None)
            case Failed(request_id=str() as request_id):
                self._deliver(message, request_id, final=True)

    def _note_ready(self, ready: Ready) -> None:
        with self._changed:
            self._ready, self._start_error = ready, None
            self._state = WorkerState.READY
            self._pump()
            self._changed.notify_all()

    def _deliver(self, message: Progress | Failed, request_id: str, *, final: bool) -> None:
        with self._changed:
            ticket = self._running.get(request_id)
            if ticket is None:
                return
            if final:
                del self._running[request_id]
                self._deaths.pop(ticket.fingerprint, None)
                self._failures_in_a_row = 0
                self._pump()
        if isinstance(message, Progress):
            message = _with_wait(message, ticket)
        ticket.listener(message)

    def _watch(self) -> None:
        """Look after the worker until the service closes."""
        while not self._closing.wait(self._policy.interval_s):
            if hung := self._process.hung_reason(self._policy):
                self._process.kill()
                self._bury(WorkerHungError(hung, hint=RESTART_HINT))
            elif self._process.has_ended:
                self._bury(self._process.death())

    def _bury(self, error: EdgeinferError) -> None:
        """Answer for a dead worker's requests, then start another after the back-off."""
        with self._changed:
            lost = list(self._running.values())
            self._running.clear()
            self._deaths.update(ticket.fingerprint for ticket in lost)
            self._state = WorkerState.RESTARTING
            if not self._process.is_ready:
                self._state, self._start_error = WorkerState.FAILED, error
                lost += self._waiting
                self._waiting.clear()
            self._changed.notify_all()
        _fail_all(lost, error)
        self._process.close()
        pause_s = self._policy.pause_s(self._failures_in_a_row)
        self._failures_in_a_row += 1
        if not self._closing.wait(pause_s):
            self._restarts += 1
            self._process = WorkerProcess(self._start, self._hear)


_LOADING_STATES = (WorkerState.LOADING, WorkerState.RESTARTING)


def _closed() -> WorkerError:
    return WorkerError("The service was shut down before the answer was complete.")


def _fail_all(tickets: list[_Ticket], error: EdgeinferError) -> None:
    for ticket in tickets:
        ticket.listener(to_failed(error, ticket.request.request_id))


def _fingerprint(request: Generate) -> str:
    """The same for the same content, whatever the request's id."""
    content = msgspec.msgpack.encode(msgspec.structs.replace(request, request_id=""))
    return hashlib.sha256(content).hexdigest()


def _cancelled(ticket: _Ticket) -> Progress:
    waited = time.monotonic() - ticket.taken_s
    return Progress(
        request_id=ticket.request.request_id,
        text="",
        usage=TokenUsage(),
        queue_s=waited,
        ttft_s=waited,
        elapsed_s=waited,
        finish_reason="cancelled",
    )


def _with_wait(progress: Progress, ticket: _Ticket) -> Progress:
    """The worker's times, with the wait here added in front."""
    waited = (ticket.sent_s or ticket.taken_s) - ticket.taken_s
    return msgspec.structs.replace(
        progress,
        queue_s=progress.queue_s + waited,
        ttft_s=progress.ttft_s + waited,
        elapsed_s=progress.elapsed_s + waited,
    )
