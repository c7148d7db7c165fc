"""The screen that runs while the service does: its figures, its requests and a place to ask."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Footer, Input

from edgeinfer.metrics import Snapshot
from edgeinfer_tui.exchange import Answer, Exchange
from edgeinfer_tui.screens.help import HelpScreen
from edgeinfer_tui.source import Asker, SnapshotSource
from edgeinfer_tui.widgets.answer import AnswerPanel
from edgeinfer_tui.widgets.energy import EnergyPanel
from edgeinfer_tui.widgets.header import HeaderPanel
from edgeinfer_tui.widgets.money import MoneyPanel
from edgeinfer_tui.widgets.prompt import Prompt
from edgeinfer_tui.widgets.requests import RequestsPanel
from edgeinfer_tui.widgets.speed import SpeedPanel

REFRESH_S = 0.25


class MainScreen(Screen[None]):
    """Fetches a snapshot and the answer's newest words four times a second for its panels."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "focus_prompt", "Ask", key_display="/"),
        Binding("i", "focus_prompt", "Ask", show=False),
        Binding("escape", "stop", "Stop or close", key_display="esc"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("pageup", "scroll_work(-1)", "Scroll up", show=False),
        Binding("pagedown", "scroll_work(1)", "Scroll down", show=False),
    ]

    snapshot: var[Snapshot | None] = var(None)
    answer: var[Answer | None] = var(None)

    def __init__(self, source: SnapshotSource, asker: Asker, *, description: str = "") -> None:
        super().__init__()
        self._description = description
        self._source = source
        self._asker = asker
        self._exchange: Exchange | None = None

    def compose(self) -> ComposeResult:
        """All panels, from top to bottom."""
        yield HeaderPanel(self._description).data_bind(MainScreen.snapshot)
        with Horizontal(id="meters"):
            yield SpeedPanel().data_bind(MainScreen.snapshot)
            yield EnergyPanel().data_bind(MainScreen.snapshot)
        yield MoneyPanel().data_bind(MainScreen.snapshot)
        with Container(id="work"):
            yield RequestsPanel().data_bind(MainScreen.snapshot)
            yield AnswerPanel().data_bind(MainScreen.answer)
        yield Prompt()
        yield Footer()

    def on_mount(self) -> None:
        """Start the only timer."""
        self.renew()
        self.set_interval(REFRESH_S, self.renew)

    def on_unmount(self) -> None:
        """Leave no answer running for nobody."""
        if self._exchange is not None:
            self._exchange.cancel()

    def renew(self) -> None:
        """Fetch what there is to show now."""
        self.snapshot = self._source.snapshot()
        self.answer = self._exchange.drain() if self._exchange else None

    def watch_answer(self, answer: Answer | None) -> None:
        """Let a short screen give the room of the requests to an answer."""
        self.set_class(answer is not None, "-answering")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask what was typed, unless an answer is still under way."""
        question = event.value.strip()
        if not question:
            return
        if self.answer is not None and self.answer.is_open:
            self.query_one(Prompt).refuse("An answer is still running; esc stops it")
            return
        event.input.clear()
        self._exchange = Exchange(self._asker, question)
        self.renew()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the way to the prompt only to who is not there."""
        if action == "focus_prompt":
            return not isinstance(self.focused, Prompt)
        return super().check_action(action, parameters)

    def action_focus_prompt(self) -> None:
        """Go to where a question is typed."""
        self.query_one(Prompt).focus()

    def action_stop(self) -> None:
        """Stop a running answer; close one that has ended, or will not end."""
        if self._exchange is not None and self._exchange.drain().state == "running":
            self._exchange.cancel()
        else:
            self._exchange = None
            self.set_focus(None)
        self.renew()

    def action_scroll_work(self, direction: int) -> None:
        """Scroll the answer where there is one, the requests otherwise."""
        panel = self.query_one(AnswerPanel if self.answer else RequestsPanel)
        area = panel.query_one(VerticalScroll)
        area.scroll_relative(y=direction * max(1, area.size.height - 1), animate=False)

    def action_help(self) -> None:
        """Show the keys and where the figures come from."""
        receipt = self.answer.receipt if self.answer else None
        if self.snapshot is not None:
            self.app.push_screen(HelpScreen(self.snapshot, receipt))
