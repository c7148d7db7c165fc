"""The worker process: serves one model over the socket that it inherits."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec

from edgeinfer.engine.backends.llama import LlamaRunner, RunnerOptions
from edgeinfer.engine.engine import Engine
from edgeinfer.engine.native import NativeChoice
from edgeinfer.engine.runner import ModelRunner
from edgeinfer.engine.scheduler import Scheduler, SchedulerLimits
from edgeinfer.engine.sequence import Sequence
from edgeinfer.errors import EdgeinferError, WorkerCrashedError, WorkerStartError
from edgeinfer.worker.failures import RESTART_HINT, to_failed
from edgeinfer.worker.loop import EngineLoop, Outbox
from edgeinfer.worker.prompts import PromptBuilder
from edgeinfer.worker.protocol import (
    SHARED_SOCKET,
    Cancel,
    Generate,
    Heartbeat,
    Ready,
    Start,
    read_frames,
    to_worker_decoder,
)
from edgeinfer.worker.sandbox import enter_sandbox

HEARTBEAT_S = 0.2

OpenRunner = Callable[[Start], ModelRunner]


class Worker:
    """One model served over one socket: reads requests, hands them to the engine's thread."""

    def __init__(self, stream: socket.socket, open_runner: OpenRunner) -> None:
        self._stream = stream
        self._open_runner = open_runner
        self._outbox = Outbox(stream)
        self._loop: EngineLoop | None = None

    def serve(self) -> None:
        """Serve until the other side closes."""
        frames = read_frames(self._stream)
        first = next(frames, None)
        if first is None:
            return
        loop, prompts = self._load(msgspec.msgpack.decode(first, type=Start))
        for frame in frames:
            self._take(to_worker_decoder.decode(frame), loop, prompts)

    def fail(
        self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
    ) -> None:
        """Tell the service why this worker ends, then end it."""
        self._outbox.send(to_failed(self._explain(error)))
        os._exit(1)

    def _load(self, start: Start) -> tuple[EngineLoop, PromptBuilder]:
        threading.Thread(target=self._beat, daemon=True, name="heartbeat").start()
        sandbox = enter_sandbox()
        began_s = time.monotonic()
        runner = self._open_runner(start)
        prompts = PromptBuilder(runner)
        loop = self._loop = EngineLoop(_build_engine(runner, start), self._outbox)
        threading.Thread(target=loop.run, daemon=True, name="engine").start()
        self._outbox.send(_ready(runner, sandbox, time.monotonic() - began_s))
        return loop, prompts

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

    def _explain(self, error: BaseException) -> EdgeinferError:
        if isinstance(error, EdgeinferError):
            return error
        what = f"{type(error).__name__}: {error}"
        if self._loop is None:
            return WorkerStartError(f"The model could not be loaded ({what}).")
        return WorkerCrashedError(
            f"The worker ended because of a fault in edgeinfer ({what}).", hint=RESTART_HINT
        )


def open_runner(start: Start) -> LlamaRunner:
    """Load the model that the service named."""
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
    choice = NativeChoice(start.variant, Path(start.cpu_library), accelerators)
    return LlamaRunner(path, choice, options)


def main(stream: socket.socket, *, open_runner: OpenRunner = open_runner) -> None:
    """Serve on an inherited socket; the terminal's Ctrl-C is the service's to handle."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    worker = Worker(stream, open_runner)
    sys.excepthook = worker.fail
    threading.excepthook = lambda hook: worker.fail(
        hook.exc_type, hook.exc_value or SystemExit(), hook.exc_traceback
    )
    worker.serve()
    # The engine's thread may be inside a long native step: leave without waiting for it.
    os._exit(0)


def inherited_socket(argument: str) -> socket.socket:
    """The socket that the service handed over: a descriptor's number, or on standard input."""
    if sys.platform == "win32" and argument == SHARED_SOCKET:
        return socket.fromshare(sys.stdin.buffer.read())
    return socket.socket(fileno=int(argument))


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


if __name__ == "__main__":
    main(inherited_socket(sys.argv[1]))
