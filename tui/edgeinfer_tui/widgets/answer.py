"""The question, its answer as it comes, and the receipt under it."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.reactive import var
from textual.widgets import Static

from edgeinfer.errors import EdgeinferError
from edgeinfer.metrics import EnergyUse, RequestMetrics
from edgeinfer.service import Receipt
from edgeinfer_tui.exchange import Answer, AnswerState
from edgeinfer_tui.figures import (
    QUIET,
    STRONG,
    clean,
    clean_line,
    show_joules,
    show_rate,
    show_seconds,
)

TITLES: dict[AnswerState, str] = {
    "running": "Answer, running (esc stops it)",
    "stopping": "Answer, stopping (esc closes it)",
    "done": "Answer (esc closes it)",
    "stopped": "Answer, stopped (esc closes it)",
    "failed": "Answer, failed (esc closes it)",
}


class AnswerPanel(Vertical):
    """Scrolls with the text until the reader scrolls away from its end."""

    answer: var[Answer | None] = var(None)
    title: var[str] = var("Answer")

    def compose(self) -> ComposeResult:
        """Text above, receipt below."""
        with VerticalScroll():
            yield Static(id="text", markup=False)
        yield Static(id="receipt", markup=False)

    def watch_answer(self, answer: Answer | None) -> None:
        """Show what has arrived."""
        if not self.is_mounted:
            return
        self.title = TITLES[answer.state] if answer else "Answer"
        if answer is None or not answer.text:
            self.query_one(VerticalScroll).anchor()
        self.query_one("#text", Static).update(_say_text(answer))
        self.query_one("#receipt", Static).update(describe_end(answer) if answer else "")

    def watch_title(self, title: str) -> None:
        """Draw the frame again only for a new title."""
        self.border_title = title

    def on_mount(self) -> None:
        """Show what there is already."""
        self.watch_answer(self.answer)


def describe_end(answer: Answer) -> Text:
    """The line under an answer: its progress, its receipt, or why there is none."""
    if answer.error is not None:
        return _say_error(answer.error)
    if answer.receipt is not None:
        return _say_receipt(answer.receipt)
    tokens = answer.usage.completion_tokens
    return Text(f"{tokens} tokens so far" if tokens else "waiting for the first token", QUIET)


def _say_text(answer: Answer | None) -> Text:
    if answer is None:
        return Text("Nothing asked yet. Press / to ask something.", QUIET)
    return Text.assemble(
        (f"> {clean(answer.question)}", STRONG), f"\n{clean(answer.text).rstrip()}"
    )


def _say_error(error: EdgeinferError) -> Text:
    hint = f"\n{clean_line(error.hint)}" if error.hint else ""
    return Text.assemble(("Failed: ", "red"), (clean_line(str(error)), STRONG), hint)


def _say_receipt(receipt: Receipt) -> Text:
    verdict = f"\n{clean_line(receipt.verdict)}" if receipt.verdict else ""
    return Text.assemble(_say_figures(receipt.metrics), (verdict, QUIET))


def _say_figures(metrics: RequestMetrics) -> Text:
    usage, energy = metrics.usage, metrics.energy
    reused = f" ({usage.cached_tokens} reused)" if usage.cached_tokens else ""
    cut = " (cut off at the length limit)" if metrics.finish_reason == "length" else ""
    return Text.assemble(
        f"{usage.prompt_tokens} tokens in{reused}, {usage.completion_tokens} out{cut} · first after"
        f" {show_seconds(metrics.ttft_s)} · {show_rate(metrics.decode_tokens_per_s)} tokens/s · ",
        show_joules(energy),
        _say_origin(energy),
    )


def _say_origin(energy: EnergyUse | None) -> str:
    if energy is None or energy.source == "unknown":
        return " J, not known"
    return " J, too short for the meter" if energy.joules is None else f" {energy.source}"
