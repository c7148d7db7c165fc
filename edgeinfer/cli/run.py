"""`edgeinfer run`: one prompt, one answer, one receipt."""

import functools

import click

from edgeinfer.cli.answer import ANSWER_KEYS, collect_answer, print_answer
from edgeinfer.cli.launch import open_service
from edgeinfer.cli.options import Command, Launch, json_option, launch_options
from edgeinfer.cli.output import emit_json
from edgeinfer.cli.prompt import check_text, read_prompt
from edgeinfer.engine.message import ChatMessage
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.errors import InvalidRequestError
from edgeinfer.runtime import Runtime
from edgeinfer.service import new_request_id
from edgeinfer.worker.protocol import Generate

_EXAMPLES = """\b
Examples:
  edgeinfer run "What is a KV cache?"
  edgeinfer run "Summarize this letter:" "$(cat letter.txt)" > summary.txt
  edgeinfer run -m edgeinfer-guide --temperature 0 < question.txt
"""


def _sampling_options(function: Command) -> Command:
    """--max-tokens, --temperature and --seed, handed to the command as one `sampling`."""

    @functools.wraps(function)
    def command(
        *args: object,
        max_tokens: int | None,
        temperature: float | None,
        seed: int | None,
        **rest: object,
    ) -> None:
        function(*args, sampling=_sampling(max_tokens, temperature, seed), **rest)

    return _max_tokens_option(_temperature_option(_seed_option(command)))


_max_tokens_option = click.option(
    "--max-tokens", metavar="TOKENS", type=int, help="End the answer after so many."
)
_temperature_option = click.option(
    "--temperature",
    metavar="NUMBER",
    type=float,
    help="0 always takes the likeliest token; up to 5 is ever more surprising."
    " [default: what the model recommends, or else 0.8]",
)
_seed_option = click.option(
    "--seed", metavar="NUMBER", type=int, help="The same seed draws the same answer."
)


@click.command(epilog=_EXAMPLES)
@click.argument("prompt", nargs=-1)
@launch_options
@click.option("--system", metavar="TEXT", help="How the model shall behave: a system message.")
@_sampling_options
@json_option(ANSWER_KEYS)
def run(
    prompt: tuple[str, ...],
    *,
    launch: Launch,
    system: str | None,
    sampling: SamplingParams,
    as_json: bool,
) -> None:
    """Answer PROMPT and print what it cost.

    Without PROMPT, or with -, standard input is read. The answer goes to stdout, the receipt with
    time, energy and cost to stderr.
    """
    request = _request(read_prompt(prompt), system, sampling)
    runtime = Runtime.default()
    with open_service(runtime, runtime.choose_model(launch.model), launch.options) as service:
        updates = service.stream(request)
        if as_json:
            emit_json(collect_answer(updates, service.info.variant))
        else:
            print_answer(updates)


def _sampling(
    max_tokens: int | None, temperature: float | None, seed: int | None
) -> SamplingParams:
    try:
        return SamplingParams(temperature=temperature, seed=seed, max_tokens=max_tokens)
    except InvalidRequestError as error:
        name = error.param or ""
        option = f"--{name.replace('_', '-')}"
        raise InvalidRequestError(
            str(error).replace(name, option, 1),
            param=name,
            hint=f"edgeinfer run --help explains {option}.",
        ) from error


def _request(text: str, system: str | None, sampling: SamplingParams) -> Generate:
    first = (ChatMessage("system", check_text(system, "system message")),) if system else ()
    messages = (*first, ChatMessage("user", text))
    return Generate(request_id=new_request_id(), messages=messages, sampling=sampling)
