"""The keys, and where every figure on the main screen comes from."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label

from edgeinfer.metrics import CostLine, Snapshot
from edgeinfer.service import Receipt
from edgeinfer.units import format_usd
from edgeinfer_tui.figures import DASH, clean_line
from edgeinfer_tui.widgets.energy import say_source
from edgeinfer_tui.widgets.rows import Rows

Pair = tuple[str, str]

KEYS = (
    ("/ or i", "type a question; Enter asks it"),
    ("esc", "stop the running answer, or close the one that has ended"),
    ("page up/down", "scroll the answer or the requests; tab and arrow keys do too"),
    ("?", "this help; esc closes it"),
    ("q, ctrl+c", "quit"),
)
SIGNS = (
    (DASH, "not known, or not reached yet; zero is written 0"),
    ("~", "modelled or derived from a model, in italics; a measured figure has no sign"),
    ("tokens/s", "tokens generated in a second, by all requests together"),
    ("J/token", "energy divided by the tokens generated"),
    ("Prompt, Answer", "tokens of a request, in and out"),
    ("Reused", "prompt tokens that were still in memory and not computed again"),
)


class HelpScreen(ModalScreen[None]):
    """A scrolling page over the main screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close", key_display="esc"),
    ]

    def __init__(self, snapshot: Snapshot, receipt: Receipt | None) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._receipt = receipt

    def compose(self) -> ComposeResult:
        """A title and a table for each section."""
        with VerticalScroll(id="help") as box:
            box.border_title = "Help"
            box.border_subtitle = "esc closes it"
            for title, pairs in self._list_sections():
                yield Label(title, classes="title")
                rows = Rows()
                rows.show(tuple((Text(name), Text(words)) for name, words in pairs))
                yield rows

    def _list_sections(self) -> Iterator[tuple[str, Iterable[Pair]]]:
        yield "Keys", KEYS
        yield "Signs and words", SIGNS
        yield "Energy", (("", clean_line(say_source(self._snapshot.energy))),)
        yield "Money", map(_say_cost, self._snapshot.costs)
        if self._receipt is not None:
            assumed = (("", clean_line(line)) for line in self._receipt.assumptions)
            yield "The last answer assumes", assumed


def _say_cost(cost: CostLine) -> Pair:
    amount = DASH if cost.usd is None else format_usd(cost.usd)
    return amount, clean_line(f"{cost.label}: {cost.basis}")
