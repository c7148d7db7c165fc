"""A request's prompt as tokens: the template is foreign code, so it runs against a deadline."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from edgeinfer.engine.chat import ChatTemplate, render_chat
from edgeinfer.engine.message import ChatMessage
from edgeinfer.engine.runner import ModelRunner
from edgeinfer.errors import InvalidRequestError, PromptTooLongError
from edgeinfer.worker.protocol import Generate

TEMPLATE_DEADLINE_S = 2.0
# No tokenizer in use makes longer tokens, so longer prompts cannot fit: refused before tokenizing.
MAX_BYTES_PER_TOKEN = 16


class PromptBuilder:
    """Renders and tokenizes prompts for one loaded model.

    Used by the main thread alone: only there does a signal stop a template that takes too long.
    """

    def __init__(
        self, runner: ModelRunner, *, template_deadline_s: float = TEMPLATE_DEADLINE_S
    ) -> None:
        self._runner = runner
        self._deadline_s = template_deadline_s
        facts = runner.facts
        self._context_tokens = facts.context_tokens
        self._special_texts = runner.special_texts
        self._template = (
            ChatTemplate(facts.chat_template, facts.bos_text, facts.eos_text)
            if facts.chat_template
            else None
        )

    def tokens(self, request: Generate) -> tuple[int, ...]:
        """Token ids of the whole prompt.

        Raises InvalidRequestError for an empty prompt or a template that fails, PromptTooLongError
        for a text that cannot fit.
        """
        texts = [request.prompt, *(message.content for message in request.messages)]
        if not any(text.strip() for text in texts):
            raise InvalidRequestError(
                "The prompt is empty.", param="messages", hint="Ask something."
            )
        self._refuse_oversized(texts)
        if request.messages and self._template:
            return self._chat_tokens(self._template, request.messages)
        text = request.prompt or _plain_text(request.messages)
        return tuple(self._runner.tokenize(text, add_special=True, parse_special=False))

    def _chat_tokens(
        self, template: ChatTemplate, messages: tuple[ChatMessage, ...]
    ) -> tuple[int, ...]:
        with _deadline(self._deadline_s):
            prompt = render_chat(template, messages, self._special_texts)
        starts_itself = (
            template.bos_text
            and prompt.pieces
            and prompt.pieces[0][0].startswith(template.bos_text)
        )
        tokens = prompt.tokenize(
            lambda text, special: self._runner.tokenize(
                text, add_special=False, parse_special=special
            )
        )
        if starts_itself:
            return tuple(tokens)
        return (*self._runner.tokenize("", add_special=True, parse_special=False), *tokens)

    def _refuse_oversized(self, texts: list[str]) -> None:
        size_bytes = sum(len(text.encode("utf-8", errors="replace")) for text in texts)
        least_tokens = size_bytes // MAX_BYTES_PER_TOKEN
        if least_tokens > self._context_tokens:
            raise PromptTooLongError(least_tokens, self._context_tokens, is_lower_bound=True)


def _plain_text(messages: tuple[ChatMessage, ...]) -> str:
    """The conversation for a model without a chat template: its last words are continued."""
    if len(messages) == 1:
        return messages[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in messages) + "\nassistant:"


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    def expire(_signal: int, _frame: FrameType | None) -> None:
        raise InvalidRequestError(
            f"The model's chat template took longer than {seconds:g} s and was stopped.",
            param="messages",
        )

    if sys.platform == "win32":
        # No timer interrupts a program there; the bounds of every single operation still hold.
        yield
        return
    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
