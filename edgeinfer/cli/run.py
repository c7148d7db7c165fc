"""`edgeinfer run`: one prompt, one answer, one receipt."""

import sys
from collections.abc import Iterator
from itertools import chain

import click

from edgeinfer.cli.options import context_option, json_option, model_option, money_options
from edgeinfer.cli.output import emit_json, plain, print_receipt
from edgeinfer.engine.chat import ChatMessage
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.errors import InvalidRequestError
from edgeinfer.runtime import LaunchOptions, Money, Runtime
from edgeinfer.service import Delta, Receipt, Service, new_request_id
from edgeinfer.worker.protocol import Generate

DEFAULT_TEMPERATURE = 0.8


@click.command()
@click.argument("prompt", nargs=-1)
@model_option
@context_option
@click.option("--system", help="A system message before the prompt.")
@click.option("--max-tokens", type=int, help="At most so many tokens of answer.")
@click.option(
    "--temperature",
    type=float,
    default=DEFAULT_TEMPERATURE,
    show_default=True,
    help="0 always takes the likeliest token.",
)
@click.option("--seed", type=int, help="The same seed draws the same answer.")
@money_options
@json_option
def run(
    prompt: tuple[str, ...],
    *,
    model: str | None,
    context_tokens: int | None,
    system: str | None,
    max_tokens: int | None,
    temperature: float,
    seed: int | None,
    country: str | None,
    tariff: str | None,
    as_json: bool,
) -> None:
    """Answer PROMPT (or standard input, when PROMPT is - or missing) and print what it cost.

    The answer goes to stdout, the receipt to stderr.
    """
    text = _read_prompt(prompt)
    sampling = SamplingParams(temperature=temperature, seed=seed, max_tokens=max_tokens)
    runtime = Runtime.default()
    options = LaunchOptions(context_tokens=context_tokens, slots=1, money=Money(country, tariff))
    with runtime.open_service(runtime.choose_model(model), options) as service:
        updates = service.stream(_request(text, system, sampling))
        if as_json:
            _print_json(updates, service)
        else:
            print_answer(updates)


def print_answer(updates: Iterator[Delta | Receipt]) -> None:
    """Stream the text to stdout, then the receipt to stderr."""
    for update in updates:
        if isinstance(update, Delta):
            sys.stdout.write(update.text)
            sys.stdout.flush()
        else:
            sys.stdout.write("\n")
            sys.stdout.flush()
            print_receipt(update)


def _read_prompt(words: tuple[str, ...]) -> str:
    text = " ".join(words)
    if text in {"", "-"}:
        if sys.stdin.isatty():
            raise InvalidRequestError(
                "There is no prompt.",
                param="prompt",
                hint='Say one: edgeinfer run "What is a KV cache?"',
            )
        text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    if not text.strip():
        raise InvalidRequestError("The prompt is empty.", param="prompt", hint="Ask something.")
    return text


def _request(text: str, system: str | None, sampling: SamplingParams) -> Generate:
    first = [ChatMessage("system", system)] if system else []
    messages = tuple(chain(first, [ChatMessage("user", text)]))
    return Generate(request_id=new_request_id(), messages=messages, sampling=sampling)


def _print_json(updates: Iterator[Delta | Receipt], service: Service) -> None:
    text: list[str] = []
    for update in updates:
        if isinstance(update, Delta):
            text.append(update.text)
            continue
        metrics = update.metrics
        emit_json(
            {
                "text": "".join(text),
                "model": metrics.model,
                "quantization": metrics.quantization,
                "variant": service.info.variant,
                "finish_reason": metrics.finish_reason,
                "usage": metrics.usage,
                "timings": {
                    "ttft_s": metrics.ttft_s,
                    "queue_s": metrics.queue_s,
                    "prefill_s": metrics.prefill_s,
                    "decode_s": metrics.decode_s,
                    "prefill_tokens_per_s": metrics.prefill_tokens_per_s,
                    "decode_tokens_per_s": metrics.decode_tokens_per_s,
                },
                "energy": _energy(update),
                "cost": {
                    "lines": plain(metrics.costs),
                    "verdict": update.verdict,
                    "assumptions": update.assumptions,
                },
            }
        )


def _energy(receipt: Receipt) -> dict[str, object] | None:
    energy = receipt.metrics.energy
    if energy is None:
        return None
    per_token = energy.per_token(receipt.metrics.usage.completion_tokens)
    return {**plain(energy), "joules_per_token": per_token}
