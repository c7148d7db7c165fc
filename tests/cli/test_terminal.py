import os
import pty
import select
import subprocess
import termios

import pytest

from tests.cli.shell import TIMEOUT_S, started

SHOW_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


@pytest.fixture
def terminal(monkeypatch):
    """Both ends of a terminal of 30 lines and 100 columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLUMNS")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def converse(process: subprocess.Popen[bytes], terminal: int, keys: bytes) -> bytes:
    """All that the screen shows; the keys are pressed whenever it shows something more."""
    shown = b""
    while process.poll() is None:
        ready, _, _ = select.select([terminal], [], [], TIMEOUT_S if not shown else 0.1)
        shown += os.read(terminal, 65536) if ready else b""
        if ready and SHOW_SCREEN in shown:
            os.write(terminal, keys)
    while select.select([terminal], [], [], 0)[0]:
        shown += os.read(terminal, 65536)
    return shown


def test_up_on_a_terminal_reaches_its_screen_and_q_leaves_the_terminal_as_it_was(terminal):
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with started("up", "--port", "0", **streams, start_new_session=True) as process:
        shown = converse(process, ours, b"q")
    assert process.returncode == 0
    assert LEAVE_SCREEN in shown.split(SHOW_SCREEN)[1]
    assert termios.tcgetattr(theirs)[:4] == before[:4]


def test_a_prompt_that_is_missing_on_a_terminal_is_asked_for_and_not_waited_for(terminal):
    ours, theirs = terminal
    with started("run", stdin=theirs, stdout=theirs, stderr=theirs) as process:
        assert process.wait(TIMEOUT_S) == 2
        assert b"There is no prompt." in os.read(ours, 4096)
