"""How results look on a terminal and as JSON."""

import contextlib
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import click
import msgspec

_NARROW, _WIDE = 60, 120
_LEAST_COLUMN = 12
# Names in model files and models' answers are foreign text: these would steer the terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its text; further lines of the text begin `hang` columns further in."""

    label: str
    text: str
    hang: int = 0


def emit_json(value: object) -> None:
    """One JSON document on stdout; money and dates as strings, properties left out."""
    encoded = msgspec.json.encode(plain(value))
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any value of ours, one line a kind
    """The value as JSON types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case frozenset() | set():
            return sorted(plain(item) for item in value)
        case list() | tuple():
            return [plain(item) for item in value]
        case Enum():
            return value.value
        case Decimal():
            return f"{value:f}"
        case str() | date() | Path():
            # A file's name need not be UTF-8, but JSON is.
            return str(value).encode(errors="replace").decode()
    return value


def printable(text: str) -> str:
    """The text without characters that would steer the terminal."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def print_pairs(rows: Iterable[Row], *, err: bool = False) -> None:
    """Labels in one column, texts in the next."""
    rows = list(rows)
    indent = max((len(row.label) for row in rows), default=0) + 4
    for row in rows:
        lines = textwrap.wrap(
            printable(row.text),
            _columns(),
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + row.hang),
            break_long_words=False,
            break_on_hyphens=False,
        )
        text = "\n".join(lines or [""])
        _echo(f"  {row.label:<{indent - 4}}  {text[indent:]}".rstrip(), err=err)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; where it is too wide, the widest columns wrap and nothing is cut."""
    table = [header, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    while sum(widths) + 2 * len(widths) > _columns() and max(widths) > _LEAST_COLUMN:
        widths[widths.index(max(widths))] -= 1
    for row in table:
        for line in _row_lines(row, widths):
            click.echo(line)


def print_text(text: str, *, indent: str = "  ", err: bool = False) -> None:
    """A sentence or two, wrapped."""
    lines = textwrap.wrap(
        printable(text),
        _columns(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    _echo("\n".join(lines), err=err)


def is_terminal() -> bool:
    """Whether a person sits at both ends, before a terminal that can show a screen."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _echo(text: str, *, err: bool) -> None:
    """What stands on stderr beside an answer must not cost the answer."""
    with contextlib.suppress(*((OSError,) if err else ())):
        click.echo(text, err=err)


def _columns() -> int:
    return max(_NARROW, min(shutil.get_terminal_size((80, 24)).columns, _WIDE))


def _row_lines(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    cells = [
        textwrap.wrap(cell, width, break_on_hyphens=False) or [""]
        for cell, width in zip(row, widths, strict=True)
    ]
    return [
        "".join(
            f"  {cell[index] if index < len(cell) else '':<{width}}"
            for cell, width in zip(cells, widths, strict=True)
        ).rstrip()
        for index in range(max(len(cell) for cell in cells))
    ]
