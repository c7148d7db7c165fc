import os
import subprocess
import sys

import pytest

from edgeinfer_build.errors import CommandError
from edgeinfer_build.process import end_group, run_logged

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"


def run(tmp_path, script, on_line=lambda _line: None):
    command = [sys.executable, "-c", script]
    run_logged(command, log=tmp_path / "log", cwd=tmp_path, env=os.environ, on_line=on_line)


def test_output_reaches_the_log_and_the_listener(tmp_path):
    lines = []
    run(tmp_path, "print('[1/2] a'); print('[2/2] b')", lines.append)
    assert [line for line in lines if line] == ["[1/2] a\n", "[2/2] b\n"]
    assert (tmp_path / "log").read_text("utf-8").endswith("[1/2] a\n[2/2] b\n")


def test_a_failed_command_carries_its_output(tmp_path):
    with pytest.raises(CommandError, match="ended with 3") as caught:
        run(tmp_path, "import sys; print('reason'); sys.exit(3)")
    assert caught.value.output == "reason\n"


def test_an_interruption_ends_the_command(tmp_path):
    def interrupt(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(
            tmp_path,
            "import os, sys; print(os.getpid(), flush=True); sys.stdin.read(); input()",
            interrupt,
        )


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")
def test_the_whole_group_ends():
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=writing,
        text=True,
        start_new_session=True,
    )
    os.close(writing)
    end_group(process)
    process.stdin.close()
    with os.fdopen(reading) as pipe:
        assert pipe.read() == ""
    assert process.returncode is not None


def test_a_command_that_ended_by_itself_is_left_alone():
    process = subprocess.Popen([sys.executable, "-c", ""], text=True)
    process.wait()
    end_group(process)
    assert process.returncode == 0
