"""Tokens per second, now and over the last seconds."""

from rich.text import Text
from textual.reactive import var
from textual.widgets import Static

from edgeinfer.metrics import Snapshot
from edgeinfer_tui.figures import QUIET, STRONG, show_rate
from edgeinfer_tui.plot import plot_bars

# The lines above the plot.
TEXT_LINES = 1


class SpeedPanel(Static):
    """As many seconds as the panel has columns, so that the plot moves evenly."""

    snapshot: var[Snapshot | None] = var(None)

    def on_mount(self) -> None:
        """Name the panel."""
        self.border_title = "Speed"

    def on_resize(self) -> None:
        """Fill the new width."""
        self.watch_snapshot(self.snapshot)

    def watch_snapshot(self, snapshot: Snapshot | None) -> None:
        """Draw what has changed."""
        width, height = self.content_size
        if snapshot is None or width == 0:
            return
        text = describe_speed(snapshot, width=width, height=max(1, height - TEXT_LINES))
        if text != self.content:
            self.update(text, layout=False)


def describe_speed(snapshot: Snapshot, *, width: int, height: int) -> Text:
    """The rate, what the plot spans, and the plot."""
    shown = snapshot.history[-width:]
    span = f"peak {show_rate(max(shown))} in {len(shown)} s" if shown else "no history yet"
    bars = plot_bars(shown, width=width, height=height)
    bars.stylize("blue")
    return Text.assemble(
        (f"{show_rate(snapshot.tokens_per_s)} tokens/s", STRONG), (f"  {span}\n", QUIET), bars
    )
