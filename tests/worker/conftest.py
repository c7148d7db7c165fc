import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import Start
from edgeinfer.worker.supervisor import Supervisor

SCRIPT = Path(__file__).with_name("scripted_child.py")
QUICK = WatchPolicy(backoff_s=(0.0,))

Open = Callable[..., Supervisor]


def start_message(**fields: object) -> Start:
    return Start(**{"model_path": "", "cpu_library": "", "variant": "", "slots": 2, **fields})  # type: ignore[arg-type]


@pytest.fixture
def open_supervisor() -> Iterator[Open]:
    """Start a scripted worker in a mode of scripted_child.py."""
    with ExitStack() as stack:

        def open_supervisor(
            mode: str = "serve", *, policy: WatchPolicy = QUICK, **fields: object
        ) -> Supervisor:
            command = (sys.executable, str(SCRIPT), mode)
            start = start_message(**fields)
            return stack.enter_context(Supervisor(start, policy=policy, command=command))

        yield open_supervisor


@pytest.fixture
def supervisor(open_supervisor: Open) -> Supervisor:
    """A scripted worker that answers."""
    supervisor = open_supervisor()
    supervisor.wait_ready()
    return supervisor
