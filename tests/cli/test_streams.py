import os
from pathlib import Path

import pytest

from tests.cli.shell import run

FULL = Path("/dev/full")
SHORT = ["run", "--max-tokens", "2", "hi"]


@pytest.fixture
def closed_pipe():
    """The end of a pipe whose reader has gone, as `head` goes."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def run_without(stream: int, *arguments: str):
    """Run with a standard stream that is closed, as a shell's `>&-` does."""
    return run(*arguments, preexec_fn=lambda: os.close(stream))


@pytest.mark.parametrize("arguments", [["models"], ["--help"], ["models", "--json"], SHORT])
def test_a_reader_that_has_gone_ends_the_command_quietly(arguments, closed_pipe):
    done = run(*arguments, stdout=closed_pipe)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [["models"], SHORT])
def test_a_full_disk_under_the_output_is_told_in_one_sentence(arguments):
    with FULL.open("wb") as full:
        done = run(*arguments, stdout=full)
    assert done.returncode == 7
    assert done.stderr.startswith("edgeinfer: Cannot write the output: ")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_an_answer_needs_no_standard_stream_but_its_own(stream):
    done = run_without(stream, *SHORT)
    assert done.returncode == 0
    assert bool(done.stdout.strip()) == (stream != 1)
    assert ("Tokens" in done.stderr) == (stream != 2)


def test_a_lost_receipt_does_not_cost_the_answer(closed_pipe):
    done = run(*SHORT, stderr=closed_pipe)
    assert done.returncode == 0
    assert done.stdout.strip()


def test_the_answer_stands_on_stdout_and_the_receipt_on_stderr():
    done = run(*SHORT)
    assert "Verdict" not in done.stdout
    assert {"Model", "Tokens", "Speed", "Energy", "Cost", "Verdict"} <= set(done.stderr.split())


def test_a_locale_without_our_letters_still_gets_every_screen(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run("models", "edgeinfer-guide")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_prompt_in_utf8_is_read_in_a_locale_that_knows_only_ascii(monkeypatch):
    monkeypatch.setenv("LC_ALL", "POSIX")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    monkeypatch.setenv("PYTHONUTF8", "0")
    assert run(*SHORT[:-1], "été").returncode == 0
