"""The requests, newest first."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.reactive import var
from textual.widgets import Static

from edgeinfer.metrics import RequestMetrics, Snapshot
from edgeinfer_tui.figures import QUIET, clean_line, show_joules, show_rate, show_seconds

GAP = "  "
SHORT_ID = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table; a negative width puts its text at the left."""

    title: str
    width: int
    show: Callable[[RequestMetrics], str | Text]


def shorten_id(request: RequestMetrics) -> str:
    """The first characters of an id after its prefix, as in "chatcmpl-"."""
    return clean_line(request.request_id).rpartition("-")[2][:SHORT_ID]


COLUMNS = (
    Column("Id", -SHORT_ID, shorten_id),
    Column("State", -9, lambda request: request.state),
    Column("Prompt", 6, lambda request: str(request.usage.prompt_tokens)),
    Column("Reused", 6, lambda request: str(request.usage.cached_tokens)),
    Column("Answer", 6, lambda request: str(request.usage.completion_tokens)),
    Column("1st token", 9, lambda request: show_seconds(request.ttft_s)),
    Column("Tokens/s", 8, lambda request: show_rate(request.decode_tokens_per_s)),
    Column("Energy", 9, lambda request: show_joules(request.energy)),
)


class RequestsPanel(Vertical):
    """A table that scrolls under its own head."""

    snapshot: var[Snapshot | None] = var(None)
    load: var[str] = var("")

    def compose(self) -> ComposeResult:
        """Head and body."""
        yield Static(_lay_out([Text(column.title, QUIET) for column in COLUMNS]), id="head")
        with VerticalScroll():
            yield Static(id="body", markup=False)

    def watch_load(self, load: str) -> None:
        """Name the panel; setting a title draws the whole panel again, so only when it changes."""
        self.border_title = f"Requests: {load}"

    def watch_snapshot(self, snapshot: Snapshot | None) -> None:
        """Show what has changed."""
        if snapshot is None or not self.is_mounted:
            return
        self.load = f"{snapshot.running} running, {snapshot.waiting} waiting"
        body = self.query_one("#body", Static)
        text = describe_requests(snapshot)
        if text != body.content:
            body.update(text)


def describe_requests(snapshot: Snapshot) -> Text:
    """A line each, or what to do to get one."""
    if not snapshot.requests:
        return Text(_invite(snapshot), QUIET)
    rows = (_lay_out([_cell(column, it) for column in COLUMNS]) for it in snapshot.requests)
    return Text("\n").join(rows)


def _invite(snapshot: Snapshot) -> str:
    if snapshot.endpoint is None:
        return "None yet. Press / to ask something."
    return f"None yet. Press / to ask something, or point a client at {snapshot.endpoint}"


def _cell(column: Column, request: RequestMetrics) -> Text:
    shown = column.show(request)
    return Text(shown) if isinstance(shown, str) else shown


def _lay_out(cells: list[Text]) -> Text:
    line = Text(no_wrap=True)
    for cell, column in zip(cells, COLUMNS, strict=True):
        line.append(GAP if line else "")
        blank = " " * (abs(column.width) - cell.cell_len)
        line.append_text(cell + blank if column.width < 0 else Text(blank) + cell)
    return line
