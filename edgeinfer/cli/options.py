"""Options that several commands share."""

from collections.abc import Callable
from typing import TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., object])


def model_option(function: Function) -> Function:
    """-m: which model."""
    return click.option(
        "-m",
        "--model",
        help="A catalogue id, a stored model's name, or the path of any .gguf file. [default: the best on this disk]",
    )(function)


def context_option(function: Function) -> Function:
    """--context: how many tokens."""
    return click.option(
        "--context",
        "context_tokens",
        type=click.IntRange(min=16),
        help="Tokens of prompt and answer together, for each request. [default: what fits, up to 8192]",
    )(function)


def money_options(function: Function) -> Function:
    """--country and --tariff: what electricity costs here."""
    function = click.option(
        "--tariff",
        envvar="EDGEINFER_TARIFF",
        metavar="USD",
        help="Your own price of a kWh in US dollars. [env: EDGEINFER_TARIFF]",
    )(function)
    return click.option(
        "--country",
        envvar="EDGEINFER_COUNTRY",
        help="Country for electricity price and carbon, such as FR. [env: EDGEINFER_COUNTRY; default: world average]",
    )(function)


def json_option(function: Function) -> Function:
    """--json: for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print as JSON.")(function)
