"""`edgeinfer serve`: the OpenAI-compatible API, until somebody stops it."""

import click

from edgeinfer import __version__
from edgeinfer.cli.options import context_option, model_option, money_options
from edgeinfer.runtime import SERVE_SLOTS, LaunchOptions, Money, Runtime
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Listener
from edgeinfer.service import ServiceInfo

DEFAULT_PORT = 11435


@click.command()
@model_option
@context_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="A loopback address; this release serves no other.",
)
@click.option(
    "--port", type=int, default=DEFAULT_PORT, show_default=True, help="0 takes any that is free."
)
@click.option(
    "--slots",
    type=click.IntRange(1, 64),
    default=SERVE_SLOTS,
    show_default=True,
    help="Requests answered at the same time.",
)
@money_options
def serve(
    *,
    model: str | None,
    context_tokens: int | None,
    host: str,
    port: int,
    slots: int,
    country: str | None,
    tariff: str | None,
) -> None:
    """Serve the OpenAI-compatible API on this machine until Ctrl-C."""
    runtime = Runtime.default()
    with Listener(host, port) as listener:
        options = LaunchOptions(
            context_tokens=context_tokens,
            slots=slots,
            money=Money(country, tariff),
            endpoint=f"{listener.url}/v1",
        )
        with runtime.open_service(runtime.choose_model(model), options) as service:
            announce(service.info, f"{listener.url}/v1")
            click.echo("Ctrl-C stops it.")
            listener.serve(build_app(service, version=__version__))
    click.echo("Stopped.")


def announce(info: ServiceInfo, endpoint: str) -> None:
    """Say what is served, where, and how."""
    click.echo(f"Serving {info.model_id} ({info.name} {info.quantization}) at {endpoint}")
    if info.description:
        click.echo(f"  {info.description}")
    click.echo(
        f"  {info.slots} requests at a time, {info.context_tokens:,} tokens each; CPU variant {info.variant},"
        f" {info.threads} thread{'' if info.threads == 1 else 's'}; worker: {info.sandbox}"
    )
