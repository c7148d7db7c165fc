import signal
import sys

import httpx
import pytest

from tests.cli.shell import first_child, interrupt, started, stuck

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="asks /proc and the kernel for processes"
)
ENDED = (130, "edgeinfer: Interrupted.")
ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize(("number", "times"), [*((number, 1) for number in ALL), (ALL[0], 2)])
def test_a_signal_in_an_answer_ends_command_and_worker_with_one_line(number, times):
    # With its receipt stuck in a full pipe no answer is so short that the command ends before.
    with stuck("run", "What is edgeinfer?") as process:
        assert process.stdout.read(1)
        code, errors = interrupt(process, number, times=times)
    assert (code, errors.splitlines()[-1]) == ENDED


def test_a_signal_while_the_model_loads_ends_command_and_worker_with_one_line():
    with started("run", "hi") as process:
        first_child(process)
        assert interrupt(process, signal.SIGINT) == ENDED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_engine_is_tried_leaves_no_trial_and_no_verdict(number, new_home):
    with started("run", "hi") as process:
        assert b"First start" in process.stderr.readline()
        first_child(process)
        code, errors = interrupt(process, number)
    assert (code, errors.splitlines()[-1]) == ENDED
    assert not list(new_home.rglob("*.json"))


def test_a_signal_before_anything_is_loaded_ends_the_command_with_one_line():
    with started("run") as process:
        # More than a pipe holds: once it is written, the command is reading it.
        process.stdin.write(b"word " * 100_000)
        process.stdin.flush()
        assert interrupt(process, signal.SIGINT) == ENDED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_serving_with_one_line(number):
    with started("serve", "--port", "0") as process:
        endpoint = process.stdout.readline().decode().split()[-1]
        assert httpx.get(f"{endpoint}/models").is_success
        assert interrupt(process, number) == (130, "")
