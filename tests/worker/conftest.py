from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from queue import SimpleQueue

import pytest

from edgeinfer.engine import native
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import Failed, Generate, Progress, Start
from edgeinfer.worker.supervisor import Supervisor

GUIDE = Path(str(files("edgeinfer_models") / "edgeinfer-guide-Q8_0.gguf"))
QUICK = WatchPolicy(backoff_s=(0.0,))


@pytest.fixture(scope="session")
def choice(tmp_path_factory: pytest.TempPathFactory) -> native.NativeChoice:
    """The variant that works here, found once for the whole run."""
    file = tmp_path_factory.mktemp("native") / "native.json"
    store = native.VariantStore(file, "this machine", native.library_folder())
    return native.native_choice(store)


@pytest.fixture(scope="session")
def start(choice: native.NativeChoice) -> Start:
    return Start(
        model_path=str(GUIDE),
        cpu_library=str(choice.cpu_library),
        variant=choice.variant,
        slots=2,
        threads=1,
        context_tokens=512,
    )


@pytest.fixture
def supervisor(start: Start) -> Iterator[Supervisor]:
    with Supervisor(start, policy=QUICK) as supervisor:
        supervisor.wait_ready()
        yield supervisor


def request(name: str, prompt: str = "What is a KV cache?", *, endless: bool = False) -> Generate:
    """A greedy request; an endless one fills its context."""
    sampling = SamplingParams(temperature=0, ignore_eos=endless, max_tokens=None if endless else 24)
    return Generate(request_id=name, prompt=prompt, sampling=sampling)


class Inbox:
    """Collects what a listener hears."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Progress | Failed] = SimpleQueue()
        self.listener: Callable[[Progress | Failed], None] = self._queue.put

    def first(self) -> Progress | Failed:
        return self._queue.get(timeout=20)

    def last(self) -> Progress | Failed:
        while True:
            message = self._queue.get(timeout=20)
            if isinstance(message, Failed) or message.finish_reason:
                return message
