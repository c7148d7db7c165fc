"""The engine's thread in the worker, and the way back to the service."""

import os
import socket
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from edgeinfer.engine import engine as engine_module
from edgeinfer.engine.engine import Engine
from edgeinfer.engine.sequence import Batch, Sequence
from edgeinfer.errors import EdgeinferError, EngineError
from edgeinfer.worker.failures import to_failed
from edgeinfer.worker.protocol import Cancel, FromWorker, Progress, Work, encode_frame


class Outbox:
    """Sends messages from any thread; when the service is gone, so is the worker."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: FromWorker) -> None:
        """Send now; ends this process when nobody is there to read."""
        try:
            with self._lock:
                self._stream.sendall(encode_frame(message))
        except OSError:
            os._exit(0)


@dataclass(slots=True)
class _Timing:
    """When a request came, got its slot and its first token, by the monotonic clock."""

    taken_s: float
    started_s: float | None = None
    first_token_s: float | None = None


class EngineLoop:
    """Takes sequences and cancellations between steps, reports what every step did."""

    def __init__(self, engine: Engine, outbox: Outbox) -> None:
        self._engine = engine
        self._outbox = outbox
        self._inbox: SimpleQueue[Sequence | Cancel] = SimpleQueue()
        self._timings: dict[str, _Timing] = {}
        self._step_started_s: float | None = None

    @property
    def busy_s(self) -> float:
        """How long the step under way has taken; 0 between steps."""
        started = self._step_started_s
        return 0.0 if started is None else time.monotonic() - started

    def put(self, item: Sequence | Cancel) -> None:
        """Hand over a sequence or a cancellation, from any thread."""
        self._inbox.put(item)

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            self._take_inbox()
            if self._engine.has_work:
                self._step()

    def _take_inbox(self) -> None:
        """Handle what has arrived; wait for something when there is no work."""
        try:
            item = self._inbox.get(block=not self._engine.has_work)
            while True:
                self._handle(item)
                item = self._inbox.get_nowait()
        except Empty:
            return

    def _handle(self, item: Sequence | Cancel) -> None:
        if isinstance(item, Cancel):
            progress = self._engine.cancel(item.request_id)
            if progress:
                self._report(progress)
            return
        try:
            self._engine.add(item)
        except EdgeinferError as error:
            self._outbox.send(to_failed(error, item.request_id))
        else:
            self._timings[item.request_id] = _Timing(time.monotonic())

    def _step(self) -> None:
        self._step_started_s = started_s = time.monotonic()
        try:
            step = self._engine.step()
        except EngineError as error:
            self._drop_all(error)
            return
        finally:
            self._step_started_s = None
        self._note_start(step.batch, started_s)
        # Before the progress: whoever ends with this step still bears its share of the energy.
        self._outbox.send(_work(step.batch))
        for progress in step.progress:
            self._report(progress)

    def _note_start(self, batch: Batch, started_s: float) -> None:
        for item in batch.items:
            timing = self._timings[item.request_id]
            timing.started_s = timing.started_s or started_s

    def _report(self, progress: engine_module.Progress) -> None:
        now_s = time.monotonic()
        timing = self._timings[progress.request_id]
        timing.first_token_s = timing.first_token_s or now_s
        if progress.finish_reason:
            del self._timings[progress.request_id]
        self._outbox.send(
            Progress(
                request_id=progress.request_id,
                text=progress.text,
                usage=progress.usage,
                queue_s=(timing.started_s or now_s) - timing.taken_s,
                ttft_s=timing.first_token_s - timing.taken_s,
                elapsed_s=now_s - timing.taken_s,
                finish_reason=progress.finish_reason,
            )
        )

    def _drop_all(self, error: EngineError) -> None:
        for request_id in self._engine.drop_all():
            self._timings.pop(request_id, None)
            self._outbox.send(to_failed(error, request_id))


def _work(batch: Batch) -> Work:
    return Work(
        tuple(
            (item.request_id, len(item.tokens), 0)
            if item.is_prefill
            else (item.request_id, 0, len(item.tokens))
            for item in batch.items
        )
    )
