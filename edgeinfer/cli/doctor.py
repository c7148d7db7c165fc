"""`edgeinfer doctor`: what works, what does not, and the command that mends it."""

import click

from edgeinfer.cli.options import json_option
from edgeinfer.cli.output import emit_json, print_table
from edgeinfer.doctor import Finding, Report, examine_installation
from edgeinfer.engine.native import Verdict
from edgeinfer.runtime import Runtime

EXIT_BROKEN = 6


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Try every CPU variant of the engine and check sandbox, energy sensors, models and folders.

    Exit code 6 when something is broken, 0 when all works, hints included.
    """
    if not as_json:
        click.echo("Trying every CPU variant, each in a process of its own ...")
    report = examine_installation(Runtime.default())
    if as_json:
        emit_json(report)
    else:
        _print_report(report)
    ctx.exit(0 if report.works else EXIT_BROKEN)


def _print_report(report: Report) -> None:
    header = ("Variant", "Verdict", "Prefill tokens/s", "Decode tokens/s", "Agreement", "")
    print_table(header, [_row(verdict, report.chosen) for verdict in report.variants])
    click.echo("  (one thread, a small synthetic model of mixed quantizations)\n")
    for finding in report.findings:
        _print_finding(finding)


def _row(verdict: Verdict, chosen: str | None) -> tuple[str, ...]:
    return (
        verdict.variant,
        verdict.status,
        _figure(verdict.prefill_tokens_per_s, ",.0f"),
        _figure(verdict.decode_tokens_per_s, ",.0f"),
        _figure(verdict.agreement, ".5f"),
        "used" if verdict.variant == chosen else verdict.detail,
    )


def _figure(value: float | None, layout: str) -> str:
    return "–" if value is None else format(value, layout)


def _print_finding(finding: Finding) -> None:
    click.echo(f"  {finding.status:<6} {finding.what}: {finding.detail}")
    if finding.remedy:
        click.echo(f"         {finding.remedy}")
