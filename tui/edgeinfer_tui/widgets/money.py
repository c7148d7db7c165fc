"""What the tokens so far cost here and in the cloud, and which side is cheaper."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.reactive import var
from textual.widgets import Static

from edgeinfer.metrics import CostLine, EnergyUse, Snapshot
from edgeinfer.units import format_usd
from edgeinfer_tui.figures import DASH, QUIET, STRONG, clean_line, mark
from edgeinfer_tui.widgets.rows import Row, Rows


class MoneyPanel(Vertical):
    """The costs, local first, and the verdict word for word."""

    snapshot: var[Snapshot | None] = var(None)

    def compose(self) -> ComposeResult:
        """The amounts above, the sentence below."""
        yield Rows()
        yield Static(id="verdict", markup=False)

    def on_resize(self) -> None:
        """Where room is short, a basis has one line; the help says it in full."""
        short = self.screen.has_class("-short")
        self.query_one(Rows).wrap = not short
        self.border_title = "Money (? says it in full)" if short else "Money"

    def watch_snapshot(self, snapshot: Snapshot | None) -> None:
        """Show what has changed."""
        if snapshot is None or not self.is_mounted:
            return
        self.query_one(Rows).show(describe_costs(snapshot))
        verdict = self.query_one("#verdict", Static)
        text = Text(clean_line(snapshot.verdict), STRONG)
        if text != verdict.content:
            verdict.update(text)


def describe_costs(snapshot: Snapshot) -> tuple[Row, ...]:
    """One row a cost; the first is this machine, whose joules may be modelled."""
    return tuple(
        (_say_amount(cost, snapshot.energy if index == 0 else None), _say_basis(cost))
        for index, cost in enumerate(snapshot.costs)
    )


def _say_amount(cost: CostLine, energy: EnergyUse | None) -> Text:
    if cost.usd is None:
        return Text(DASH)
    amount = format_usd(cost.usd)
    return Text(amount) if energy is None else mark(amount, energy)


def _say_basis(cost: CostLine) -> Text:
    return Text.assemble(clean_line(cost.label), (f"  {clean_line(cost.basis)}", QUIET))
