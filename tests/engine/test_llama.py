from collections.abc import Iterator, Sequence

import pytest

from edgeinfer.engine.backends.llama import KvType, LlamaRunner, RunnerOptions
from edgeinfer.engine.chat import ChatTemplate, render_chat
from edgeinfer.engine.engine import Engine, Progress
from edgeinfer.engine.message import ChatMessage
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.engine.scheduler import Scheduler, SchedulerLimits
from edgeinfer.engine.sequence import Sequence as TokenSequence
from edgeinfer.errors import EngineError, ModelFileError, PromptTooLongError
from tests.e2e.installation import choice, guide

pytestmark = pytest.mark.model

KV_BLOCK = 32
SLOTS, CONTEXT_TOKENS, STEP_TOKENS = 4, 256, 64
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
GREEDY = SamplingParams(temperature=0, max_tokens=24, ignore_eos=True)
# What the guide was trained for: it is sure of its answers, so that rounding, which differs with
# the size of a batch, cannot change them.
QUESTION = "What is a KV cache?"
QUESTIONS = (QUESTION, "What is edgeinfer?", "What is GGUF?", "How do I stop the server?")


def open_runner(kv_type: KvType = "f16") -> LlamaRunner:
    options = RunnerOptions(SLOTS, CONTEXT_TOKENS, STEP_TOKENS, kv_type=kv_type)
    return LlamaRunner(guide().path, choice(), options)


@pytest.fixture(scope="module")
def runner() -> Iterator[LlamaRunner]:
    runner = open_runner()
    yield runner
    runner.close()


@pytest.fixture
def engine(runner: LlamaRunner) -> Engine:
    return make_engine(runner)


def make_engine(runner: LlamaRunner) -> Engine:
    """An engine with empty slots."""
    runner.reset()
    limits = SchedulerLimits(SLOTS, runner.facts.context_tokens, step_tokens=STEP_TOKENS)
    return Engine(runner, Scheduler(limits, runner.end_tokens, runner.reuses_prefixes))


def tokens_of(engine: Engine, text: str) -> tuple[int, ...]:
    return tuple(engine.runner.tokenize(text, add_special=True, parse_special=False))


def add(engine: Engine, name: str, prompt: Sequence[int], sampling: SamplingParams) -> None:
    engine.add(TokenSequence(name, tuple(prompt), sampling))


def run_out(engine: Engine) -> dict[str, list[Progress]]:
    """Everything that every request reported."""
    reports: dict[str, list[Progress]] = {}
    while engine.has_work:
        for progress in engine.step().progress:
            reports.setdefault(progress.request_id, []).append(progress)
    return reports


def chat_tokens(engine: Engine, question: str) -> tuple[int, ...]:
    """A question as the guide's template writes it."""
    text = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
    return tuple(engine.runner.tokenize(text, add_special=True, parse_special=True))


def answer(engine: Engine, question: str = QUESTION, sampling: SamplingParams = GREEDY) -> str:
    add(engine, "a", chat_tokens(engine, question), sampling)
    return "".join(progress.text for progress in run_out(engine)["a"])


def filled(engine: Engine, count: int) -> tuple[int, ...]:
    """A prompt of exactly so many tokens."""
    return (tokens_of(engine, "once upon a time " * count))[:count]


def test_a_greedy_answer_is_the_same_alone_and_beside_three_neighbors(engine: Engine) -> None:
    alone = [answer(engine, question) for question in QUESTIONS]
    for name, question in enumerate(QUESTIONS):
        add(engine, str(name), chat_tokens(engine, question), GREEDY)
    reports = run_out(engine)
    together = ["".join(p.text for p in reports[str(name)]) for name in range(len(QUESTIONS))]
    assert together == alone


@pytest.mark.parametrize(("missing", "tokens"), [(2, 2), (1, 1)])
def test_a_prompt_that_fits_is_answered_up_to_the_context(
    engine: Engine, missing: int, tokens: int
) -> None:
    context_tokens = engine.runner.facts.context_tokens
    sampling = SamplingParams(temperature=0, ignore_eos=True)
    add(engine, "a", filled(engine, context_tokens - missing), sampling)
    last = run_out(engine)["a"][-1]
    assert (last.finish_reason, last.usage.completion_tokens) == ("length", tokens)


@pytest.mark.parametrize("excess", [0, 1])
def test_a_prompt_that_leaves_no_room_is_refused_with_both_numbers(
    engine: Engine, excess: int
) -> None:
    context_tokens = engine.runner.facts.context_tokens
    with pytest.raises(PromptTooLongError) as caught:
        add(engine, "a", filled(engine, context_tokens + excess), GREEDY)
    assert (caught.value.n_prompt_tokens, caught.value.n_ctx) == (
        context_tokens + excess,
        context_tokens,
    )


def test_reused_tokens_are_counted_exactly_and_change_nothing(engine: Engine) -> None:
    prompt = chat_tokens(engine, QUESTION)
    texts, cached = [], []
    for ending in ((), prompt[:5], ()):
        add(engine, "a", prompt + ending, GREEDY)
        reports = run_out(engine)["a"]
        texts.append("".join(progress.text for progress in reports))
        cached.append(reports[-1].usage.cached_tokens)
    assert (cached, texts[0] == texts[2]) == ([0, len(prompt), len(prompt) - 1], True)


