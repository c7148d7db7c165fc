"""Messages to prompt text, by the chat template that a model file carries."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jinja2 import Template, TemplateError

from edgeinfer.engine.message import ChatMessage
from edgeinfer.engine.template import compile_template, render_bounded
from edgeinfer.errors import InvalidRequestError, ModelFileError

MAX_TEMPLATE_BYTES = 256 * 1024

# What a template can raise about messages that it was not made for.
_TEMPLATE_FAULTS = (
    TemplateError,
    ArithmeticError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    RecursionError,
    MemoryError,
)


@dataclass(frozen=True)
class ChatTemplate:
    """A compiled template; raises ModelFileError when the source is no usable template."""

    source: str
    bos_text: str = ""
    eos_text: str = ""
    _template: Template = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.source.encode()) > MAX_TEMPLATE_BYTES:
            raise ModelFileError(
                f"The model's chat template is larger than {MAX_TEMPLATE_BYTES // 1024} KiB."
            )
        try:
            template = compile_template(self.source)
        except (TemplateError, RecursionError, SyntaxError) as error:
            raise ModelFileError(f"The model's chat template is damaged: {error}.") from error
        object.__setattr__(self, "_template", template)

    def render(self, messages: Sequence[ChatMessage]) -> str:
        """The prompt text that asks for the assistant's next turn.

        Raises InvalidRequestError when the template refuses the conversation or exceeds its bounds.
        """
        variables: dict[str, object] = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "add_generation_prompt": True,
            "bos_token": self.bos_text,
            "eos_token": self.eos_text,
        }
        try:
            return render_bounded(self._template, variables)
        except _TEMPLATE_FAULTS as error:
            raise InvalidRequestError(
                f"The model's chat template refused these messages: {error}.",
                param="messages",
                hint="Alternate user and assistant turns, with at most one system message first.",
            ) from error


@dataclass(frozen=True, slots=True)
class PromptText:
    """Rendered text in pieces: `(text, is_literal)`.

    A literal piece is a text of a control token that a user wrote; it must stay plain text.
    """

    pieces: tuple[tuple[str, bool], ...]

    def tokenize(self, tokenize: Callable[[str, bool], list[int]]) -> list[int]:
        """Token ids; `tokenize(text, parse_special)` is called piece by piece."""
        tokens: list[int] = []
        for text, is_literal in self.pieces:
            if is_literal:
                # In two parts, as llama.cpp finds tokens that a model's maker added in plain text
                # too, and some makers add their control tokens that way.
                tokens += tokenize(text[:1], False) + tokenize(text[1:], False)  # noqa: FBT003 - as documented
            else:
                tokens += tokenize(text, True)  # noqa: FBT003 - as above
        return tokens


def render_chat(
    template: ChatTemplate, messages: Sequence[ChatMessage], special_texts: Sequence[str]
) -> PromptText:
    """Render a conversation so that no user can speak in control tokens.

    Their texts inside a message are replaced by private-use marks before the template sees them,
    and put back as literal pieces afterwards.
    """
    literals: list[str] = []
    guarded = [
        ChatMessage(message.role, _guard(message.content, special_texts, literals))
        for message in messages
    ]
    return PromptText(tuple(_split_literals(template.render(guarded), literals)))


_MARK_OPEN, _MARK_CLOSE = "\ue0f0", "\ue0f1"
_MARK = re.compile(rf"{_MARK_OPEN}(\d{{1,9}}){_MARK_CLOSE}")


def _guard(content: str, special_texts: Sequence[str], literals: list[str]) -> str:
    suspects = [
        text for text in (*special_texts, _MARK_OPEN, _MARK_CLOSE) if text and text in content
    ]
    if not suspects:
        return content

    def mark(match: re.Match[str]) -> str:
        literals.append(match.group())
        return f"{_MARK_OPEN}{len(literals) - 1}{_MARK_CLOSE}"

    longest_first = sorted(suspects, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), mark, content)


def _split_literals(rendered: str, literals: Sequence[str]) -> list[tuple[str, bool]]:
    """Marks that the template tore apart stay as they are: nobody can forge a token with them."""
    pieces: list[tuple[str, bool]] = []
    for position, part in enumerate(_MARK.split(rendered)):
        is_mark = position % 2 == 1 and int(part) < len(literals)
        pieces.append((literals[int(part)], True) if is_mark else (part, False))
    return [piece for piece in pieces if piece[0]]
