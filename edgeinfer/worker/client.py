"""A request's progress as an iterator."""

from collections.abc import Iterator
from queue import SimpleQueue

from edgeinfer.worker.failures import to_error
from edgeinfer.worker.protocol import Failed, Generate, Progress
from edgeinfer.worker.supervisor import Supervisor


def stream_progress(supervisor: Supervisor, request: Generate) -> Iterator[Progress]:
    """Submit a request and yield its progress to the end; leaving the loop early cancels it.

    Raises the request's error, whichever class of edgeinfer.errors that is.
    """
    inbox: SimpleQueue[Progress | Failed] = SimpleQueue()
    supervisor.submit(request, inbox.put)
    finished = False
    try:
        while not finished:
            message = inbox.get()
            finished = isinstance(message, Failed) or message.finish_reason is not None
            if isinstance(message, Failed):
                raise to_error(message)
            yield message
    finally:
        if not finished:
            supervisor.cancel(request.request_id)
