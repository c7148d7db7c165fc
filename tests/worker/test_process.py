import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.process import WorkerProcess
from tests.worker.conftest import SCRIPT, start_message
from tests.worker.talk import WAIT_S

POLICY = WatchPolicy()
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="process states are from /proc")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """The moment that it was moved to."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(clock: Clock) -> Iterator[WorkerProcess]:
    """A worker that loads for ever."""
    command = (sys.executable, str(SCRIPT), "load")
    process = WorkerProcess(start_message(), lambda _message: None, command=command, clock=clock)
    yield process
    process.close()


def wait_until(condition: Callable[[], bool]) -> None:
    patience = threading.Event()
    for _ in range(WAIT_S * 100):
        if condition():
            return
        patience.wait(0.01)
    raise TimeoutError


def stop(process: WorkerProcess) -> None:
    os.kill(process.process_id, signal.SIGSTOP)
    stat = Path(f"/proc/{process.process_id}/stat")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")


def ask_after(process: WorkerProcess, clock: Clock, *pauses_s: float) -> list[str | None]:
    """Whether it hangs, asked after each of these pauses."""
    answers = []
    for pause_s in pauses_s:
        clock.now_s += pause_s
        answers.append(process.hung_reason(POLICY))
    return answers


def test_a_stopped_worker_hangs_after_half_a_second(process: WorkerProcess, clock: Clock) -> None:
    stop(process)
    first, second = ask_after(process, clock, 0.4, 0.4)
    assert (first, "stopped from outside" in (second or "")) == (None, True)


def test_who_was_stopped_itself_gives_the_worker_time_to_speak(
    process: WorkerProcess, clock: Clock
) -> None:
    stop(process)
    assert ask_after(process, clock, 600.0, 0.4) == [None, None]


def test_a_silent_worker_hangs_only_after_a_long_time(clock: Clock) -> None:
    command = (sys.executable, "-c", "import time; time.sleep(3600)")
    process = WorkerProcess(start_message(), lambda _message: None, command=command, clock=clock)
    answers = ask_after(process, clock, *[0.5] * 31)
    process.close()
    assert answers[:-1] == [None] * 30
    assert "no sign" in (answers[-1] or "")


def test_a_worker_does_not_outlive_its_service(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = (
        "import pathlib, time\n"
        "from edgeinfer.worker.process import WorkerProcess\n"
        "from edgeinfer.worker.protocol import Start\n"
        "start = Start(model_path='', cpu_library='', variant='')\n"
        f"command = ({sys.executable!r}, {str(SCRIPT)!r}, 'serve')\n"
        "process = WorkerProcess(start, print, command=command)\n"
        "while not process.is_ready: time.sleep(0.01)\n"
        f"pathlib.Path({str(note)!r}).write_text(str(process.process_id))\n"
        "time.sleep(3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as service:  # noqa: S603 - our own
        wait_until(lambda: note.exists() and note.read_text() != "")
        service.kill()
    wait_until(lambda: not Path(f"/proc/{note.read_text()}").exists())
