"""How results look on a terminal and as JSON."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import click
import msgspec

from edgeinfer.accounting import LOCAL_LABEL
from edgeinfer.metrics import CostLine, EnergyUse, RequestMetrics
from edgeinfer.service import Receipt
from edgeinfer.units import format_joules, format_seconds, format_usd


def emit_json(value: object) -> None:
    """One JSON document on stdout; money and dates as strings, properties left out."""
    encoded = msgspec.json.encode(plain(value))
    click.echo(msgspec.json.format(encoded, indent=2))


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of ours
    """The value as JSON types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(plain(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Decimal | date | Path) else value


def print_pairs(rows: Iterable[tuple[str, str]], *, err: bool = False) -> None:
    """Labels in one column, values in the next."""
    rows = list(rows)
    width = max((len(label) for label, _ in rows), default=0)
    columns = max(60, min(shutil.get_terminal_size((100, 24)).columns, 120))
    for label, value in rows:
        indent = " " * (width + 4)
        lines = textwrap.wrap(
            value, columns, initial_indent=indent, subsequent_indent=indent, break_long_words=False
        )
        text = "\n".join(lines or [indent])
        click.echo(f"  {label:<{width}}{text[width + 2 :]}", err=err)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; every column as wide as its widest cell."""
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  " + "  ".join(cells).rstrip())


def print_receipt(receipt: Receipt) -> None:
    """The receipt under an answer, on stderr, so that stdout holds the answer alone."""
    metrics = receipt.metrics
    click.echo("", err=True)
    print_pairs(
        [
            ("Model", f"{metrics.model} {metrics.quantization}"),
            ("Tokens", describe_tokens(metrics)),
            ("Speed", describe_speed(metrics)),
            ("Energy", describe_energy(metrics.energy, metrics.usage.completion_tokens)),
            *(("Cost", f"{format_usd(line.usd)} {_place(line)}") for line in metrics.costs),
            ("Verdict", receipt.verdict),
        ],
        err=True,
    )


def _place(line: CostLine) -> str:
    where = "on" if line.label == LOCAL_LABEL else "at"
    return f"{where} {line.label}: {line.basis}"


def describe_tokens(metrics: RequestMetrics) -> str:
    """The exact counts."""
    usage = metrics.usage
    return f"{usage.prompt_tokens} prompt ({usage.cached_tokens} cached), {usage.completion_tokens} completion"


def describe_speed(metrics: RequestMetrics) -> str:
    """Time to the first token and tokens per second."""
    decode, prefill = metrics.decode_tokens_per_s, metrics.prefill_tokens_per_s
    parts = [f"first token after {format_seconds(metrics.ttft_s)}"]
    if decode:
        parts.append(f"decode {decode:,.1f} tokens/s")
    if prefill:
        parts.append(f"prefill {prefill:,.0f} tokens/s")
    return ", ".join(parts)


def describe_energy(energy: EnergyUse | None, completion_tokens: int) -> str:
    """Joules and J/token with their source; measured and modelled never read alike."""
    if energy is None or energy.joules is None:
        meter = energy.meter if energy else "no meter"
        return f"unknown (too short for {meter} to tell)"
    per_token = energy.per_token(completion_tokens)
    text = format_joules(energy.joules)
    if per_token is not None:
        text += f", {per_token:.3g} J/token"
    if energy.source == "measured":
        return f"{text}, measured by {energy.meter} ({energy.coverage})"
    low, high = format_joules(energy.low_joules), format_joules(energy.high_joules)
    return f"about {text}, modelled, not measured: between {low} and {high}"


def is_terminal() -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()
