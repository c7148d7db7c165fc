"""One life of a worker: the child process, its socket, and the thread that reads it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgeinfer.errors import EdgeinferError, WorkerCrashedError, WorkerStartError
from edgeinfer.worker.failures import to_error
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import (
    Failed,
    FromWorker,
    Heartbeat,
    Ready,
    Shutdown,
    Start,
    ToWorker,
    encode_frame,
    from_worker_decoder,
    read_frames,
)

RESTART_HINT = "Send the request again; the worker restarts by itself."
_EXIT_WAIT_S = 2.0
_LAST_WORDS_BYTES = 2048

Hear = Callable[[FromWorker], None]


def _environment() -> dict[str, str]:
    """The worker's environment: its threads sleep at a barrier instead of spinning.

    With spinning, two threads beside another busy program wait for each other's time slices: 16 instead of 610
    tokens/s with a tiny model on two cores, measured 2026-11.
    """
    return {"OMP_WAIT_POLICY": "passive", **os.environ}


class WorkerProcess:
    """Owns a child process that serves one model; `hear` gets its messages on a thread of this object."""

    def __init__(self, start: Start, hear: Hear) -> None:
        self._hear = hear
        self._began_s = self._heard_s = time.monotonic()
        self._busy_s = 0.0
        self._last_words: Failed | None = None
        self.is_ready = False
        self._ended = threading.Event()
        self._send_lock = threading.Lock()
        self._stream, theirs = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with theirs:
            self._popen = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "edgeinfer.worker.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                env=_environment(),
            )
        threading.Thread(target=self._read, daemon=True, name="worker-read").start()
        self.send(start)

    @property
    def process_id(self) -> int:
        return self._popen.pid

    @property
    def has_ended(self) -> bool:
        """Whether the other side has closed: the process is gone, or about to be."""
        return self._ended.is_set()

    def send(self, message: ToWorker) -> None:
        """Send a message; a worker that is gone is the watcher's to find."""
        try:
            with self._send_lock:
                self._stream.sendall(encode_frame(message))
        except OSError:
            self._ended.set()

    def hung_reason(self, policy: WatchPolicy) -> str | None:
        """A sentence if the worker makes no progress, judged by its heartbeat and by the kernel's word."""
        now = time.monotonic()
        silent_s = now - self._heard_s
        if silent_s > policy.stopped_s and self._is_stopped():
            return f"The worker was stopped from outside and gave no sign for {silent_s:.1f} s."
        if silent_s > policy.silent_s:
            return f"The worker gave no sign for {silent_s:.0f} s."
        if self._busy_s > policy.step_s:
            return f"The worker spent {self._busy_s:.0f} s in one step."
        if not self.is_ready and now - self._began_s > policy.load_s:
            return f"The model was not loaded after {policy.load_s:.0f} s."
        return None

    def death(self) -> EdgeinferError:
        """Why the process ended, as an error for its requests."""
        code = self._exit_code()
        if self._last_words:
            return to_error(self._last_words)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        said = self._said()
        sentence = f"The worker process ended with {how}{': ' + said if said else ''}."
        if self.is_ready:
            return WorkerCrashedError(sentence, hint=RESTART_HINT)
        return WorkerStartError(
            f"The model could not be loaded. {sentence}",
            hint="The file may be damaged, or memory too small: `edgeinfer fit` and `edgeinfer doctor` tell.",
        )

    def kill(self) -> None:
        self._popen.kill()

    def close(self) -> None:
        """End the process, politely first; returns when it is gone."""
        self.send(Shutdown())
        self._exit_code()
        self._stream.close()
        self._ended.wait(_EXIT_WAIT_S)
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
        except (OSError, ValueError, msgspec.MsgspecError):
            # A closed or garbled stream is the end of this worker; death() finds out why.
            pass
        finally:
            self._ended.set()

    def _note(self, message: FromWorker) -> None:
        self._heard_s = time.monotonic()
        match message:
            case Heartbeat():
                self._busy_s = message.busy_s
                return
            case Failed(request_id=None):
                self._last_words = message
                return
            case Ready():
                self.is_ready = True
        self._hear(message)

    def _is_stopped(self) -> bool:
        """Whether the kernel reports the process as stopped (T) or traced (t); False where it cannot be asked."""
        try:
            status = Path(f"/proc/{self.process_id}/stat").read_text()
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] in {"T", "t"}

    def _said(self) -> str:
        """The last line on the worker's standard error, such as a failed check of the native library."""
        self._stderr.seek(0, 2)
        self._stderr.seek(max(0, self._stderr.tell() - _LAST_WORDS_BYTES))
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else ""
