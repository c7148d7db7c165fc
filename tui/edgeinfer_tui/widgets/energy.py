"""Joules and watts, and in words whether a sensor or a model says so."""

from rich.text import Text
from textual.reactive import var
from textual.widgets import Static

from edgeinfer.metrics import EnergyUse, Snapshot
from edgeinfer_tui.figures import DASH, QUIET, STRONG, clean_line, mark, show_joules, show_number

COVERAGE = {
    "package": "the processor package",
    "system": "the whole machine",
    "board": "the whole board",
}


class EnergyPanel(Static):
    """Energy a token, power now, their source, and the sum."""

    snapshot: var[Snapshot | None] = var(None)

    def on_mount(self) -> None:
        """Name the panel."""
        self.border_title = "Energy"

    def watch_snapshot(self, snapshot: Snapshot | None) -> None:
        """Show what has changed."""
        if snapshot is None:
            return
        text = describe_energy(snapshot)
        if text != self.content:
            self.update(text, layout=False)


def describe_energy(snapshot: Snapshot) -> Text:
    """Three lines: figures, source, sum."""
    energy = snapshot.energy
    tokens = snapshot.usage.completion_tokens
    lines = (
        Text.assemble(_say_per_token(energy, tokens), "  ", _say_power(energy, snapshot.power_w)),
        Text(_say_origin(energy, snapshot.power_w)),
        _say_sum(energy, tokens),
    )
    return Text("\n").join(lines)


def say_source(energy: EnergyUse) -> str:
    """One sentence about where the joules come from."""
    if energy.source == "unknown":
        return f"Not known: {energy.meter or 'no sensor can be read'}."
    if energy.source == "modelled":
        return "Modelled, not measured: no energy sensor can be read here."
    return (
        f"Measured by {energy.meter}, which sees {COVERAGE.get(energy.coverage, energy.coverage)}."
    )


def _say_per_token(energy: EnergyUse, tokens: int) -> Text:
    per_token = energy.per_token(tokens)
    if per_token is None:
        return Text(f"{DASH} J/token", STRONG)
    return mark(f"{show_number(per_token)} J/token", energy)


def _say_power(energy: EnergyUse, power_w: float | None) -> Text:
    return (
        Text(f"{DASH} W", STRONG) if power_w is None else mark(f"{show_number(power_w)} W", energy)
    )


def _say_origin(energy: EnergyUse, power_w: float | None) -> str:
    if energy.source == "unknown":
        return clean_line(f"not known: {energy.meter or 'no sensor can be read'}")
    if energy.source == "measured":
        return clean_line(f"measured: {energy.meter}")
    spread = _scale_range(energy, power_w)
    return f"modelled, {_say_range(spread)} W" if spread else "modelled, not measured"


def _say_sum(energy: EnergyUse, tokens: int) -> Text:
    total = Text.assemble("sum ", show_joules(energy))
    if energy.source == "measured":
        seen = COVERAGE.get(energy.coverage, energy.coverage)
        return Text.assemble((f"{seen}; ", QUIET), total)
    spread = _scale_range(energy, energy.per_token(tokens))
    if spread is None:
        return total
    return Text.assemble((f"{_say_range(spread)} J/token; ", QUIET), total)


def _say_range(spread: tuple[float, float]) -> str:
    return " to ".join(map(show_number, spread))


def _scale_range(energy: EnergyUse, value: float | None) -> tuple[float, float] | None:
    """The bounds of a figure that is proportional to the modelled joules."""
    if (
        value is None
        or not energy.joules
        or energy.low_joules is None
        or energy.high_joules is None
    ):
        return None
    share = value / energy.joules
    return energy.low_joules * share, energy.high_joules * share
