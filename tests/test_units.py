from decimal import Decimal

import pytest

from edgeinfer.units import GIB, KIB, MIB, format_bytes, format_joules, format_seconds, format_usd


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (1023, "1023 B"),
        (KIB, "1.0 KiB"),
        (3 * MIB // 2, "1.5 MiB"),
        (5 * GIB, "5.0 GiB"),
        (-2 * MIB, "-2.0 MiB"),
    ],
)
def test_bytes_take_the_largest_unit_that_fits(count: int | None, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "unknown"),
        (0.0, "0 ms"),
        (0.0421, "42 ms"),
        (1.0, "1.0 s"),
        (119.9, "119.9 s"),
        (600.0, "10 min"),
        (9000.0, "2.5 h"),
    ],
)
def test_seconds_take_the_unit_that_reads_best(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        (None, "unknown"),
        (0.0, "0 J"),
        (0.01234, "0.0123 J"),
        (42.0, "42 J"),
        (999.0, "999 J"),
        (12_345.0, "12.3 kJ"),
        (7_200_000.0, "2 kWh"),
    ],
)
def test_joules_keep_three_digits(joules: float | None, text: str) -> None:
    assert format_joules(joules) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (Decimal(0), "$0"),
        (Decimal("0.0000012345"), "$0.0000012"),
        (Decimal("0.099"), "$0.099"),
        (Decimal("0.10"), "$0.10"),
        (Decimal("1234.5"), "$1,234.50"),
        (Decimal("-0.004"), "$-0.0040"),
    ],
)
def test_money_is_never_rounded_to_nothing(amount: Decimal | None, text: str) -> None:
    assert format_usd(amount) == text
