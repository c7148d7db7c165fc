import pytest

from edgeinfer.metrics import EnergyUse
from edgeinfer_tui.figures import (
    DASH,
    clean,
    clean_line,
    show_joules,
    show_number,
    show_rate,
    show_seconds,
    show_uptime,
)


def test_a_modelled_joule_is_marked_and_in_italics(modelled: EnergyUse) -> None:
    shown = show_joules(modelled)
    assert shown.plain == "~500 J"
    assert shown.style == "italic"


def test_a_measured_joule_bears_no_mark(measured: EnergyUse) -> None:
    shown = show_joules(measured)
    assert shown.plain == "500 J"
    assert shown.style == "bold"


def test_what_is_not_known_is_a_dash(unknown: EnergyUse) -> None:
    shown = (show_joules(None).plain, show_joules(unknown).plain, show_seconds(None))
    assert {*shown, show_rate(None)} == {DASH}


def test_zero_is_a_zero() -> None:
    zero = EnergyUse(0.0, "measured", "rapl", "package")
    assert [show_joules(zero).plain, show_seconds(0.0), show_rate(0.0)] == ["0 J", "0 ms", "0.0"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.9, "0 s"), (59.9, "59 s"), (754, "12 min"), (7_500, "2 h 5 min"), (180_000, "2 d 2 h")],
)
def test_uptime_changes_as_slowly_as_it_may(seconds: float, shown: str) -> None:
    assert show_uptime(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (0.3634, "0.363"), (999.6, "1,000"), (12_345.6, "12,346")]
)
def test_a_number_never_has_an_exponent(value: float, shown: str) -> None:
    assert show_number(value) == shown


@pytest.mark.parametrize(("rate", "shown"), [(41.23, "41.2"), (99.96, "100"), (1234.5, "1,234")])
def test_a_fast_rate_needs_no_decimal(rate: float, shown: str) -> None:
    assert show_rate(rate) == shown


@pytest.mark.parametrize("attack", ["\x1b[2J", "\x9b2J", "\x1b]0;title\x07", "a\u202eb", "a\x00b"])
def test_a_model_cannot_command_the_terminal(attack: str) -> None:
    assert clean(attack).isprintable()


def test_cleaned_text_keeps_its_lines() -> None:
    assert clean("one\r\n\ttwo") == "one\n\ttwo"


def test_a_cleaned_line_is_one_line() -> None:
    assert clean_line(" one\n two ") == "one two"
