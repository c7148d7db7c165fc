"""`edgeinfer serve`: the OpenAI-compatible API, until somebody stops it."""

from dataclasses import replace

import click

from edgeinfer import __version__
from edgeinfer.cli.launch import open_service
from edgeinfer.cli.main import EXIT_INTERRUPTED
from edgeinfer.cli.options import Launch, json_option, launch_options, port_option
from edgeinfer.cli.output import Row, emit_json, print_pairs
from edgeinfer.runtime import SERVE_SLOTS, Runtime
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Listener
from edgeinfer.service import ServiceInfo

DEFAULT_PORT = 11435
MAX_SLOTS = 64


@click.command()
@launch_options
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="A loopback address; this release serves only programs on this machine.",
)
@port_option(f"0 takes any that is free. [default: {DEFAULT_PORT}]")
@click.option(
    "--slots",
    metavar="COUNT",
    type=click.IntRange(1, MAX_SLOTS),
    default=SERVE_SLOTS,
    show_default=True,
    help="Requests answered at the same time; each takes memory.",
)
@json_option("endpoint and model, once it serves")
@click.pass_context
def serve(
    ctx: click.Context,
    *,
    launch: Launch,
    host: str,
    port: int | None,
    slots: int,
    as_json: bool,
) -> None:
    """Serve programs on this machine by the OpenAI API, until Ctrl-C.

    The first Ctrl-C or SIGTERM lets running requests finish, the second ends them; the exit code
    is then 130.
    """
    runtime = Runtime.default()
    chosen = runtime.choose_model(launch.model)
    with Listener(host, DEFAULT_PORT if port is None else port) as listener:
        endpoint = f"{listener.url}/v1"
        options = replace(launch.options, slots=slots, endpoint=endpoint)
        with open_service(runtime, chosen, options) as service:
            if as_json:
                emit_json({"endpoint": endpoint, "model": service.info})
            else:
                announce(service.info, endpoint)
                click.echo("Ctrl-C stops it.")
            listener.serve(build_app(service, version=__version__))
    click.echo("Stopped.", err=as_json)
    ctx.exit(EXIT_INTERRUPTED)


def announce(info: ServiceInfo, endpoint: str) -> None:
    """Say what is served, where, and how."""
    click.echo(f"Serving {info.model_id} at {endpoint}\n")
    threads = "1 thread" if info.threads == 1 else f"{info.threads} threads"
    print_pairs(
        [
            Row("Model", f"{info.name} {info.quantization}. {info.description}"),
            Row("Requests", f"{info.slots} at a time, {info.context_tokens:,} tokens each"),
            Row("Engine", f"CPU variant {info.variant}, {threads}"),
            Row("Worker", info.sandbox),
        ]
    )
    click.echo("")
