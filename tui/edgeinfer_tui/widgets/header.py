"""Which model runs where, how clients reach it, and how it is."""

from rich.text import Text
from textual.reactive import var

from edgeinfer.metrics import ServiceState, Snapshot
from edgeinfer_tui.figures import DASH, QUIET, STRONG, clean_line, show_uptime
from edgeinfer_tui.widgets.rows import Row, Rows

# A shape, its color and a word: the color only repeats the other two, and words keep the
# terminal's own color because yellow on white cannot be read.
STATES: dict[ServiceState, tuple[str, str]] = {
    "loading": ("○", "yellow"),
    "ready": ("●", "green"),
    "restarting": ("◌", "yellow"),
    "failed": ("■", "red"),
}
NO_ENDPOINT: dict[ServiceState, str] = {
    "loading": "no address until the model is loaded",
    "ready": "no server was asked for",
    "restarting": "no server was asked for",
    "failed": "the service is not running",
}


class HeaderPanel(Rows):
    """The top of the screen."""

    snapshot: var[Snapshot | None] = var(None)

    def __init__(self, description: str = "") -> None:
        super().__init__()
        self._description = description

    def watch_snapshot(self, snapshot: Snapshot | None) -> None:
        """Say it in three rows."""
        if snapshot is not None:
            self.show(describe_service(snapshot, self._description))


def describe_service(snapshot: Snapshot, description: str = "") -> tuple[Row, ...]:
    """State and model, address and uptime, device."""
    model = Text.assemble(
        (clean_line(snapshot.model), STRONG),
        f", {clean_line(snapshot.quantization)}",
        (f"  {clean_line(description)}", QUIET),
    )
    return (
        (Text.assemble(STATES[snapshot.state], (f" {snapshot.state}", STRONG)), model),
        (Text("Endpoint", QUIET), _say_endpoint(snapshot)),
        (Text("Device", QUIET), Text(clean_line(snapshot.device))),
    )


def _say_endpoint(snapshot: Snapshot) -> Text:
    health = f"   up {show_uptime(snapshot.uptime_s)}, {_say_restarts(snapshot.worker_restarts)}"
    if snapshot.endpoint is None:
        return Text.assemble(DASH, f" {NO_ENDPOINT[snapshot.state]}", health)
    return Text.assemble((snapshot.endpoint, "bold underline"), health)


def _say_restarts(count: int) -> str:
    if count == 0:
        return "no worker restarts"
    return f"{count} worker restart" + ("s" if count > 1 else "")
