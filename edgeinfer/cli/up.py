"""`edgeinfer up`: from a bare machine to an answer, and on a terminal to a running service with its screen."""

import importlib

import click

from edgeinfer import __version__
from edgeinfer.cli.fit import print_plan
from edgeinfer.cli.options import context_option, model_option, money_options
from edgeinfer.cli.output import is_terminal
from edgeinfer.cli.profile import print_profile
from edgeinfer.cli.run import print_answer
from edgeinfer.cli.serve import DEFAULT_PORT, announce
from edgeinfer.engine.chat import ChatMessage
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.errors import UsageError
from edgeinfer.runtime import SERVE_SLOTS, LaunchOptions, Money, Runtime
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Listener
from edgeinfer.service import Service, UpdateListener, new_request_id
from edgeinfer.worker.protocol import Generate

FIRST_PROMPT = "What is edgeinfer?"
SHOWN_MODELS = 6
MAX_ANSWER_TOKENS = 256


@click.command()
@model_option
@context_option
@click.option("--port", type=int, help=f"Port of the API. [default: {DEFAULT_PORT}, or a free one]")
@money_options
def up(
    *,
    model: str | None = None,
    context_tokens: int | None = None,
    port: int | None = None,
    country: str | None = None,
    tariff: str | None = None,
) -> None:
    """Profile this machine, plan, load the best model on this disk, answer, then serve and show the screen.

    Without a terminal it answers one built-in prompt and ends.
    """
    runtime = Runtime.default()
    _show_plan(runtime, context_tokens)
    money = Money(country, tariff)
    options = LaunchOptions(context_tokens=context_tokens, slots=SERVE_SLOTS, money=money)
    if not is_terminal():
        with _open(runtime, model, options) as service:
            _answer_first(service)
        return
    with _listen(port) as listener:
        options = LaunchOptions(context_tokens, SERVE_SLOTS, money, f"{listener.url}/v1")
        with _open(runtime, model, options) as service:
            _answer_first(service)
            announce(service.info, f"{listener.url}/v1")
            listener.start_in_thread(build_app(service, version=__version__))
            _show_screen(service)


def _show_plan(runtime: Runtime, context_tokens: int | None) -> None:
    click.echo("This machine")
    profile = runtime.profile(bandwidth=True)
    print_profile(profile)
    click.echo("\nModels that fit")
    print_plan(runtime.plan(profile, context_tokens=context_tokens, slots=1), most=SHOWN_MODELS)


def _open(runtime: Runtime, model: str | None, options: LaunchOptions) -> Service:
    chosen = runtime.choose_model(model)
    click.echo(
        f"\nLoading {chosen.name} {chosen.quantization}, the best on this disk"
        if model is None
        else f"\nLoading {chosen.name} {chosen.quantization}"
    )
    service = runtime.open_service(chosen, options)
    if service.info.description:
        click.echo(f"  {service.info.description}")
    return service


def _answer_first(service: Service) -> None:
    click.echo(f"\n> {FIRST_PROMPT}")
    print_answer(service.stream(_question(FIRST_PROMPT, temperature=0)))
    click.echo("")


def _question(prompt: str, *, temperature: float = 0.8) -> Generate:
    sampling = SamplingParams(temperature=temperature, max_tokens=MAX_ANSWER_TOKENS)
    return Generate(
        request_id=new_request_id(), messages=(ChatMessage("user", prompt),), sampling=sampling
    )


def _listen(port: int | None) -> Listener:
    """The port asked for; the usual one, or any that is free, when none was asked for."""
    if port is not None:
        return Listener(port=port)
    try:
        return Listener(port=DEFAULT_PORT)
    except UsageError:
        return Listener(port=0)


class _ServiceAsker:
    """What is typed on the screen goes to the service like any other request."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def ask(self, prompt: str, listener: UpdateListener) -> str:
        request = _question(prompt)
        self._service.submit(request, listener)
        return request.request_id

    def cancel(self, request_id: str) -> None:
        self._service.cancel(request_id)


def _show_screen(service: Service) -> None:
    # By name: Textual takes a third of a second and 30 MB, and only who sees the screen pays for it.
    screen = importlib.import_module("edgeinfer_tui.app")
    screen.run_screen(
        service, _ServiceAsker(service), description=service.info.description
    )
