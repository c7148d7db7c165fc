"""`edgeinfer up`: from a bare machine to an answer, and on a terminal to a running service."""

import importlib
from dataclasses import replace

import click

from edgeinfer import __version__
from edgeinfer.cli.answer import collect_answer, print_answer
from edgeinfer.cli.fit import plan_facts, print_plan
from edgeinfer.cli.launch import open_service
from edgeinfer.cli.options import Launch, json_option, launch_options, port_option
from edgeinfer.cli.output import emit_json, is_terminal, plain, print_text
from edgeinfer.cli.profile import print_profile
from edgeinfer.cli.serve import DEFAULT_PORT, announce
from edgeinfer.engine.message import ChatMessage
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.errors import UsageError
from edgeinfer.runtime import SERVE_SLOTS, LaunchOptions, Runtime
from edgeinfer.server.app import build_app
from edgeinfer.server.listen import Listener
from edgeinfer.service import Service, UpdateListener, new_request_id
from edgeinfer.store.store import StoredModel
from edgeinfer.worker.protocol import Generate

FIRST_PROMPT = "What is edgeinfer?"
SHOWN_MODELS = 6
MAX_ANSWER_TOKENS = 256


@click.command()
@launch_options
@port_option(f"Port of the API. [default: {DEFAULT_PORT}, or any that is free]")
@json_option("profile, plan and answer, and end")
def up(*, launch: Launch, port: int | None, as_json: bool) -> None:
    """Look at this machine, load its best model, answer a first question, then serve.

    On a terminal a screen shows the running service: ask there, q quits. Without a terminal, one
    built-in question is answered and that is all.
    """
    runtime = Runtime.default()
    chosen = runtime.choose_model(launch.model)
    options = replace(launch.options, slots=SERVE_SLOTS)
    if as_json:
        _emit_all(runtime, chosen, options)
    elif is_terminal():
        _serve_screen(runtime, chosen, options, port)
    else:
        _show_plan(runtime, options)
        with _open(runtime, chosen, options) as service:
            _answer_first(service)


def _emit_all(runtime: Runtime, model: StoredModel, options: LaunchOptions) -> None:
    profile = runtime.profile(bandwidth=True)
    plan = runtime.plan(profile, context_tokens=options.context_tokens)
    with open_service(runtime, model, options) as service:
        updates = service.stream(_question(FIRST_PROMPT, temperature=0))
        answer = collect_answer(updates, service.info.variant)
    emit_json({"profile": plain(profile), "plan": plan_facts(plan), "answer": answer})


def _serve_screen(
    runtime: Runtime, model: StoredModel, options: LaunchOptions, port: int | None
) -> None:
    with _listen(port) as listener:
        endpoint = f"{listener.url}/v1"
        options = replace(options, endpoint=endpoint)
        _show_plan(runtime, options)
        with _open(runtime, model, options) as service:
            _answer_first(service)
            announce(service.info, endpoint)
            listener.start_in_thread(build_app(service, version=__version__))
            _show_screen(service)
    click.echo("Stopped.")


def _show_plan(runtime: Runtime, options: LaunchOptions) -> None:
    click.echo("This machine\n")
    profile = runtime.profile(bandwidth=True)
    print_profile(profile)
    click.echo("\nModels for this machine\n")
    plan = runtime.plan(profile, context_tokens=options.context_tokens)
    print_plan(plan, most=SHOWN_MODELS)


def _open(runtime: Runtime, model: StoredModel, options: LaunchOptions) -> Service:
    click.echo(f"\nLoading {model.name} {model.quantization} from this disk")
    service = open_service(runtime, model, options)
    if service.info.description:
        print_text(service.info.description)
    return service


def _answer_first(service: Service) -> None:
    click.echo(f"\n> {FIRST_PROMPT}")
    print_answer(service.stream(_question(FIRST_PROMPT, temperature=0)))
    click.echo("")


def _question(prompt: str, *, temperature: float | None = None) -> Generate:
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
    # By name: Textual takes a third of a second and 30 MB, which only who sees the screen pays.
    screen = importlib.import_module("edgeinfer_tui.app")
    screen.run_screen(service, _ServiceAsker(service), description=service.info.description)
