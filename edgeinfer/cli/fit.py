"""`edgeinfer fit`: which models run well here."""

import click

from edgeinfer.cli.options import json_option
from edgeinfer.cli.output import emit_json, print_table
from edgeinfer.fit import FitEntry, FitPlan
from edgeinfer.runtime import DEFAULT_CONTEXT_TOKENS, Runtime
from edgeinfer.units import format_bytes


@click.command()
@click.option(
    "--use",
    type=click.Choice(["chat", "code", "reasoning"]),
    default="chat",
    show_default=True,
    help="What the model is for.",
)
@click.option(
    "--context",
    "context_tokens",
    type=click.IntRange(min=16),
    default=DEFAULT_CONTEXT_TOKENS,
    show_default=True,
    help="Tokens of prompt and answer together.",
)
@json_option
def fit(*, use: str, context_tokens: int, as_json: bool) -> None:
    """Rank the models that fit this machine: memory, estimated speed, and which are on this disk."""
    runtime = Runtime.default()
    plan = runtime.plan(runtime.profile(bandwidth=True), use=use, context_tokens=context_tokens)  # type: ignore[arg-type]
    if as_json:
        emit_json(plan)
    else:
        print_plan(plan)


def print_plan(plan: FitPlan, *, most: int | None = None) -> None:
    """The ranking as a table; `most` shows only so many of those that fit, and those on this disk."""
    resources = plan.resources
    click.echo(
        f"  {format_bytes(resources.usable_bytes)} may be used: {format_bytes(resources.budget_bytes)} are free,"
        f" {format_bytes(resources.reserve_bytes)} stay reserved. Speeds are estimates."
    )
    shown = [e for i, e in enumerate(plan.entries) if most is None or i < most or e.is_stored]
    print_table(
        ("", "Model", "Memory", "Context", "Decode tokens/s", "On this disk"),
        [_row(e) for e in shown],
    )
    if len(shown) < len(plan.entries):
        click.echo(f"  {len(plan.entries) - len(shown)} more: edgeinfer fit")


_MARKS = {"fits": "fits", "tight": "tight", "too large": "too large"}


def _row(entry: FitEntry) -> tuple[str, ...]:
    speed = entry.speed
    known = speed.decode_low is not None and speed.decode_high is not None
    return (
        _MARKS[entry.verdict],
        entry.candidate.label,
        format_bytes(entry.memory.total_bytes),
        f"{entry.context_tokens:,}",
        f"{speed.decode_low:,.0f} to {speed.decode_high:,.0f}" if known else "unknown",
        entry.candidate.stored_id or "",
    )
