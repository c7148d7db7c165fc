"""Keeps one worker process alive and answers for its requests."""

import enum
import logging
import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

import msgspec

from edgeinfer.errors import EdgeinferError, WorkerError, WorkerHungError, WorkerStartError
from edgeinfer.usage import TokenUsage
from edgeinfer.worker.failures import RESTART_HINT, to_failed
from edgeinfer.worker.line import Line, Listener, Ticket, fingerprint
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.process import WORKER_COMMAND, WorkerProcess
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

Message = TypeVar("Message")
WorkListener = Callable[[Work], None]

_log = logging.getLogger(__name__)


class WorkerState(enum.Enum):
    """Where the worker is in its life; FAILED is tried again, but nobody waits for it."""

    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    CLOSED = "closed"


_LOADING_STATES = (WorkerState.LOADING, WorkerState.RESTARTING)


class Supervisor:
    """Owns the worker of one model: starts, watches and restarts it, and answers for its requests.

    As many requests as the model has slots are with the worker; the others wait here, so a crash
    costs only those that ran. Listeners are called on threads of this object, one at a time for
    each request; they must not wait. What a listener raises is logged and ends nothing.
    """

    def __init__(
        self,
        start: Start,
        *,
        policy: WatchPolicy | None = None,
        on_work: WorkListener | None = None,
        command: tuple[str, ...] = WORKER_COMMAND,
    ) -> None:
        self._start = start
        self._policy = policy or WatchPolicy()
        self._on_work = on_work
        self._command = command
        self._changed = threading.Condition()
        self._state = WorkerState.LOADING
        self._ready: Ready | None = None
        self._start_error: EdgeinferError | None = None
        self._restarts = self._failures_in_a_row = 0
        self._line = Line(slots=start.slots, max_waiting=start.max_waiting)
        self._closing = threading.Event()
        self._open_process()
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="worker-watch")
        self._watcher.start()

    @property
    def state(self) -> WorkerState:
        """The worker's state at this instant."""
        return self._state

    @property
    def ready(self) -> Ready | None:
        """The loaded model's facts; None before the first load."""
        return self._ready

    @property
    def restarts(self) -> int:
        """How often another process was started after the first."""
        return self._restarts

    @property
    def process_id(self) -> int:
        """The worker's process; another one after each restart."""
        return self._process.process_id

    @property
    def num_waiting(self) -> int:
        """Requests that are not with the worker yet."""
        return self._line.num_waiting

    @property
    def num_running(self) -> int:
        """Requests that are with the worker."""
        return self._line.num_running

    def wait_ready(self) -> Ready:
        """Block until the model is loaded; raises the load's error."""
        with self._changed:
            self._changed.wait_for(lambda: self._state not in _LOADING_STATES)
            if self._state is WorkerState.READY and self._ready:
                return self._ready
            raise self._start_error or WorkerStartError("The worker was closed while it loaded.")

    def submit(self, request: Generate, listener: Listener) -> None:
        """Queue a request; `listener` hears its progress and exactly one final message.

        Raises InvalidRequestError, QueueFullError, QuarantinedError, or the load's error while the
        model cannot be loaded. Never waits for the worker.
        """
        ticket = Ticket(request, listener, fingerprint(request), time.monotonic())
        with self._changed:
            if self._closing.is_set():
                raise _closed()
            if self._start_error:
                raise self._start_error
            self._line.add(ticket)
            self._pump()

    def cancel(self, request_id: str) -> None:
        """Stop a request wherever it is; its listener hears a last message."""
        with self._changed:
            if self._line.running(request_id):
                self._process.send(Cancel(request_id))
            ticket = self._line.withdraw(request_id)
        if ticket:
            _tell(ticket.listener, _cancelled(ticket))

    def close(self) -> None:
        """End the worker now, also while it loads; requests still here get a final error."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._watcher.join()
        self._process.close()
        with self._changed:
            self._state = WorkerState.CLOSED
            dropped = self._line.lose_running() + self._line.dismiss_waiting()
            self._changed.notify_all()
        _fail_all(dropped, _closed())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _open_process(self) -> None:
        # Under the lock, so that nobody hears the new process before it is known by its name.
        with self._changed:
            self._process = WorkerProcess(self._start, self._hear, command=self._command)

    def _pump(self) -> None:
        """Send the worker what it has room for."""
        if self._state is WorkerState.READY and not self._process.has_ended:
            while ticket := self._line.admit(time.monotonic()):
                self._process.send(ticket.request)

    def _hear(self, message: FromWorker) -> None:
        """One message of the worker, on its reader's thread."""
        match message:
            case Ready():
                self._note_ready(message)
            case Work() if self._on_work:
                _tell(self._on_work, message)
            case Progress(request_id=request_id) | Failed(request_id=str() as request_id):
                self._deliver(message, request_id)

    def _note_ready(self, ready: Ready) -> None:
        with self._changed:
            self._ready, self._start_error = ready, None
            self._state = WorkerState.READY
            self._pump()
            self._changed.notify_all()

    def _deliver(self, message: Progress | Failed, request_id: str) -> None:
        with self._changed:
            ticket = self._line.running(request_id)
            if ticket is None:
                return
            reason = "failed" if isinstance(message, Failed) else message.finish_reason
            if reason:
                # Cancelling in time proves nothing, so it clears no suspect.
                self._line.finish(request_id, harmless=reason != "cancelled")
                if reason in {"stop", "length"}:
                    self._failures_in_a_row = 0
                self._pump()
        if isinstance(message, Progress):
            message = _with_wait(message, ticket.waited_s)
        _tell(ticket.listener, message)

    def _watch(self) -> None:
        """Look after the worker until the service closes."""
        while not self._closing.wait(self._policy.interval_s):
            if error := self._trouble():
                self._bury(error)
                self._restart()

    def _trouble(self) -> EdgeinferError | None:
        if self._process.has_ended:
            return self._process.death()
        hung = self._process.hung_reason(self._policy)
        return WorkerHungError(hung, hint=RESTART_HINT) if hung else None

    def _bury(self, error: EdgeinferError) -> None:
        """Answer for a dead worker's requests, once it is certain that it says nothing more."""
        self._process.close()
        if not self._process.is_ready:
            self._give_up(error)
            return
        with self._changed:
            self._state = WorkerState.RESTARTING
            lost = self._line.lose_running()
        _fail_all(lost, error)

    def _give_up(self, error: EdgeinferError) -> None:
        """Nobody is kept waiting for a model that cannot be loaded."""
        with self._changed:
            self._state, self._start_error = WorkerState.FAILED, error
            dismissed = self._line.dismiss_waiting()
            self._changed.notify_all()
        _fail_all(dismissed, error)

    def _restart(self) -> None:
        """Start another worker after the back-off, unless the service closes meanwhile."""
        while not self._closing.wait(self._policy.pause_s(self._failures_in_a_row)):
            self._failures_in_a_row += 1
            self._restarts += 1
            try:
                self._open_process()
            except WorkerStartError as error:
                self._give_up(error)
            else:
                return


def _closed() -> WorkerError:
    return WorkerError("The service was shut down before the answer was complete.")


def _tell(listener: Callable[[Message], None], message: Message) -> None:
    try:
        listener(message)
    except Exception:  # noqa: BLE001 - a faulty listener must not end the thread that serves all
        _log.exception("A listener failed.")


def _fail_all(tickets: list[Ticket], error: EdgeinferError) -> None:
    for ticket in tickets:
        _tell(ticket.listener, to_failed(error, ticket.request.request_id))


def _cancelled(ticket: Ticket) -> Progress:
    waited_s = time.monotonic() - ticket.taken_s
    return Progress(
        request_id=ticket.request.request_id,
        text="",
        usage=TokenUsage(),
        queue_s=waited_s,
        ttft_s=waited_s,
        elapsed_s=waited_s,
        finish_reason="cancelled",
    )


def _with_wait(progress: Progress, waited_s: float) -> Progress:
    """The worker's times, with the wait here added in front."""
    return msgspec.structs.replace(
        progress,
        queue_s=progress.queue_s + waited_s,
        ttft_s=progress.ttft_s + waited_s,
        elapsed_s=progress.elapsed_s + waited_s,
    )
