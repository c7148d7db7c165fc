import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "packaging/engine/python.sh"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


def choose(folder, **environ):
    """Run the script in an empty project folder that sees only the programs put there."""
    for name in ("sh", "sed", "cat"):
        (folder / name).symlink_to(shutil.which(name))
    return subprocess.run(
        ["sh", str(SCRIPT)],
        cwd=folder,
        env={"PATH": str(folder), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def put(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return str(path)


def test_without_a_python_it_says_what_to_install(tmp_path):
    answer = choose(tmp_path)
    assert answer.returncode == 2
    assert "Python 3.11 or newer, and none was found" in answer.stderr
    assert [
        name for name in ("Debian", "Fedora", "macOS", "Windows") if name not in answer.stderr
    ] == []


def test_a_shim_that_does_not_run_is_passed_over(tmp_path):
    put(tmp_path, "python3.13", "exit 127")
    put(tmp_path, "python3.11", "exit 0")
    assert choose(tmp_path).stdout == "python3.11\n"


def test_the_python_of_the_environment_comes_first(tmp_path):
    put(tmp_path, "python3.13", "exit 0")
    made_with = put(tmp_path, "made with", "exit 0")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/pyvenv.cfg").write_text(f"executable = {made_with}\n", "utf-8")
    assert choose(tmp_path).stdout == f"{made_with}\n"


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 1", 2)])
def test_a_named_python_is_taken_or_refused(tmp_path, script, code):
    put(tmp_path, "python3", "exit 0")
    assert choose(tmp_path, PYTHON=put(tmp_path, "mine", script)).returncode == code
