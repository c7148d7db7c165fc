import pytest

from edgeinfer_tui.plot import plot_bars


@pytest.mark.parametrize(
    ("values", "height", "drawn"),
    [
        ((1.0, 2.0, 4.0, 8.0), 1, "▁▂▄█"),
        ((0.0, 8.0), 1, "  _█"),
        ((4.0, 16.0), 2, "   █\n  ▄█"),
        ((0.001, 1000.0), 1, "  ▁█"),
        ((0.0, 0.0), 2, "    \n  __"),
        ((), 1, "    "),
    ],
)
def test_bars_rise_from_zero_to_the_peak(
    values: tuple[float, ...], height: int, drawn: str
) -> None:
    assert plot_bars(values, width=4, height=height).plain == drawn


def test_the_newest_values_are_kept() -> None:
    assert plot_bars((8.0, 1.0, 8.0), width=2, height=1).plain == "▁█"


def test_no_room_draws_nothing() -> None:
    assert plot_bars((1.0, 2.0), width=0, height=1).plain == ""
