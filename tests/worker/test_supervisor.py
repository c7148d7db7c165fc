import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from edgeinfer.errors import (
    InvalidRequestError,
    ModelFileError,
    QuarantinedError,
    QueueFullError,
    WorkerCrashedError,
    WorkerError,
    WorkerHungError,
    WorkerStartError,
)
from edgeinfer.worker.failures import to_error
from edgeinfer.worker.line import MAX_REQUEST_BYTES
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import Failed, Progress
from edgeinfer.worker.supervisor import Supervisor, WorkerState
from tests.worker.conftest import QUICK, Open, start_message
from tests.worker.talk import begin, request, send, text_of

SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS)


def kill(supervisor: Supervisor, number: int = signal.SIGKILL) -> float:
    """Signal the worker; returns the moment."""
    os.kill(supervisor.process_id, number)
    return time.monotonic()


def test_an_answer_comes_in_pieces_with_exact_counts(supervisor: Supervisor) -> None:
    inbox = send(supervisor, "a")
    messages = inbox.all()
    last = messages[-1]
    assert isinstance(last, Progress)
    assert "".join(m.text for m in messages if isinstance(m, Progress)) == "hello"
    assert (last.finish_reason, last.usage.completion_tokens) == ("stop", len("hello") + 1)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_dead_worker_is_a_typed_error_that_names_the_signal(
    supervisor: Supervisor, number: int
) -> None:
    inbox = begin(supervisor, "a")
    kill(supervisor, number)
    failed = inbox.failure()
    assert isinstance(to_error(failed), WorkerCrashedError)
    assert signal.Signals(number).name in failed.message


def test_the_error_of_a_killed_worker_comes_within_a_second(supervisor: Supervisor) -> None:
    inbox = begin(supervisor, "a")
    killed_s = kill(supervisor)
    inbox.failure()
    assert time.monotonic() - killed_s < 1


def test_a_stopped_worker_is_found_within_a_second(supervisor: Supervisor) -> None:
    inbox = begin(supervisor, "a")
    stopped_s = kill(supervisor, signal.SIGSTOP)
    assert isinstance(to_error(inbox.failure()), WorkerHungError)
    assert time.monotonic() - stopped_s < 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_next_request_is_served_by_a_new_worker(supervisor: Supervisor, number: int) -> None:
    old = supervisor.process_id
    inbox = begin(supervisor, "a")
    kill(supervisor, number)
    inbox.failure()
    assert text_of(send(supervisor, "b")) == "hello"
    assert (supervisor.restarts, supervisor.process_id != old) == (1, True)


def test_a_fault_in_the_engine_ends_the_worker_and_is_told(supervisor: Supervisor) -> None:
    failed = send(supervisor, "a", "raise").failure()
    assert isinstance(to_error(failed), WorkerCrashedError)
    assert "ZeroDivisionError: boom" in failed.message
    assert text_of(send(supervisor, "b")) == "hello"


def test_a_refused_step_costs_its_requests_but_not_the_worker(supervisor: Supervisor) -> None:
    old = supervisor.process_id
    assert send(supervisor, "a", "refuse").failure().code == "engine"
    assert text_of(send(supervisor, "b")) == "hello"
    assert supervisor.process_id == old


def test_a_worker_that_speaks_nonsense_is_replaced(open_supervisor: Open) -> None:
    supervisor = open_supervisor("nonsense")
    supervisor.wait_ready()
    failed = send(supervisor, "a").failure()
    assert (failed.code, "no message" in failed.message) == ("worker_crashed", True)


def test_waiting_requests_notice_a_crash_only_as_a_pause(supervisor: Supervisor) -> None:
    running = [begin(supervisor, name, name) for name in "ab"]
    waiting = send(supervisor, "w", "patience")
    kill(supervisor)
    assert all(inbox.failure() for inbox in running)
    assert text_of(waiting) == "patience"


def test_a_request_that_killed_the_worker_twice_is_quarantined(supervisor: Supervisor) -> None:
    for name in "ab":
        send(supervisor, name, "die").failure()
    with pytest.raises(QuarantinedError):
        send(supervisor, "c", "die")
    assert text_of(send(supervisor, "d")) == "hello"


def test_a_suspect_runs_alone_so_that_no_neighbor_is_blamed(supervisor: Supervisor) -> None:
    inbox = begin(supervisor, "a", "suspect")
    kill(supervisor)
    inbox.failure()
    begin(supervisor, "b", "suspect")
    neighbor = send(supervisor, "c", "neighbor")
    assert (supervisor.num_running, supervisor.num_waiting) == (1, 1)
    kill(supervisor)
    assert text_of(neighbor) == "neighbor"


def test_cancelling_frees_the_slot_and_reports_it(supervisor: Supervisor) -> None:
    inbox = begin(supervisor, "a")
    supervisor.cancel("a")
    last = inbox.last()
    assert isinstance(last, Progress)
    assert (last.finish_reason, supervisor.num_running) == ("cancelled", 0)


def test_cancelling_works_in_the_line_too(open_supervisor: Open) -> None:
    supervisor = open_supervisor("load")
    inbox = send(supervisor, "a")
    supervisor.cancel("a")
    last = inbox.last()
    assert isinstance(last, Progress)
    assert (last.finish_reason, supervisor.num_waiting) == ("cancelled", 0)


def test_a_full_line_is_refused_at_once(open_supervisor: Open) -> None:
    supervisor = open_supervisor("load", max_waiting=1)
    send(supervisor, "a")
    with pytest.raises(QueueFullError):
        send(supervisor, "b")