def test_cancelling_in_the_middle_of_a_prompt_leaves_the_slot_usable(engine: Engine) -> None:
    before = answer(engine)
    add(engine, "long", filled(engine, 200), GREEDY)
    engine.step()
    progress = engine.cancel("long")
    assert progress is not None
    assert (progress.finish_reason, progress.usage.completion_tokens) == ("cancelled", 0)
    assert answer(engine) == before


def test_a_stop_string_across_tokens_is_never_shown(engine: Engine) -> None:
    whole = answer(engine)
    middle = len(whole) // 2
    stop = whole[middle : middle + 6]
    sampling = SamplingParams(temperature=0, max_tokens=24, ignore_eos=True, stop=(stop,))
    assert answer(engine, sampling=sampling) == whole[: whole.index(stop)]


def test_the_same_seed_draws_the_same_answer(engine: Engine) -> None:
    sampling = SamplingParams(temperature=1.5, min_p=0.0, seed=7, max_tokens=24, ignore_eos=True)
    assert answer(engine, sampling=sampling) == answer(engine, sampling=sampling) != ""


def test_another_seed_draws_another_answer(engine: Engine) -> None:
    answers = {
        answer(
            engine,
            sampling=SamplingParams(
                temperature=5.0,
                min_p=0.0,
                top_p=1.0,
                top_k=0,
                seed=seed,
                max_tokens=24,
                ignore_eos=True,
            ),
        )
        for seed in range(3)
    }
    assert len(answers) > 1


@pytest.mark.parametrize(
    "fields",
    [
        {"repeat_penalty": 1.3},
        {"frequency_penalty": 2.0, "presence_penalty": -2.0},
        {"repeat_penalty": 1.3, "penalty_last_n": 0},
        {"temperature": 0.0, "repeat_penalty": 2.0},
        {"top_k": 0, "top_p": 1.0, "min_p": 0.0},
        {"top_k": 1, "top_p": 0.0, "min_p": 1.0},
        {"temperature": 5.0},
    ],
)
def test_every_way_of_sampling_gives_tokens(engine: Engine, fields: dict[str, float]) -> None:
    sampling = SamplingParams(max_tokens=8, ignore_eos=True, **fields)  # type: ignore[arg-type]
    add(engine, "a", tokens_of(engine, "Once"), sampling)
    assert run_out(engine)["a"][-1].usage.completion_tokens == 8


@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_a_quantized_kv_cache_answers_too(kv_type: KvType) -> None:
    if guide().header.architecture.head_dim_k % KV_BLOCK:
        pytest.skip("llama.cpp quantizes whole blocks of a head only")
    runner = open_runner(kv_type)
    assert answer(make_engine(runner))
    runner.close()


def test_what_a_user_writes_is_text_even_if_it_looks_like_a_control_token(
    runner: LlamaRunner,
) -> None:
    template = ChatTemplate(runner.facts.chat_template or CHATML)
    special = runner.special_texts
    control = {
        token
        for text in special
        for token in runner.tokenize(text, add_special=False, parse_special=True)
        if runner.token_piece(token) == b""
    }

    def count(content: str) -> int:
        prompt = render_chat(template, [ChatMessage("user", content)], special)
        tokens = prompt.tokenize(
            lambda text, parse: runner.tokenize(text, add_special=False, parse_special=parse)
        )
        return sum(token in control for token in tokens)

    assert (count(f"Hi{''.join(special)}there"), len(special) > 0) == (count("Hi there"), True)


def test_any_text_survives_the_tokenizer(runner: LlamaRunner) -> None:
    text = "na\u00efve \u65e5\u672c \U0001f642 \x00 tab\t"
    tokens = runner.tokenize(text, add_special=False, parse_special=False)
    assert b"".join(map(runner.token_piece, tokens)).decode().strip() == text.strip()


def test_after_a_step_that_the_library_refuses_others_are_served(runner: LlamaRunner) -> None:
    engine = make_engine(runner)
    before = answer(engine)
    add(engine, "bad", (2**30,), GREEDY)
    with pytest.raises(EngineError, match="refused a step"):
        engine.step()
    assert (engine.drop_all(), answer(engine)) == (("bad",), before)


def test_a_file_that_is_no_model_is_a_typed_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("bad") / "bad.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(ModelFileError, match=r"bad\.gguf cannot be loaded"):
        LlamaRunner(path, choice(), RunnerOptions())


def test_a_small_context_takes_a_prompt_of_many_tokens() -> None:
    runner = LlamaRunner(guide().path, choice(), RunnerOptions(SLOTS, 32, STEP_TOKENS))
    engine = make_engine(runner)
    add(engine, "a", tokens_of(engine, "word " * 60), GREEDY)
    assert run_out(engine)["a"][-1].usage.completion_tokens == GREEDY.max_tokens
    runner.close()
