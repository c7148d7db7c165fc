from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from edgeinfer.runtime import LaunchOptions
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Listener
from edgeinfer.service import Service
from edgeinfer.worker.policy import WatchPolicy
from tests.e2e.installation import guide, runtime

SLOTS = 4
CONTEXT_TOKENS = 512

OPTIONS = LaunchOptions(
    context_tokens=CONTEXT_TOKENS, slots=SLOTS, policy=WatchPolicy(backoff_s=(0.0,))
)

Complete = Callable[..., Any]


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """The guide in a real worker, restarted at once when it dies."""
    with runtime().open_service(guide(), OPTIONS) as service:
        yield service


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[openai.OpenAI]:
    """The official client of a server on this machine."""
    with Listener() as listener:
        listener.start_in_thread(build_app(service, version="0.1.0"))
        with openai.OpenAI(
            base_url=f"{listener.url}/v1", api_key="none", timeout=60, max_retries=0
        ) as client:
            yield client


@pytest.fixture
def complete(client: openai.OpenAI) -> Complete:
    def complete(content: str, **fields: object) -> Any:
        """A greedy chat completion of one message."""
        return client.chat.completions.create(
            **{
                "model": "default",
                "messages": [{"role": "user", "content": content}],
                "temperature": 0,
                "max_tokens": 24,
                **fields,
            }
        )

    return complete
