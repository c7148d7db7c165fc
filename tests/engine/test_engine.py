import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.engine.engine import Engine
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.engine.scheduler import Scheduler, SchedulerLimits
from edgeinfer.engine.sequence import Sequence
from edgeinfer.errors import EngineError, InvalidRequestError, PromptTooLongError
from edgeinfer.testing import ScriptedRunner

ANSWERS = {b"hello": b"good day to you", b"count": b"one two three", b"caf": "é au lait".encode()}


def make_engine(runner: ScriptedRunner | None = None, *, slots: int = 2, step: int = 4) -> Engine:
    runner = runner or ScriptedRunner(ANSWERS, slots=slots)
    limits = SchedulerLimits(slots, runner.facts.context_tokens, step_tokens=step)
    return Engine(runner, Scheduler(limits, runner.end_tokens))


def ask(engine: Engine, name: str, prompt: bytes, **sampling: object) -> None:
    engine.add(Sequence(name, tuple(prompt), SamplingParams(**sampling)))  # type: ignore[arg-type]


def run_out(engine: Engine) -> dict[str, str]:
    texts: dict[str, str] = {}
    while engine.has_work:
        for progress in engine.step().progress:
            texts[progress.request_id] = texts.get(progress.request_id, "") + progress.text
    return texts


def test_an_answer_streams_to_its_end() -> None:
    engine = make_engine()
    ask(engine, "a", b"hello")
    assert run_out(engine) == {"a": "good day to you"}


def test_usage_is_exact_and_the_last_progress_says_why_it_ended() -> None:
    engine = make_engine(step=64)
    ask(engine, "a", b"hello", max_tokens=4)
    steps = [engine.step().progress[0] for _ in range(4)]
    last = steps[-1]
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.finish_reason) == (
        5,
        4,
        "length",
    )


def test_a_stop_string_ends_the_answer_before_it() -> None:
    engine = make_engine()
    ask(engine, "a", b"hello", stop=("day",))
    assert run_out(engine) == {"a": "good "}


def test_a_prompt_as_long_as_the_context_is_refused_with_both_numbers() -> None:
    engine = make_engine()
    with pytest.raises(PromptTooLongError) as caught:
        ask(engine, "a", b"x" * 64)
    assert (caught.value.n_prompt_tokens, caught.value.n_ctx) == (64, 64)


def test_a_prompt_that_leaves_room_for_one_token_gets_one() -> None:
    engine = make_engine(step=64)
    ask(engine, "a", b"x" * 63)
    assert engine.step().progress[0].finish_reason == "length"


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        ask(make_engine(), "a", b"")


def test_cancelling_gives_a_last_progress_without_text() -> None:
    engine = make_engine()
    ask(engine, "a", b"hello")
    engine.step()
    progress = engine.cancel("a")
    assert progress is not None
    assert (progress.text, progress.finish_reason, engine.has_work) == ("", "cancelled", False)


def test_a_failed_step_drops_everything_and_the_next_request_is_served() -> None:
    engine = make_engine(ScriptedRunner(ANSWERS, fails_on=b"bad"))
    ask(engine, "a", b"bad")
    with pytest.raises(EngineError):
        engine.step()
    assert engine.drop_all() == ("a",)
    ask(engine, "b", b"count")
    assert run_out(engine) == {"b": "one two three"}


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(ANSWERS)), st.integers(0, 12)), min_size=1, max_size=8
    ),
    st.integers(1, 3),
    st.integers(3, 9),
)
def test_no_neighbor_changes_an_answer(
    requests: list[tuple[bytes, int]], slots: int, step_tokens: int
) -> None:
    engine = make_engine(slots=slots, step=step_tokens)
    texts: dict[str, str] = {}
    pending = list(enumerate(requests))
    clock = 0
    while pending or engine.has_work:
        for index, (prompt, _) in [p for p in pending if p[1][1] <= clock]:
            ask(engine, str(index), prompt)
        pending = [p for p in pending if p[1][1] > clock]
        clock += 1
        for progress in engine.step().progress if engine.has_work else ():
            texts[progress.request_id] = texts.get(progress.request_id, "") + progress.text
    assert texts == {str(i): ANSWERS[prompt].decode() for i, (prompt, _) in enumerate(requests)}