def test_nobody_waits_for_a_worker_that_does_not_read(open_supervisor: Open) -> None:
    supervisor = open_supervisor("deaf")
    supervisor.wait_ready()
    began_s = time.monotonic()
    for name in "ab":
        send(supervisor, name, name * 4_000_000)
        supervisor.cancel(name)
    supervisor.close()
    assert time.monotonic() - began_s < 2


def test_a_huge_prompt_is_refused_and_taken_for_no_hang(open_supervisor: Open) -> None:
    supervisor = open_supervisor(policy=WatchPolicy(silent_s=3.0))
    supervisor.wait_ready()
    assert send(supervisor, "a", "x" * 20_000_000).failure().code == "context_length_exceeded"
    assert supervisor.restarts == 0


def test_a_request_that_no_frame_can_carry_is_refused(supervisor: Supervisor) -> None:
    with pytest.raises(InvalidRequestError, match="at most"):
        send(supervisor, "a", "x" * (MAX_REQUEST_BYTES + 1))


def test_a_listener_that_raises_harms_nobody_else(
    supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    def fall_over(_message: Progress | Failed) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.CRITICAL, logger="edgeinfer.worker.supervisor"):
        supervisor.submit(request("a"), fall_over)
        assert text_of(send(supervisor, "b")) == "hello"
        supervisor.submit(request("c", "die"), fall_over)
        while not supervisor.restarts:
            threading.Event().wait(0.05)
        assert text_of(send(supervisor, "d")) == "hello"


def test_closing_answers_everybody(open_supervisor: Open) -> None:
    supervisor = open_supervisor()
    supervisor.wait_ready()
    inboxes = [send(supervisor, name, name, endless=True) for name in "abcd"]
    supervisor.close()
    assert all(inbox.failure() for inbox in inboxes)
    assert supervisor.state is WorkerState.CLOSED


def test_a_closed_service_takes_nothing_more(open_supervisor: Open) -> None:
    supervisor = open_supervisor()
    supervisor.close()
    with pytest.raises(WorkerError, match="shut down"):
        send(supervisor, "a")


def test_no_process_is_left_behind(open_supervisor: Open) -> None:
    supervisor = open_supervisor()
    supervisor.wait_ready()
    process_id = supervisor.process_id
    supervisor.close()
    assert not Path(f"/proc/{process_id}").exists()


def test_closing_while_the_model_loads_is_prompt(open_supervisor: Open) -> None:
    supervisor = open_supervisor("load")
    began_s = time.monotonic()
    supervisor.close()
    assert time.monotonic() - began_s < 1


def test_who_waits_for_a_load_hears_that_it_was_closed(open_supervisor: Open) -> None:
    supervisor = open_supervisor("load")
    closer = threading.Timer(0.2, supervisor.close)
    closer.start()
    with pytest.raises(WorkerStartError, match="closed while it loaded"):
        supervisor.wait_ready()
    closer.join()


def test_a_load_that_takes_too_long_is_given_up(open_supervisor: Open) -> None:
    supervisor = open_supervisor("load", policy=WatchPolicy(load_s=0.2, backoff_s=(3600.0,)))
    with pytest.raises(WorkerHungError, match="not loaded after"):
        supervisor.wait_ready()


def test_a_model_that_cannot_be_loaded_is_everybodys_error(open_supervisor: Open) -> None:
    supervisor = open_supervisor("refuse", policy=WatchPolicy(backoff_s=(3600.0,)))
    assert send(supervisor, "a").failure().code == "model_file"
    with pytest.raises(ModelFileError, match="damaged"):
        supervisor.wait_ready()
    with pytest.raises(ModelFileError, match="damaged"):
        send(supervisor, "b")
    assert supervisor.state is WorkerState.FAILED


def test_a_failed_model_that_can_be_loaded_again_is_served(
    open_supervisor: Open, tmp_path: Path
) -> None:
    file = tmp_path / "model.gguf"
    supervisor = open_supervisor("wait", model_path=str(file))
    with pytest.raises(ModelFileError):
        supervisor.wait_ready()
    file.touch()
    deadline_s = time.monotonic() + 30
    while supervisor.state is not WorkerState.READY and time.monotonic() < deadline_s:
        threading.Event().wait(0.05)
    assert text_of(send(supervisor, "a")) == "hello"


def test_a_fault_while_loading_is_a_start_error_with_its_reason(open_supervisor: Open) -> None:
    supervisor = open_supervisor("fall", policy=WatchPolicy(backoff_s=(3600.0,)))
    with pytest.raises(WorkerStartError, match="ZeroDivisionError: boom"):
        supervisor.wait_ready()


def test_a_worker_that_dies_again_and_again_is_started_at_growing_intervals(
    open_supervisor: Open,
) -> None:
    supervisor = open_supervisor(policy=WatchPolicy(backoff_s=(0.0, 3600.0)))
    supervisor.wait_ready()
    send(supervisor, "a", "die").failure()
    send(supervisor, "b", "die").failure()
    send(supervisor, "c")
    assert (supervisor.restarts, supervisor.num_waiting) == (1, 1)
    began_s = time.monotonic()
    supervisor.close()
    assert time.monotonic() - began_s < 1


def test_an_answer_between_two_deaths_ends_the_back_off(open_supervisor: Open) -> None:
    supervisor = open_supervisor(policy=WatchPolicy(backoff_s=(0.0, 3600.0)))
    supervisor.wait_ready()
    for death in "ab":
        send(supervisor, death, "die").failure()
        assert text_of(send(supervisor, f"after {death}", f"after {death}")) == f"after {death}"


def test_a_system_without_room_for_a_process_is_a_typed_error() -> None:
    with pytest.raises(WorkerStartError, match="No worker process"):
        Supervisor(start_message(), policy=QUICK, command=("/nowhere/python",))
