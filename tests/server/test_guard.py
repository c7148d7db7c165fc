import asyncio

import pytest

from edgeinfer.server.guard import Guard
from edgeinfer.testing import ScriptedService


@pytest.fixture
def get(stage, client):
    stage.play(ScriptedService())

    def get(**headers):
        return client.get("/health", headers=headers)

    return get


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]", "[::1]:80"]
)
def test_loopback_names_are_served(get, host):
    assert get(host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "192.168.1.5",
        "localhost:port",
        "",
    ],
)
def test_other_names_are_misdirected(get, host):
    response = get(host=host)
    assert (response.status_code, response.json()["error"]["code"]) == (421, "wrong_host")


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5"])
def test_pages_of_this_machine_are_served(get, origin):
    assert get(origin=origin).status_code == 200


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://localhost.evil.example", "file://", ""]
)
def test_pages_from_elsewhere_are_refused(get, origin):
    response = get(origin=origin)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "wrong_origin")


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000"])
def test_no_page_may_read_an_answer(get, origin):
    assert not [name for name in get(origin=origin).headers if name.startswith("access-control")]


def test_every_answer_has_a_number_of_its_own(get):
    numbers = {get().headers["x-request-id"], get(host="evil.example").headers["x-request-id"]}
    assert len(numbers) == 2


def test_an_answer_does_not_name_its_server(get):
    assert "server" not in get().headers


def test_what_is_no_request_is_passed_on():
    scopes = []

    async def app(scope, _receive, _send):
        scopes.append(scope)

    asyncio.run(Guard(app)({"type": "lifespan"}, None, None))
    assert scopes == [{"type": "lifespan"}]
