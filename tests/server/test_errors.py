import openai
import pytest

from edgeinfer import errors
from edgeinfer.server.errors import redact, to_problem
from edgeinfer.testing import ScriptedService

HI = [{"role": "user", "content": "Hi"}]
TOO_LONG = errors.PromptTooLongError(5000, 2048)
CRASH = errors.WorkerCrashedError("The worker process ended with SIGSEGV.", hint="Again.")

TABLE = [
    (TOO_LONG, 400, "context_length_exceeded"),
    (errors.InvalidRequestError("No.", param="seed"), 400, "invalid_request"),
    (errors.UnknownModelError("No."), 404, "model_not_found"),
    (
        errors.InsufficientMemoryError("No.", needed_bytes=2, free_bytes=1),
        507,
        "insufficient_memory",
    ),
    (errors.QueueFullError("Full.", retry_after_s=1), 429, "queue_full"),
    (errors.QuarantinedError("No."), 400, "quarantined"),
    (errors.WorkerStartError("No."), 503, "worker_start"),
    (CRASH, 502, "worker_crashed"),
    (errors.WorkerHungError("No."), 502, "worker_hung"),
    (errors.ModelFileError("No."), 500, "model_file"),
    (errors.EngineError("No."), 500, "engine"),
]


@pytest.mark.parametrize(("error", "status", "code"), TABLE)
def test_every_error_has_a_status_and_a_code(error, status, code):
    problem = to_problem(error)
    assert (problem.status, problem.code) == (status, code)


@pytest.mark.parametrize(("error", "status", "code"), TABLE)
def test_an_error_is_the_same_whether_raised_or_heard(stage, ask, error, status, code):
    for service in (ScriptedService(refusal=error), ScriptedService([error])):
        stage.play(service)
        responses = [ask(), ask(stream=True)]
        assert [response.status_code for response in responses] == [status] * 2
        assert [response.json()["error"]["code"] for response in responses] == [code] * 2


def test_a_prompt_that_is_too_long_is_typed_and_has_its_figures(stage, sdk):
    stage.play(ScriptedService([TOO_LONG]))
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model="default", messages=HI)
    assert (caught.value.code, caught.value.type) == (
        "context_length_exceeded",
        "invalid_request_error",
    )
    assert (caught.value.body["n_prompt_tokens"], caught.value.body["n_ctx"]) == (5000, 2048)
    assert caught.value.request_id


def test_the_hint_follows_the_sentence(stage, ask):
    stage.play(ScriptedService([TOO_LONG]))
    message = ask().json()["error"]["message"]
    assert "5,000 tokens" in message
    assert message.endswith("Shorten the prompt, or raise the context with --context.")


def test_an_unknown_model_is_not_found_and_told_what_is_served(stage, sdk):
    stage.play(ScriptedService())
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.chat.completions.create(model="gpt-4o", messages=HI)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "scripted-0.1b" in caught.value.message


@pytest.mark.parametrize("model", ["scripted-0.1b", "Scripted 0.1B", "edgeinfer", "default", None])
def test_the_served_model_answers_to_its_names(stage, ask, model):
    stage.play(ScriptedService())
    assert ask(model=model).json()["model"] == "scripted-0.1b"


@pytest.mark.parametrize(
    "error", [TOO_LONG, errors.WorkerStartError("No."), errors.EngineError("No.")]
)
def test_a_permanent_failure_is_asked_for_once(stage, sdk, error):
    stage.play(ScriptedService(refusal=error))
    with pytest.raises(openai.APIStatusError):
        sdk.chat.completions.create(model="default", messages=HI)
    assert len(stage.paths) == 1


def test_a_full_queue_is_a_rate_limit_with_a_time_to_come_back(stage, sdk):
    stage.play(ScriptedService(refusal=errors.QueueFullError("Full.", retry_after_s=500.5)))
    with pytest.raises(openai.RateLimitError) as caught:
        sdk.with_options(max_retries=0).chat.completions.create(model="default", messages=HI)
    assert caught.value.type == "rate_limit_error"
    assert caught.value.response.headers["retry-after"] == "120"
    assert "x-should-retry" not in caught.value.response.headers


def test_a_failure_in_mid_stream_is_an_error_and_no_short_answer(stage, sdk, gate):
    stage.play(ScriptedService(["half an", gate, CRASH]))
    chunks = iter(sdk.chat.completions.create(model="default", messages=HI, stream=True))
    assert [next(chunks).choices[0].delta.content for _ in range(2)] == ["", "half an"]
    gate.set()
    with pytest.raises(openai.APIError, match=r"ended with SIGSEGV\. Again\.") as caught:
        next(chunks)
    assert caught.value.code == "worker_crashed"


def test_a_failed_stream_is_not_done(stage, client, gate):
    stage.play(ScriptedService(["half an", gate, CRASH]))
    body = {"messages": HI, "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        gate.set()
        events = response.read()
    assert b'data: {"error":{"message":' in events
    assert b"[DONE]" not in events


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_somebody_cancelled_is_an_error(stage, ask, stream):
    stage.play(ScriptedService([], finish_reason="cancelled"))
    response = ask(stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "cancelled")


def test_a_fault_of_ours_is_told_without_its_cause(stage, client, caplog):
    class Faulty(ScriptedService):
        def snapshot(self):
            raise RuntimeError("secret")

    stage.play(Faulty())
    response = client.get("/health")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in caplog.text


def test_after_a_fault_of_ours_no_client_sends_on_the_dying_connection(stage, client, caplog):
    class Faulty(ScriptedService):
        def snapshot(self):
            raise RuntimeError

    stage.play(Faulty())
    assert client.get("/health").headers["connection"] == "close"
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize(
    ("sentence", "safe"),
    [
        ("Cannot read /home/ann/models/x.gguf.", "Cannot read <path>."),
        ("No ~/.cache/x and C:\\Users\\Ann\\x.", "No <path> and <path>."),
        ("'/tmp/a b' at 0x7f00dead", "'<path> b' at <address>"),
        ("It runs at 5 tokens/s and/or 3 J.", "It runs at 5 tokens/s and/or 3 J."),
    ],
)
def test_paths_and_addresses_stay_inside(sentence, safe):
    assert redact(sentence) == safe


def test_an_error_from_inside_shows_no_path(stage, ask):
    stage.play(ScriptedService(refusal=errors.ModelFileError("/srv/models/x.gguf is cut short.")))
    assert ask().json()["error"]["message"] == "<path> is cut short."
