"""Requests for a scripted worker, and an ear for what it says."""

from queue import SimpleQueue

from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.worker.protocol import Failed, Generate, Progress
from edgeinfer.worker.supervisor import Supervisor

WAIT_S = 30
ENDLESS = SamplingParams(temperature=0, ignore_eos=True)


def request(name: str, prompt: str = "hello", *, endless: bool = False) -> Generate:
    """A request that is answered with its own prompt; an endless one fills its context."""
    sampling = ENDLESS if endless else SamplingParams(temperature=0)
    return Generate(request_id=name, prompt=prompt, sampling=sampling)


class Inbox:
    """Collects what a listener hears."""

    def __init__(self) -> None:
        self._messages: SimpleQueue[Progress | Failed] = SimpleQueue()
        self.listener = self._messages.put

    def first(self) -> Progress | Failed:
        """The next message."""
        return self._messages.get(timeout=WAIT_S)

    def all(self) -> list[Progress | Failed]:
        """Every message up to the final one."""
        messages = [self.first()]
        while isinstance(messages[-1], Progress) and not messages[-1].finish_reason:
            messages.append(self.first())
        return messages

    def last(self) -> Progress | Failed:
        """The final message."""
        return self.all()[-1]

    def failure(self) -> Failed:
        """The final message, which must be a failure."""
        message = self.last()
        assert isinstance(message, Failed)
        return message


def send(
    supervisor: Supervisor, name: str, prompt: str = "hello", *, endless: bool = False
) -> Inbox:
    """Submit a request."""
    inbox = Inbox()
    supervisor.submit(request(name, prompt, endless=endless), inbox.listener)
    return inbox


def begin(supervisor: Supervisor, name: str, prompt: str = "hello") -> Inbox:
    """Submit an endless request and wait until it runs."""
    inbox = send(supervisor, name, prompt, endless=True)
    inbox.first()
    return inbox


def text_of(inbox: Inbox) -> str:
    """The whole answer."""
    return "".join(message.text for message in inbox.all() if isinstance(message, Progress))
