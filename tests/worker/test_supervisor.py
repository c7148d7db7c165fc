import os
import signal
import time
from pathlib import Path

import msgspec
import pytest

from edgeinfer.errors import (
    ModelFileError,
    QuarantinedError,
    QueueFullError,
    WorkerError,
    WorkerHungError,
)
from edgeinfer.worker.client import stream_progress
from edgeinfer.worker.failures import to_error
from edgeinfer.worker.protocol import Failed, Progress, Start
from edgeinfer.worker.supervisor import Supervisor, WorkerState
from tests.worker.conftest import QUICK, Inbox, request

pytestmark = pytest.mark.model


def text_of(supervisor: Supervisor, name: str) -> str:
    return "".join(progress.text for progress in stream_progress(supervisor, request(name)))


def run_until_killed(
    supervisor: Supervisor, name: str, number: int, prompt: str = "long"
) -> Failed:
    inbox = Inbox()
    supervisor.submit(request(name, prompt, endless=True), inbox.listener)
    inbox.first()
    os.kill(supervisor.process_id, number)
    message = inbox.last()
    assert isinstance(message, Failed)
    return message


def test_greedy_answers_are_the_same_every_time(supervisor: Supervisor) -> None:
    assert text_of(supervisor, "a") == text_of(supervisor, "b") != ""


def test_the_second_time_the_prompt_is_not_computed_again(supervisor: Supervisor) -> None:
    text_of(supervisor, "a")
    *_, last = stream_progress(supervisor, request("b"))
    assert last.usage.cached_tokens == last.usage.prompt_tokens - 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_dead_worker_is_a_typed_error_that_names_the_signal(
    supervisor: Supervisor, number: int
) -> None:
    failed = run_until_killed(supervisor, "a", number)
    assert failed.code == "worker_crashed"
    assert signal.Signals(number).name in failed.message


def test_the_error_of_a_killed_worker_comes_within_a_second(supervisor: Supervisor) -> None:
    inbox = Inbox()
    supervisor.submit(request("a", "long", endless=True), inbox.listener)
    inbox.first()
    killed = time.monotonic()
    os.kill(supervisor.process_id, signal.SIGKILL)
    inbox.last()
    assert time.monotonic() - killed < 1


def test_a_stopped_worker_is_found_and_replaced_within_a_second(supervisor: Supervisor) -> None:
    inbox = Inbox()
    supervisor.submit(request("a", "long", endless=True), inbox.listener)
    inbox.first()
    stopped = time.monotonic()
    os.kill(supervisor.process_id, signal.SIGSTOP)
    message = inbox.last()
    assert isinstance(message, Failed)
    assert isinstance(to_error(message), WorkerHungError)
    assert time.monotonic() - stopped < 1


def test_the_next_request_is_served_by_a_new_worker(supervisor: Supervisor) -> None:
    before = text_of(supervisor, "a")
    old = supervisor.process_id
    run_until_killed(supervisor, "b", signal.SIGKILL)
    assert text_of(supervisor, "c") == before
    assert (supervisor.restarts, supervisor.process_id != old) == (1, True)


def test_waiting_requests_notice_a_crash_only_as_a_pause(supervisor: Supervisor) -> None:
    running = [Inbox(), Inbox()]
    for index, inbox in enumerate(running):
        supervisor.submit(request(f"r{index}", f"long {index}", endless=True), inbox.listener)
        inbox.first()
    waiting = Inbox()
    supervisor.submit(request("w"), waiting.listener)
    os.kill(supervisor.process_id, signal.SIGKILL)
    assert all(isinstance(inbox.last(), Failed) for inbox in running)
    assert isinstance(waiting.last(), Progress)


def test_a_request_that_killed_the_worker_twice_is_quarantined(supervisor: Supervisor) -> None:
    for name in "ab":
        run_until_killed(supervisor, name, signal.SIGKILL, "poison")
    with pytest.raises(QuarantinedError):
        supervisor.submit(request("c", "poison", endless=True), Inbox().listener)
    assert text_of(supervisor, "d")


def test_a_suspect_runs_alone_so_that_no_neighbor_is_blamed(supervisor: Supervisor) -> None:
    run_until_killed(supervisor, "a", signal.SIGKILL, "suspect")
    suspect, neighbor = Inbox(), Inbox()
    supervisor.submit(request("b", "suspect", endless=True), suspect.listener)
    supervisor.submit(request("c"), neighbor.listener)
    suspect.first()
    assert (supervisor.num_running, supervisor.num_waiting) == (1, 1)
    os.kill(supervisor.process_id, signal.SIGKILL)
    assert isinstance(neighbor.last(), Progress)


def test_cancelling_frees_the_slot_and_reports_it(supervisor: Supervisor) -> None:
    inbox = Inbox()
    supervisor.submit(request("a", "long", endless=True), inbox.listener)
    inbox.first()
    supervisor.cancel("a")
    last = inbox.last()
    assert isinstance(last, Progress)
    assert (last.finish_reason, supervisor.num_running) == ("cancelled", 0)


def test_a_full_line_is_refused_at_once(start: Start) -> None:
    narrow = msgspec.structs.replace(start, slots=1, max_waiting=1)
    with Supervisor(narrow, policy=QUICK) as supervisor:
        supervisor.wait_ready()
        for name in "ab":
            supervisor.submit(request(name, "long", endless=True), Inbox().listener)
        with pytest.raises(QueueFullError):
            supervisor.submit(request("c"), Inbox().listener)


def test_closing_answers_everybody(start: Start) -> None:
    supervisor = Supervisor(start, policy=QUICK)
    supervisor.wait_ready()
    inboxes = [Inbox() for _ in range(4)]
    for index, inbox in enumerate(inboxes):
        supervisor.submit(request(str(index), f"{index}", endless=True), inbox.listener)
    supervisor.close()
    assert all(isinstance(inbox.last(), Failed) for inbox in inboxes)
    assert supervisor.state is WorkerState.CLOSED


def test_no_process_is_left_behind(start: Start) -> None:
    supervisor = Supervisor(start, policy=QUICK)
    supervisor.wait_ready()
    process_id = supervisor.process_id
    supervisor.close()
    assert not Path(f"/proc/{process_id}").exists()


def test_a_file_that_is_no_model_fails_the_start_with_a_sentence(
    start: Start, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF" + bytes(100))
    broken = msgspec.structs.replace(start, model_path=str(bad))
    with Supervisor(broken, policy=QUICK) as supervisor, pytest.raises(ModelFileError):
        supervisor.wait_ready()


def test_a_missing_file_fails_the_start_with_a_sentence(start: Start, tmp_path: Path) -> None:
    gone = msgspec.structs.replace(start, model_path=str(tmp_path / "gone.gguf"))
    with Supervisor(gone, policy=QUICK) as supervisor, pytest.raises(WorkerError, match="gone"):
        supervisor.wait_ready()
