"""The worker process: `python -m edgeinfer.worker.child FD` serves one model over the inherited socket."""

import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

import msgspec

from edgeinfer.engine import engine as engine_module
from edgeinfer.engine.backends.llama import LlamaRunner, RunnerOptions
from edgeinfer.engine.engine import Engine
from edgeinfer.engine.native import NativeChoice
from edgeinfer.engine.runner import ModelRunner
from edgeinfer.engine.scheduler import Scheduler, SchedulerLimits
from edgeinfer.engine.sequence import Batch, Sequence
from edgeinfer.errors import EdgeinferError, EngineError, WorkerCrashedError, WorkerStartError
from edgeinfer.worker.failures import to_failed
from edgeinfer.worker.prompts import PromptBuilder
from edgeinfer.worker.protocol import (
    Cancel,
    Failed,
    FromWorker,
    Generate,
    Heartbeat,
    Progress,
    Ready,
    Shutdown,
    Start,
    Work,
    encode_frame,
    read_frames,
    to_worker_decoder,
)
from edgeinfer.worker.sandbox import enter_sandbox

HEARTBEAT_S = 0.2


class Outbox:
    """Sends messages from any thread; when the service is gone, so is the worker."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: FromWorker) -> None:
        try:
            with self._lock:
                self._stream.sendall(encode_frame(message))
        except OSError:
            os._exit(0)


@dataclass(slots=True)
class _Timing:
    """When a request came, got its slot, and got its first token: seconds of the monotonic clock."""

    taken_s: float
    started_s: float | None = None
    first_token_s: float | None = None


class EngineLoop:
    """The engine's thread: takes sequences and cancellations between steps, reports what every step did."""

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
        self._step_started_s = started = time.monotonic()
        try:
            step = self._engine.step()
        except EngineError as error:
            self._drop_all(error)
            return
        finally:
            self._step_started_s = None
        self._note_start(step.batch, started)
        self._outbox.send(_work(step.batch))
        for progress in step.progress:
            self._report(progress)

    def _note_start(self, batch: Batch, started: float) -> None:
        for item in batch.items:
            timing = self._timings[item.request_id]
            timing.started_s = timing.started_s or started

    def _report(self, progress: engine_module.Progress) -> None:
        now = time.monotonic()
        timing = self._timings[progress.request_id]
        timing.first_token_s = timing.first_token_s or now
        if progress.finish_reason:
            del self._timings[progress.request_id]
        self._outbox.send(
            Progress(
                request_id=progress.request_id,
                text=progress.text,
                usage=progress.usage,
                queue_s=(timing.started_s or now) - timing.taken_s,
                ttft_s=timing.first_token_s - timing.taken_s,
                elapsed_s=now - timing.taken_s,
                finish_reason=progress.finish_reason,
            )
        )

    def _drop_all(self, error: EngineError) -> None:
        for request_id in self._engine.drop_all():
            self._timings.pop(request_id, None)
            self._outbox.send(to_failed(error, request_id))


class Worker:
    """One model served over one socket: reads requests, hands them to the engine's thread."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._outbox = Outbox(stream)
        self._loop: EngineLoop | None = None

    def serve(self) -> None:
        """Serve until the other side closes or asks to shut down."""
        frames = read_frames(self._stream)
        start = msgspec.msgpack.decode(next(frames), type=Start)
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()
        sandbox = enter_sandbox()
        began = time.monotonic()
        runner = _open_runner(start)
        prompts = PromptBuilder(runner)
        self._loop = EngineLoop(_build_engine(runner, start), self._outbox)
        threading.Thread(target=self._loop.run, daemon=True, name="engine").start()
        self._outbox.send(_ready(runner, sandbox, time.monotonic() - began))
        for frame in frames:
            message = to_worker_decoder.decode(frame)
            if isinstance(message, Shutdown):
                return
            self._take(message, self._loop, prompts)

    def fail(
        self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
    ) -> None:
        """Tell the service why this worker ends, then end it."""
        told = (
            to_failed(error)
            if isinstance(error, EdgeinferError)
            else Failed(code=WorkerCrashedError.code, message=f"{type(error).__name__}: {error}")
        )
        self._outbox.send(told)
        os._exit(1)

    def _take(self, message: object, loop: EngineLoop, prompts: PromptBuilder) -> None:
        if isinstance(message, Cancel):
            loop.put(message)
        if not isinstance(message, Generate):
            return
        try:
            tokens = prompts.tokens(message)
        except EdgeinferError as error:
            self._outbox.send(to_failed(error, message.request_id))
            return
        loop.put(Sequence(message.request_id, tokens, message.sampling, message.namespace))

    def _beat(self) -> None:
        pause = threading.Event()
        while not pause.wait(HEARTBEAT_S):
            loop = self._loop
            self._outbox.send(Heartbeat(loop.busy_s if loop else 0.0))


def main(file_descriptor: int) -> None:
    """Serve on an inherited socket; the terminal's Ctrl-C is the service's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = Worker(socket.socket(fileno=file_descriptor))
    sys.excepthook = worker.fail
    threading.excepthook = lambda hook: worker.fail(
        hook.exc_type, hook.exc_value or SystemExit(), hook.exc_traceback
    )
    worker.serve()
    # The engine's thread may be inside a long native step: leave without waiting for it.
    os._exit(0)


def _open_runner(start: Start) -> LlamaRunner:
    path = Path(start.model_path)
    if not path.is_file():
        raise WorkerStartError(f"{path} is gone.", hint="Check the disk, then try again.")
    options = RunnerOptions(
        slots=start.slots,
        context_tokens=start.context_tokens,
        step_tokens=start.step_tokens,
        threads=start.threads,
        gpu_layers=start.gpu_layers,
        kv_type=start.kv_type,
    )
    accelerators = tuple(Path(library) for library in start.accelerators)
    return LlamaRunner(
        path, NativeChoice(start.variant, Path(start.cpu_library), accelerators), options
    )


def _build_engine(runner: ModelRunner, start: Start) -> Engine:
    limits = SchedulerLimits(
        slots=start.slots,
        context_tokens=runner.facts.context_tokens,
        step_tokens=start.step_tokens,
        max_waiting=start.max_waiting,
    )
    return Engine(runner, Scheduler(limits, runner.end_tokens, runner.reuses_prefixes))


def _ready(runner: ModelRunner, sandbox: str, load_s: float) -> Ready:
    facts = runner.facts
    return Ready(
        name=facts.name,
        quantization=facts.quantization,
        parameters=facts.parameters,
        size_bytes=facts.size_bytes,
        context_tokens=facts.context_tokens,
        trained_context_tokens=facts.trained_context_tokens,
        slots=facts.slots,
        has_chat_template=facts.chat_template is not None,
        variant=facts.variant,
        threads=facts.threads,
        sandbox=sandbox,
        load_s=load_s,
    )


def _work(batch: Batch) -> Work:
    return Work(
        tuple(
            (item.request_id, len(item.tokens), 0)
            if item.is_prefill
            else (item.request_id, 0, len(item.tokens))
            for item in batch.items
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
