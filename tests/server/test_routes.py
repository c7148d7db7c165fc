import msgspec
import pytest

from edgeinfer.metrics import Snapshot
from edgeinfer.testing import ScriptedService

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def service(stage):
    return stage.play(ScriptedService())


def test_the_list_of_models_has_the_served_one(sdk):
    (model,) = sdk.models.list().data
    assert (model.id, model.owned_by, model.object) == ("scripted-0.1b", "edgeinfer", "model")
    assert (model.context_length, model.quantization) == (2048, "Q4_K_M")


def test_a_model_is_found_by_its_alias(sdk):
    assert sdk.models.retrieve("default").id == "scripted-0.1b"


@pytest.mark.parametrize("name", ["other", "a/b", "../../etc/passwd", "%2e%2e", "C:%5C"])
def test_an_unknown_model_is_not_found(client, name):
    response = client.get(f"/v1/models/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("state", ["loading", "ready", "restarting", "failed"])
def test_health_tells_that_the_process_lives(stage, client, state):
    stage.play(ScriptedService(state=state))
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "worker": state, "version": "0.1.0"}


def test_ready_tells_that_requests_are_answered(client):
    assert client.get("/ready").json() == {"status": "ready", "model": "scripted-0.1b"}


@pytest.mark.parametrize("state", ["loading", "restarting"])
def test_a_model_that_is_being_loaded_will_be_ready(stage, client, state):
    stage.play(ScriptedService(state=state))
    response = client.get("/ready")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.json()["error"]["code"] == "model_loading"


def test_a_model_that_failed_is_not_worth_a_retry(stage, client):
    stage.play(ScriptedService(state="failed"))
    response = client.get("/ready")
    assert (response.status_code, response.headers["x-should-retry"]) == (503, "false")


def test_the_snapshot_reads_back_as_it_was(service, client):
    content = client.get("/edgeinfer/v1/snapshot").content
    assert msgspec.json.decode(content, type=Snapshot) == service.snapshot()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("POST", "/v1/chat/completions/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("OPTIONS", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models/default", 405),
        ("POST", "/health", 405),
        ("POST", "/v1/completions", 501),
        ("POST", "/v1/embeddings", 501),
        ("POST", "/v1/responses", 501),
        ("POST", "/v1/audio/speech", 501),
        ("POST", "/v1/images/generations", 501),
    ],
)
def test_a_route_that_is_not_served_says_so_in_json(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert response.headers["x-should-retry"] == "false"


def test_a_wrong_method_is_told_the_right_one(client):
    assert client.get("/v1/chat/completions").headers["allow"] == "POST"


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/v1/chat/completions", 405)])
def test_head_has_no_body(client, path, status):
    response = client.head(path)
    assert (response.status_code, response.content) == (status, b"")
