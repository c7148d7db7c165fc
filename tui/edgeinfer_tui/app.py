"""The application: one screen, its theme and its keys."""

from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from edgeinfer.errors import EdgeinferError
from edgeinfer_tui.screens.main import MainScreen
from edgeinfer_tui.source import Asker, SnapshotSource
from edgeinfer_tui.theme import THEME

# Columns and rows from which on the screen carries a class; the style sheet does the rest.
WIDTHS: list[tuple[int, str]] | None = [(0, "-narrow"), (100, "-normal"), (150, "-wide")]
HEIGHTS: list[tuple[int, str]] | None = [(0, "-short"), (32, "-tall")]


class EdgeinferApp(App[None]):
    """Shows a service's snapshots until somebody quits."""

    CSS_PATH = "edgeinfer.tcss"
    TITLE = "edgeinfer"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", key_display="q"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, source: SnapshotSource, asker: Asker, *, description: str = "") -> None:
        # Said here and not only by the theme, because the filter for NO_COLOR is chosen before the
        # theme is set; the other filter paints black on black (Textual 8.2.8).
        super().__init__(ansi_color=True)
        self._source = source
        self._asker = asker
        self._description = description
        self.register_theme(THEME)
        self.theme = THEME.name

    def get_default_screen(self) -> MainScreen:
        """The one screen below all others."""
        return MainScreen(self._source, self._asker, description=self._description)


def build_app(source: SnapshotSource, asker: Asker, *, description: str = "") -> EdgeinferApp:
    """The application, ready to be run or to be tested."""
    return EdgeinferApp(source, asker, description=description)


def run_screen(
    source: SnapshotSource, asker: Asker, *, description: str = "", headless: bool = False
) -> None:
    """Show the screen until it is quit; `description` says what the model is good for.

    Raises EdgeinferError if it broke down; its trace is then already on stderr.
    """
    app = build_app(source, asker, description=description)
    app.run(headless=headless)
    if app.return_code:
        raise EdgeinferError(
            "The screen broke down.",
            hint="The service itself also runs without it: edgeinfer serve.",
        )
