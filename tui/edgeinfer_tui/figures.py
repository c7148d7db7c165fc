"""Figures as they stand on the screen: unknown ones a dash, modelled ones with a tilde."""

import re

from rich.text import Text

from edgeinfer.metrics import EnergyUse
from edgeinfer.units import format_joules, format_seconds

DASH = "\N{EN DASH}"
QUIET = "dim"
STRONG = "bold"
MODELLED = "italic"

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# From here on three significant digits would round to 1000, which "g" writes as 1e+03.
_FOUR_DIGITS = 999.5
_WHOLE_FROM = 99.95

# Model output and model names are somebody else's text: an escape sequence in them would command
# the terminal, and a bidirectional override would show the figures beside it in another order.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text without control characters but line feed and tab."""
    return _UNSAFE.sub("", text)


def clean_line(text: str) -> str:
    """The text without control characters, on one line."""
    return " ".join(clean(text).split())


def show_seconds(seconds: float | None) -> str:
    """A span of time."""
    return DASH if seconds is None else format_seconds(seconds)


def show_rate(per_s: float | None) -> str:
    """One decimal below a hundred, whole numbers from there on."""
    if per_s is None:
        return DASH
    return f"{per_s:.1f}" if per_s < _WHOLE_FROM else f"{per_s:,.0f}"


def show_number(value: float) -> str:
    """Three significant digits, never in exponent form above one."""
    return f"{value:.3g}" if abs(value) < _FOUR_DIGITS else f"{value:,.0f}"


def show_uptime(seconds: float) -> str:
    """Whole seconds, then minutes, hours and minutes, days and hours."""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def show_joules(energy: EnergyUse | None) -> Text:
    """Joules of a request or of many."""
    if energy is None or energy.joules is None:
        return Text(DASH)
    return mark(format_joules(energy.joules), energy)


def mark(figure: str, energy: EnergyUse) -> Text:
    """A figure that rests on `energy`, so that a modelled one looks like none that was measured."""
    if energy.source == "measured":
        return Text(figure, STRONG)
    return Text(f"~{figure}", MODELLED)
