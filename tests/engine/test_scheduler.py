import pytest

from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.engine.scheduler import Scheduler, SchedulerLimits
from edgeinfer.engine.sequence import Batch, Sequence, SequenceState, StepOutput
from edgeinfer.errors import QueueFullError

END = 0


def make_scheduler(
    *, slots: int = 2, context: int = 32, step: int = 8, waiting: int = 4
) -> Scheduler:
    limits = SchedulerLimits(slots, context, step_tokens=step, max_waiting=waiting)
    return Scheduler(limits, frozenset({END}))


def sequence(name: str, length: int, *, namespace: str = "", **sampling: int) -> Sequence:
    prompt = tuple(range(1, length + 1))
    return Sequence(name, prompt, SamplingParams(**sampling), namespace)  # type: ignore[arg-type]


def step(scheduler: Scheduler, token: int = 9) -> Batch:
    batch = scheduler.schedule()
    samples = sum(item.samples for item in batch.items)
    scheduler.complete(batch, StepOutput((token,) * samples))
    return batch


def test_a_long_prompt_runs_in_chunks_and_samples_after_the_last() -> None:
    scheduler = make_scheduler(step=8)
    scheduler.add(sequence("a", 20))
    batches = [step(scheduler) for _ in range(3)]
    assert [(b.num_tokens, b.items[0].samples) for b in batches] == [
        (8, False),
        (8, False),
        (4, True),
    ]


def test_a_running_stream_gets_its_token_in_every_step_of_a_neighbors_prefill() -> None:
    scheduler = make_scheduler(step=4)
    scheduler.add(sequence("stream", 2))
    step(scheduler)
    scheduler.add(sequence("long", 12))
    batches = [step(scheduler) for _ in range(3)]
    assert all(
        batch.items[0].request_id == "stream" and batch.items[0].samples for batch in batches
    )


def test_slots_go_to_requests_in_order_of_arrival() -> None:
    scheduler = make_scheduler(slots=1)
    for name in "abc":
        scheduler.add(sequence(name, 2, max_tokens=1))
    order = [step(scheduler).items[0].request_id for _ in range(3)]
    assert order == ["a", "b", "c"]


def test_a_full_line_is_refused_with_a_time_to_come_back() -> None:
    scheduler = make_scheduler(waiting=1)
    scheduler.add(sequence("a", 2))
    with pytest.raises(QueueFullError) as caught:
        scheduler.add(sequence("b", 2))
    assert caught.value.retry_after_s > 0


def test_the_end_token_finishes_with_stop() -> None:
    scheduler = make_scheduler()
    one = sequence("a", 2)
    scheduler.add(one)
    step(scheduler, END)
    assert (one.state, one.finish_reason) == (SequenceState.FINISHED, "stop")


def test_ignoring_the_end_token_runs_to_the_length() -> None:
    scheduler = make_scheduler()
    one = sequence("a", 2, ignore_eos=True, max_tokens=2)
    scheduler.add(one)
    step(scheduler, END)
    step(scheduler, END)
    assert one.finish_reason == "length"


def test_a_full_context_finishes_with_length_and_never_exceeds_it() -> None:
    scheduler = make_scheduler(context=6)
    one = sequence("a", 3)
    scheduler.add(one)
    while scheduler.has_work:
        step(scheduler)
    assert (one.finish_reason, one.num_tokens) == ("length", 6)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_cancelling_works_while_queued_in_prefill_and_in_decode(steps: int) -> None:
    scheduler = make_scheduler(step=4)
    one = sequence("a", 6)
    scheduler.add(one)
    for _ in range(steps):
        step(scheduler)
    assert scheduler.cancel("a") is one
    assert (scheduler.has_work, one.finish_reason) == (False, "cancelled")


def test_cancelling_an_unknown_request_changes_nothing() -> None:
    assert make_scheduler().cancel("nobody") is None


def test_a_shared_prefix_is_reused_and_counted_exactly() -> None:
    scheduler = make_scheduler(context=64, step=64)
    scheduler.add(sequence("a", 10, max_tokens=1))
    step(scheduler)
    again = Sequence("b", (*range(1, 9), 77, 78), SamplingParams())
    scheduler.add(again)
    batch = step(scheduler)
    assert (again.num_cached, batch.admissions[0].keep_tokens, batch.num_tokens) == (8, 8, 2)


def test_the_last_token_of_a_known_prompt_is_computed_again_for_its_logits() -> None:
    scheduler = make_scheduler(step=64)
    scheduler.add(sequence("a", 10, max_tokens=1))
    step(scheduler)
    again = sequence("b", 10)
    scheduler.add(again)
    assert step(scheduler).num_tokens == 1


def test_a_prefix_of_another_namespace_is_never_reused() -> None:
    scheduler = make_scheduler(slots=1, step=64)
    scheduler.add(sequence("a", 10, namespace="alice", max_tokens=1))
    step(scheduler)
    other = sequence("b", 10, namespace="bob")
    scheduler.add(other)
    assert (step(scheduler).admissions[0].keep_tokens, other.num_cached) == (0, 0)


def test_dropping_everything_forgets_requests_and_cells() -> None:
    scheduler = make_scheduler(slots=1)
    scheduler.add(sequence("a", 4))
    scheduler.add(sequence("b", 4))
    step(scheduler)
    assert {s.request_id for s in scheduler.drop_all()} == {"a", "b"}
    again = sequence("c", 4)
    scheduler.add(again)
    assert (step(scheduler).admissions[0].keep_tokens, scheduler.has_work) == (0, True)
