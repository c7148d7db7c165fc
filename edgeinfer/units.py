"""Units for people: bytes, seconds, joules and money as they stand on a screen.

Inside the program bytes are int, time is in seconds, energy in joules, and money is Decimal US
dollars.
"""

from decimal import Decimal

KIB = 1024
MIB = 1024**2
GIB = 1024**3
JOULES_PER_KJ = 1000
JOULES_PER_KWH = 3_600_000
SECONDS_PER_HOUR = 3_600

# From here on minutes read better.
_MAX_SECONDS_SHOWN = 120


def format_bytes(count: int | None) -> str:
    """`1536 MiB` as "1.5 GiB"; None as "unknown"."""
    if count is None:
        return "unknown"
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(count) >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def format_seconds(seconds: float | None) -> str:
    """Milliseconds below one second, then seconds, minutes, hours."""
    if seconds is None:
        return "unknown"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MAX_SECONDS_SHOWN:
        return f"{seconds:.1f} s"
    if seconds < 2 * SECONDS_PER_HOUR:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / SECONDS_PER_HOUR:.1f} h"


def format_joules(joules: float | None) -> str:
    """Three significant digits in J, kJ or kWh; None as "unknown"."""
    if joules is None:
        return "unknown"
    if joules >= JOULES_PER_KWH:
        return f"{joules / JOULES_PER_KWH:.3g} kWh"
    if joules >= JOULES_PER_KJ:
        return f"{_three_digits(joules / JOULES_PER_KJ)} kJ"
    return f"{_three_digits(joules)} J"


def _three_digits(value: float) -> str:
    """Three significant digits, never in exponent form above one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - digits


def format_usd(amount: Decimal | None) -> str:
    """Dollars with two significant digits at least, never in exponent form; None as "unknown"."""
    if amount is None:
        return "unknown"
    if amount == 0:
        return "$0"
    if abs(amount) >= Decimal("0.10"):
        return f"${amount:,.2f}"
    digits = 1 - amount.adjusted()
    return f"${amount:.{digits}f}"
