"""One life of a worker: the child process, its socket, and the threads that read and write it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import msgspec

from edgeinfer.errors import EdgeinferError, WorkerCrashedError, WorkerStartError
from edgeinfer.worker.failures import RESTART_HINT, to_error
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import (
    SHARED_SOCKET,
    Failed,
    FromWorker,
    Heartbeat,
    Ready,
    Start,
    ToWorker,
    encode_frame,
    from_worker_decoder,
    read_frames,
)

# -P: `-m` alone puts the current folder before the library, and what is planted there would run.
WORKER_COMMAND = (sys.executable, "-P", "-m", "edgeinfer.worker.child")

# From the end of its socket to the end of a process the kernel needs milliseconds.
_EXIT_WAIT_S = 0.5
_LAST_WORDS_BYTES = 2048
_LAST_WORDS_SHOWN = 200

Hear = Callable[[FromWorker], None]


class WorkerProcess:
    """Owns a child process that serves one model; `hear` gets its messages on another thread.

    No method waits for the child: what is sent goes through a queue to a thread of its own, so
    that a child which does not read blocks nobody. Raises WorkerStartError when no process can be
    made.
    """

    def __init__(
        self,
        start: Start,
        hear: Hear,
        *,
        command: tuple[str, ...] = WORKER_COMMAND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hear = hear
        self._clock = clock
        self._began_s = self._heard_s = self._asked_s = clock()
        self._busy_s = 0.0
        self._ready = False
        self._last_words: Failed | None = None
        self._ended = threading.Event()
        self._outgoing: SimpleQueue[bytes] = SimpleQueue()
        with _as_start_error(), contextlib.ExitStack() as undo:
            self._stream, theirs = socket.socketpair()
            undo.enter_context(self._stream)
            self._stderr = undo.enter_context(tempfile.TemporaryFile())
            with theirs:
                self._popen = _spawn(command, theirs, self._stderr.fileno())
            undo.pop_all()
        self._threads = tuple(
            threading.Thread(target=target, daemon=True, name=f"worker-{target.__name__[1:]}")
            for target in (self._read, self._write)
        )
        for thread in self._threads:
            thread.start()
        self.send(start)

    @property
    def process_id(self) -> int:
        """The operating system's number of the child."""
        return self._popen.pid

    @property
    def is_ready(self) -> bool:
        """Whether the child has loaded its model."""
        return self._ready

    @property
    def has_ended(self) -> bool:
        """Whether the other side has closed: the process is gone, or about to be."""
        return self._ended.is_set()

    def send(self, message: ToWorker) -> None:
        """Queue a message; a worker that is gone is the watcher's to find."""
        self._outgoing.put(encode_frame(message))

    def hung_reason(self, policy: WatchPolicy) -> str | None:
        """A sentence if the worker makes no progress, by its heartbeat and by the kernel's word."""
        now = self._clock()
        if now - self._asked_s > policy.stopped_s + policy.interval_s:
            # Whoever asks was stopped itself (Ctrl-Z) or starved, and may have missed the signs.
            self._heard_s = now
        self._asked_s = now
        silent_s = now - self._heard_s
        if silent_s > policy.stopped_s and self._is_stopped():
            return f"The worker was stopped from outside and gave no sign for {silent_s:.1f} s."
        if silent_s > policy.silent_s:
            return f"The worker gave no sign for {silent_s:.0f} s."
        if self._busy_s > policy.step_s:
            return f"The worker spent {self._busy_s:.0f} s in one step."
        if not self._ready and now - self._began_s > policy.load_s:
            return f"The model was not loaded after {policy.load_s:.0f} s."
        return None

    def death(self) -> EdgeinferError:
        """Why the process ended, as an error for its requests."""
        code = self._exit_code()
        if self._last_words:
            return to_error(self._last_words)
        said = self._said()
        sentence = f"The worker process ended with {_ending(code)}{': ' + said if said else ''}."
        if self._ready:
            return WorkerCrashedError(sentence, hint=RESTART_HINT)
        return WorkerStartError(
            f"The model could not be loaded. {sentence}",
            hint="The file may be damaged, or memory too small:"
            " `edgeinfer fit` and `edgeinfer doctor` tell.",
        )

    def close(self) -> None:
        """End the process at once, as it holds nothing to be saved; then nothing more is heard."""
        self._popen.kill()
        reader, writer = self._threads
        # A process that waits for a broken disk cannot be killed; it must not hold up the service.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_EXIT_WAIT_S)
        reader.join(_EXIT_WAIT_S)
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._outgoing.put(b"")
        writer.join(_EXIT_WAIT_S)
        self._stream.close()
        self._stderr.close()

    def _exit_code(self) -> int:
        try:
            return self._popen.wait(_EXIT_WAIT_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait()

    def _read(self) -> None:
        try:
            for frame in read_frames(self._stream):
                self._note(from_worker_decoder.decode(frame))
        except msgspec.MsgspecError as error:
            self._last_words = Failed(
                code=WorkerCrashedError.code,
                message=f"The worker sent what is no message: {error}.",
                hint=RESTART_HINT,
            )
        except (OSError, ValueError):
            # A stream closed under the reader is the end of this worker; death() finds out why.
            pass
        finally:
            self._ended.set()

    def _write(self) -> None:
        """Send what is queued until close() or until the other side is gone."""
        with contextlib.suppress(OSError):
            while frame := self._outgoing.get():
                self._stream.sendall(frame)

    def _note(self, message: FromWorker) -> None:
        self._heard_s = self._clock()
        match message:
            case Heartbeat():
                self._busy_s = message.busy_s
                return
            case Failed(request_id=None):
                self._last_words = message
                return
            case Ready():
                self._ready = True
        self._hear(message)

    def _is_stopped(self) -> bool:
        """Whether the kernel reports it as stopped or traced; False where it cannot say."""
        try:
            status = Path(f"/proc/{self.process_id}/stat").read_text()
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] in {"T", "t"}

    def _said(self) -> str:
        """The last line on its standard error, such as a failed check of the native library."""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _LAST_WORDS_BYTES))
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:_LAST_WORDS_SHOWN] if lines else ""


def _spawn(command: tuple[str, ...], theirs: socket.socket, stderr: int) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        return _spawn_on_windows(command, theirs, stderr)
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env=_environment(),
    )


def _spawn_on_windows(
    command: tuple[str, ...], theirs: socket.socket, stderr: int
) -> subprocess.Popen[bytes]:
    """No descriptor can be inherited there: the socket is handed over through standard input."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, SHARED_SOCKET],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env=_environment(),
    )
    if sys.platform == "win32" and process.stdin:
        with process.stdin as pipe:
            pipe.write(theirs.share(process.pid))
    return process


def _environment() -> dict[str, str]:
    """The worker's environment: its threads spin briefly at a barrier, and then sleep.

    Measured 2026-11 on two cores, tokens/s of decode with libgomp's own spinning, with this, and
    with sleeping at once: a 1B shape in Q4_K on a quiet machine 48, 49 and 38, beside one busy
    process 25, 24 and 30; a tiny model beside a training of two threads 20, 152 and 296. And a
    failed check of the native library ends the worker at once, without a debugger.
    """
    return {"GOMP_SPINCOUNT": "1000", "GGML_NO_BACKTRACE": "1", **os.environ}


@contextlib.contextmanager
def _as_start_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkerStartError(
            f"No worker process can be started: {error.strerror or error}.",
            hint="The system may be out of memory, processes or open files.",
        ) from error


def _ending(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
    except ValueError:
        return f"signal {-code}"
