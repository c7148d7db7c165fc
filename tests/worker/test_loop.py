import socket
import threading
from collections.abc import Iterator
from itertools import takewhile

import pytest

from edgeinfer.engine.engine import Engine
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.engine.scheduler import Scheduler, SchedulerLimits
from edgeinfer.engine.sequence import Sequence
from edgeinfer.testing import ScriptedRunner
from edgeinfer.worker.loop import EngineLoop, Outbox
from edgeinfer.worker.protocol import (
    Cancel,
    Failed,
    FromWorker,
    Progress,
    Work,
    from_worker_decoder,
    read_frames,
)
from tests.worker.talk import WAIT_S


class Bench:
    """An engine's loop on a thread, and the other end of its socket."""

    def __init__(self, theirs: socket.socket, ours: socket.socket) -> None:
        runner = ScriptedRunner({b"hello": b"good day"}, context_tokens=64, fails_on=b"bad")
        limits = SchedulerLimits(slots=2, context_tokens=64, step_tokens=4)
        engine = Engine(runner, Scheduler(limits, runner.end_tokens))
        self.loop = EngineLoop(engine, Outbox(theirs))
        self._messages = (from_worker_decoder.decode(frame) for frame in read_frames(ours))
        threading.Thread(target=self.loop.run, daemon=True).start()

    def put(self, name: str, prompt: bytes) -> None:
        """Hand over a request."""
        self.loop.put(Sequence(name, tuple(prompt), SamplingParams()))

    def until_final(self) -> list[FromWorker]:
        """What is said up to the next final message."""
        messages = list(takewhile(lambda message: not is_final(message), self._tee()))
        return [*messages, self._last]

    def _tee(self) -> Iterator[FromWorker]:
        for message in self._messages:
            self._last = message
            yield message


def is_final(message: FromWorker) -> bool:
    return isinstance(message, Failed) or (
        isinstance(message, Progress) and message.finish_reason is not None
    )


@pytest.fixture
def bench() -> Iterator[Bench]:
    theirs, ours = socket.socketpair()
    ours.settimeout(WAIT_S)
    with theirs, ours:
        yield Bench(theirs, ours)


def test_the_work_of_a_step_is_told_before_what_came_of_it(bench: Bench) -> None:
    bench.put("a", b"hello")
    kinds = [type(message) for message in bench.until_final()]
    assert kinds[:4] == [Work, Work, Progress, Work]


def test_work_is_split_into_prompt_and_answer(bench: Bench) -> None:
    bench.put("a", b"hello")
    items = [m.items[0] for m in bench.until_final() if isinstance(m, Work)]
    assert items[:3] == [("a", 4, 0), ("a", 1, 0), ("a", 0, 1)]


def test_times_are_in_order(bench: Bench) -> None:
    bench.put("a", b"hello")
    last = bench.until_final()[-1]
    assert isinstance(last, Progress)
    assert 0 <= last.queue_s <= last.ttft_s <= last.elapsed_s


def test_a_request_that_cannot_run_is_a_failure_of_its_own(bench: Bench) -> None:
    bench.put("a", b"x" * 64)
    (failed,) = bench.until_final()
    assert isinstance(failed, Failed)
    assert (failed.request_id, failed.code) == ("a", "context_length_exceeded")


def test_a_refused_step_fails_its_requests_and_the_next_is_served(bench: Bench) -> None:
    bench.put("a", b"bad")
    assert isinstance(bench.until_final()[-1], Failed)
    bench.put("b", b"hello")
    text = "".join(m.text for m in bench.until_final() if isinstance(m, Progress))
    assert text == "good day"


def test_cancelling_is_a_last_progress_and_unknown_ids_are_ignored(bench: Bench) -> None:
    bench.loop.put(Cancel("nobody"))
    bench.put("a", b"hello")
    bench.loop.put(Cancel("a"))
    last = bench.until_final()[-1]
    assert isinstance(last, Progress)
    assert last.finish_reason in {"cancelled", "stop"}


def test_between_steps_the_loop_is_not_busy(bench: Bench) -> None:
    assert bench.loop.busy_s == 0
