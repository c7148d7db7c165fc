"""Runs the command as a shell would: a process of its own, with real signals and pipes."""

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from edgeinfer.cli.commands import cli
from edgeinfer.errors import EdgeinferError
from tests.e2e.installation import runtime

COMMAND = [sys.executable, "-m", "edgeinfer"]
TIMEOUT_S = 60
PIPE_BYTES = 4096


def home() -> Path:
    return runtime().paths.home


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A whole run of the command; stdin is empty unless given."""
    given = {"stdin": subprocess.DEVNULL} if "input" not in options else {}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *arguments], timeout=TIMEOUT_S, check=False, **(given | streams | options)
    )


def run_here(*arguments: str, text: bytes = b"") -> str:
    """The output of a command run in this process; what it raises is raised."""
    result = CliRunner().invoke(cli, arguments, input=text, catch_exceptions=True)
    if isinstance(result.exception, EdgeinferError):
        raise result.exception
    assert result.exit_code == 0, result.exception
    return result.stdout


def read_json(*arguments: str) -> Any:
    """The one JSON document that is the whole of stdout."""
    return json.loads(run_here(*arguments, "--json"))


@contextmanager
def started(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A running command; whatever happens, it is gone afterwards."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, **(streams | options)) as process:  # noqa: S603 - as above
        try:
            yield process
        finally:
            process.kill()


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that the command's main thread started and that live."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(number) for number in listed.split()]


def first_child(process: subprocess.Popen[bytes]) -> int:
    while not (found := children(process)):
        assert process.poll() is None, "the command ended before it started a process"
    return found[0]


def await_end(process_ids: Sequence[int]) -> None:
    """Return when the processes are gone, which the kernel tells; fail where one stays."""
    for number in process_ids:
        try:
            descriptor = os.pidfd_open(number)
        except ProcessLookupError:
            continue
        ready, _, _ = select.select([descriptor], [], [], 10)
        os.close(descriptor)
        assert ready, f"process {number} is left over"


def interrupt(
    process: subprocess.Popen[bytes], number: signal.Signals, *, times: int = 1
) -> tuple[int, str]:
    """Exit code and stderr of a command that gets a signal, with no process left of it."""
    workers = children(process)
    for _ in range(times):
        process.send_signal(number)
    _, errors = process.communicate(timeout=TIMEOUT_S)
    await_end(workers)
    return process.returncode, (errors or b"").decode().strip()


@contextmanager
def stuck(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running command whose stderr takes no byte, so that it cannot end before it is read."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.write(writer, b" " * PIPE_BYTES)
    with started(*arguments, stderr=writer) as process, os.fdopen(reader, "rb") as process.stderr:
        os.close(writer)
        yield process
