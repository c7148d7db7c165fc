"""A bar plot in text: one column a value, from zero up to the highest."""

from collections.abc import Sequence

from rich.text import Text

_BARS = " ▁▂▃▄▅▆▇█"
_STEPS = len(_BARS) - 1
_ZERO = "_"


def plot_bars(values: Sequence[float], *, width: int, height: int) -> Text:
    """The newest `width` values at the right; a zero is a line on the ground, no value is blank."""
    shown = tuple(values)[-width:] if width > 0 else ()
    peak = max(shown, default=0.0)
    levels = [_scale(value, peak, height * _STEPS) for value in shown]
    blank = " " * (width - len(shown))
    rows = ("".join(_draw(level, row) for level in levels) for row in reversed(range(height)))
    return Text("\n".join(blank + row for row in rows), no_wrap=True)


def _scale(value: float, peak: float, steps: int) -> int:
    return max(1, round(value / peak * steps)) if value > 0 else 0


def _draw(level: int, row: int) -> str:
    if level == 0 and row == 0:
        return _ZERO
    return _BARS[min(max(level - row * _STEPS, 0), _STEPS)]
