"""Options that several commands share."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import click

from edgeinfer.runtime import LaunchOptions, Money

Command = Callable[..., None]

# llama.cpp rounds a context up to 256 cells, so that a smaller one saves nothing.
MIN_CONTEXT_TOKENS = 256
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Launch:
    """Which model a command runs, None for the best on this disk, and how."""

    model: str | None
    options: LaunchOptions


def launch_options(function: Command) -> Command:
    """-m, --context, --country and --tariff, handed to the command as one `launch`."""

    @functools.wraps(function)
    def command(
        *args: object,
        model: str | None,
        context_tokens: int | None,
        country: str | None,
        tariff: str | None,
        **rest: object,
    ) -> None:
        options = LaunchOptions(context_tokens=context_tokens, money=Money(country, tariff))
        function(*args, launch=Launch(model, options), **rest)

    return _model_option(_context_option(_country_option(_tariff_option(command))))


def port_option(explanation: str) -> Callable[[Command], Command]:
    """--port: where to listen; None leaves the choice to the command."""
    return click.option(
        "--port", metavar="PORT", type=click.IntRange(0, MAX_PORT), help=explanation
    )


def json_option(keys: str) -> Callable[[Command], Command]:
    """--json: one document with these keys on stdout and nothing else."""
    return click.option(
        "--json", "as_json", is_flag=True, help=f"Print one JSON document instead, with {keys}."
    )


_model_option = click.option(
    "-m",
    "--model",
    metavar="NAME",
    help="A name that edgeinfer models lists, or the path of any .gguf file."
    " [default: the best on this disk]",
)
_context_option = click.option(
    "--context",
    "context_tokens",
    metavar="TOKENS",
    type=click.IntRange(min=MIN_CONTEXT_TOKENS),
    help="Room for prompt and answer of one request, in tokens (pieces of words)."
    " [default: what fits, up to 8192]",
)
_country_option = click.option(
    "--country",
    envvar="EDGEINFER_COUNTRY",
    metavar="COUNTRY",
    help="Where the electricity comes from: a name or a code such as FR."
    " [env: EDGEINFER_COUNTRY; default: world average]",
)
_tariff_option = click.option(
    "--tariff",
    envvar="EDGEINFER_TARIFF",
    metavar="USD",
    help="Your own price of electricity: US dollars for a kWh, such as 0.18."
    " [env: EDGEINFER_TARIFF]",
)
