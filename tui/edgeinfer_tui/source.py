"""What a screen needs of the service: snapshots to show and somebody to ask."""

from typing import Protocol

from edgeinfer.metrics import Snapshot
from edgeinfer.service import UpdateListener


class SnapshotSource(Protocol):
    """Gives all figures of one instant; asked four times a second, so it returns at once."""

    def snapshot(self) -> Snapshot:
        """What there is to show now."""
        ...


class Asker(Protocol):
    """Takes questions that are typed on the screen."""

    def ask(self, prompt: str, listener: UpdateListener) -> str:
        """Queue a question and return its request id at once.

        `listener` hears deltas and then one Receipt or one error, on any thread. Raises
        EdgeinferError if the question is refused.
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Stop a request wherever it is."""
        ...
