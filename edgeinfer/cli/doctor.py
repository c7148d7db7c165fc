"""`edgeinfer doctor`: what works, what does not, and the command that mends it."""

import click

from edgeinfer.cli.options import json_option
from edgeinfer.cli.output import Row, emit_json, print_pairs, print_table, print_text
from edgeinfer.doctor import Finding, Report, examine_installation
from edgeinfer.engine.native import Verdict
from edgeinfer.errors import EngineError
from edgeinfer.runtime import Runtime


@click.command()
@json_option("works, chosen, variants and findings")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Check engine, sandbox, models, energy sensors and folders, and say what mends them.

    Exit code 6 when something is broken; 0 when all works, notes included.
    """
    if not as_json:
        click.echo("Trying every CPU variant of the engine, some seconds ...\n")
    report = examine_installation(Runtime.default())
    if as_json:
        emit_json(
            {
                "works": report.works,
                "chosen": report.chosen,
                "variants": report.variants,
                "findings": report.findings,
            }
        )
    else:
        _print_report(report)
    ctx.exit(0 if report.works else EngineError.exit_code)


def _print_report(report: Report) -> None:
    if report.variants:
        print_table(
            ("Variant", "Verdict", "Prefill", "Decode", "Agreement", ""),
            [_row(verdict, report.chosen) for verdict in report.variants],
        )
        click.echo("")
        print_text(
            "Tokens/s of one thread with a small synthetic model; agreement with the first variant,"
            " where 1 is the same."
        )
        click.echo("")
    print_pairs(_finding_row(finding) for finding in report.findings)
    broken = [finding.what for finding in report.findings if finding.status == "broken"]
    click.echo("")
    click.echo(f"Broken: {', '.join(broken)}." if broken else "All that is needed works.")


def _row(verdict: Verdict, chosen: str | None) -> tuple[str, ...]:
    # The word "unsupported" says already what its detail says.
    detail = "" if verdict.status == "unsupported" else verdict.detail
    return (
        verdict.variant,
        verdict.status,
        _figure(verdict.prefill_tokens_per_s, ",.0f"),
        _figure(verdict.decode_tokens_per_s, ",.0f"),
        _figure(verdict.agreement, ".5f"),
        "used" if verdict.variant == chosen else detail,
    )


def _figure(value: float | None, layout: str) -> str:
    return "-" if value is None else format(value, layout)


def _finding_row(finding: Finding) -> Row:
    remedy = f" {finding.remedy}" if finding.remedy else ""
    return Row(f"{finding.status:<6}  {finding.what}", f"{finding.detail}{remedy}")
