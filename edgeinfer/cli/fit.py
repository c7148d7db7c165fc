"""`edgeinfer fit`: which models run well here."""

import click

from edgeinfer.catalog import Use
from edgeinfer.cli.options import MIN_CONTEXT_TOKENS, json_option
from edgeinfer.cli.output import emit_json, plain, print_table, print_text
from edgeinfer.fit import FitEntry, FitPlan
from edgeinfer.runtime import DEFAULT_CONTEXT_TOKENS, Runtime
from edgeinfer.units import format_bytes

# Below so many tokens a second a decimal tells two models apart.
_SLOW_TOKENS_PER_S = 10
_ANSWERS = {"fits": "yes", "tight": "barely", "too large": "no"}


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
    metavar="TOKENS",
    type=click.IntRange(min=MIN_CONTEXT_TOKENS),
    default=DEFAULT_CONTEXT_TOKENS,
    show_default=True,
    help="Room for prompt and answer together, in tokens (pieces of words).",
)
@json_option("use, context_tokens, resources and models (best first)")
def fit(*, use: Use, context_tokens: int, as_json: bool) -> None:
    """Rank the models that run well on this machine, the best first.

    Memory and speed are estimated from the machine and the model; nothing is loaded.
    """
    runtime = Runtime.default()
    plan = runtime.plan(runtime.profile(bandwidth=True), use=use, context_tokens=context_tokens)
    if as_json:
        emit_json(plan_facts(plan))
    else:
        print_plan(plan)


def print_plan(plan: FitPlan, *, most: int | None = None) -> None:
    """The ranking as a table; `most` shows only so many, and all that are on this disk."""
    resources = plan.resources
    print_text(
        f"Models may use {format_bytes(resources.usable_bytes)} of memory:"
        f" {format_bytes(resources.budget_bytes)} are free,"
        f" {format_bytes(resources.reserve_bytes)} stay reserved."
        f" Best for {plan.use} first; speeds are estimates."
    )
    click.echo("")
    shown = [e for i, e in enumerate(plan.entries) if most is None or i < most or e.is_stored]
    print_table(
        ("Model", "Weights", "Fits", "Memory", "Context", "Tokens/s", "On disk"),
        [_row(entry) for entry in shown],
    )
    click.echo("")
    if len(shown) < len(plan.entries):
        print_text(f"{len(plan.entries) - len(shown)} more: edgeinfer fit")
    print_text("Where to get one: edgeinfer models NAME")


def plan_facts(plan: FitPlan) -> dict[str, object]:
    """The plan as JSON types, one flat entry a model."""
    resources = plan.resources
    return {
        "use": plan.use,
        "context_tokens": plan.context_tokens,
        "resources": {
            "usable_bytes": resources.usable_bytes,
            "budget_bytes": resources.budget_bytes,
            "reserve_bytes": resources.reserve_bytes,
        },
        "models": [_entry_facts(entry) for entry in plan.entries],
    }


def _row(entry: FitEntry) -> tuple[str, ...]:
    return (
        _name(entry),
        entry.candidate.quantization,
        _ANSWERS[entry.verdict],
        format_bytes(entry.memory.total_bytes),
        f"{entry.context_tokens:,}",
        _speed(entry),
        "yes" if entry.is_stored else "no",
    )


def _name(entry: FitEntry) -> str:
    """What -m takes."""
    return entry.candidate.stored_id or entry.candidate.model_id


def _speed(entry: FitEntry) -> str:
    low, high = entry.speed.decode_low, entry.speed.decode_high
    if low is None or high is None:
        return "not known"
    layout = ",.0f" if low >= _SLOW_TOKENS_PER_S else ".1f"
    return f"{low:{layout}} to {high:{layout}}"


def _entry_facts(entry: FitEntry) -> dict[str, object]:
    return {
        "id": _name(entry),
        "name": entry.candidate.name,
        "quantization": entry.candidate.quantization,
        "verdict": entry.verdict,
        "why": entry.why,
        "on_disk": entry.is_stored,
        "context_tokens": entry.context_tokens,
        "kv_type": entry.kv_type,
        "memory_bytes": entry.memory.total_bytes,
        "memory": plain(entry.memory),
        "speed": plain(entry.speed),
    }
