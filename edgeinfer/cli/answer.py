"""An answer with its receipt: streamed to a person, or as one value for JSON."""

import sys
from collections.abc import Iterator

from edgeinfer.accounting import LOCAL_LABEL
from edgeinfer.cli.output import Row, plain, print_pairs, printable
from edgeinfer.metrics import CostLine, EnergyUse, RequestMetrics
from edgeinfer.service import Delta, Receipt
from edgeinfer.units import format_joules, format_seconds, format_usd

ANSWER_KEYS = "text, model, quantization, variant, finish_reason, usage, timings, energy and cost"


def print_answer(updates: Iterator[Delta | Receipt]) -> None:
    """Stream the text to stdout, then the receipt to stderr."""
    receipt = None
    begun = False
    try:
        for update in updates:
            begun = True
            if isinstance(update, Receipt):
                receipt = update
            else:
                _write(update.text)
    finally:
        # Also a broken-off answer ends its line, so that the reason stands on the next.
        if begun:
            _write("\n")
    if receipt:
        print_receipt(receipt)


def collect_answer(updates: Iterator[Delta | Receipt], variant: str) -> dict[str, object]:
    """The whole answer and its receipt as JSON types."""
    text: list[str] = []
    for update in updates:
        if isinstance(update, Receipt):
            return {"text": "".join(text), **_receipt_facts(update, variant)}
        text.append(update.text)
    return {}


def print_receipt(receipt: Receipt) -> None:
    """The receipt under an answer, on stderr, so that stdout holds the answer alone."""
    metrics = receipt.metrics
    print_pairs(
        [
            Row("", ""),
            Row("Model", f"{metrics.model} {metrics.quantization}"),
            Row("Tokens", describe_tokens(metrics)),
            Row("Speed", describe_speed(metrics)),
            Row("Energy", describe_energy(metrics.energy, metrics.usage.completion_tokens)),
            *_cost_rows(metrics.costs),
            Row("Verdict", receipt.verdict),
        ],
        err=True,
    )


def describe_tokens(metrics: RequestMetrics) -> str:
    """The exact counts."""
    usage = metrics.usage
    return (
        f"{usage.prompt_tokens:,} in the prompt ({usage.cached_tokens:,} from the cache),"
        f" {usage.completion_tokens:,} in the answer"
    )


def describe_speed(metrics: RequestMetrics) -> str:
    """Time to the first token and tokens per second."""
    decode, prefill = metrics.decode_tokens_per_s, metrics.prefill_tokens_per_s
    text = f"first token after {format_seconds(metrics.ttft_s)}"
    if decode:
        text += f", then {decode:,.1f} tokens/s"
    return f"{text}; prompt read at {prefill:,.0f} tokens/s" if prefill else text


def describe_energy(energy: EnergyUse | None, completion_tokens: int) -> str:
    """Joules and J/token with their source; measured and modelled never read alike."""
    if energy is None or energy.joules is None:
        meter = f"for the meter {energy.meter} " if energy and energy.source == "measured" else ""
        return f"not known: the answer was too short {meter}to tell"
    per_token = energy.per_token(completion_tokens)
    text = format_joules(energy.joules)
    if per_token is not None:
        text += f" ({per_token:.3g} J per token)"
    if energy.source == "measured":
        return f"{text}, measured by {energy.meter} ({energy.coverage})"
    low, high = format_joules(energy.low_joules), format_joules(energy.high_joules)
    return f"about {text}, modelled, not measured: between {low} and {high}"


def _write(text: str) -> None:
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _cost_rows(costs: tuple[CostLine, ...]) -> Iterator[Row]:
    amounts = [format_usd(line.usd) for line in costs]
    width = max(map(len, amounts), default=0)
    for index, (amount, line) in enumerate(zip(amounts, costs, strict=True)):
        place = "here" if line.label == LOCAL_LABEL else line.label
        text = f"{amount:<{width}}  {place}: {line.basis}"
        yield Row("" if index else "Cost", text, width + 2)


def _receipt_facts(receipt: Receipt, variant: str) -> dict[str, object]:
    metrics = receipt.metrics
    return {
        "model": metrics.model,
        "quantization": metrics.quantization,
        "variant": variant,
        "finish_reason": metrics.finish_reason,
        "usage": plain(metrics.usage),
        "timings": {
            "ttft_s": metrics.ttft_s,
            "queue_s": metrics.queue_s,
            "prefill_s": metrics.prefill_s,
            "decode_s": metrics.decode_s,
            "prefill_tokens_per_s": metrics.prefill_tokens_per_s,
            "decode_tokens_per_s": metrics.decode_tokens_per_s,
        },
        "energy": _energy_facts(metrics),
        "cost": {
            "lines": plain(metrics.costs),
            "verdict": receipt.verdict,
            "assumptions": list(receipt.assumptions),
        },
    }


def _energy_facts(metrics: RequestMetrics) -> dict[str, object] | None:
    energy = metrics.energy
    if energy is None:
        return None
    return {**plain(energy), "joules_per_token": energy.per_token(metrics.usage.completion_tokens)}
