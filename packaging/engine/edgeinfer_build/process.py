"""Runs a command in a process group of its own, its output in the log, and ends it whole."""

import contextlib
import io
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from edgeinfer_build.errors import CommandError

TICK_S = 1.0
GRACE_S = 3.0
TAIL_LINES = 400


def run_logged(
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None],
) -> None:
    """Run to the end; `on_line` gets each line, and an empty one every second of silence.

    Raises CommandError with the end of the output when the command fails.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {subprocess.list2cmdline(map(str, command))}\n")
        process = _start(command, cwd, env)
        try:
            for line in Lines(process.stdout or io.StringIO()):
                file.write(line)
                tail.append(line)
                on_line(line)
            code = process.wait()
        finally:
            end_group(process)
    if code:
        raise CommandError(f"{Path(command[0]).name} ended with {code}.", output="".join(tail))


def end_group(process: subprocess.Popen[str]) -> None:
    """End the command with all that it started; nothing happens when it has ended by itself."""
    if process.poll() is not None:
        return
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if sys.platform != "win32":
            _signal_group(process, signal.SIGKILL)
        process.wait()


def _start(
    command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )


class Lines:
    """Iterates over a pipe's lines, with an empty one after each second of silence."""

    def __init__(self, pipe: IO[str]) -> None:
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._pipe = pipe
        threading.Thread(target=self._read, daemon=True).start()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        try:
            line = self._queue.get(timeout=TICK_S)
        except queue.Empty:
            return ""
        if line is None:
            raise StopIteration
        return line

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self._queue.put(line)
        self._queue.put(None)


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)
