"""Messages to prompt text, by the chat template that a model file carries: foreign code, run in a bounded sandbox."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import msgspec
from jinja2 import Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from edgeinfer.errors import InvalidRequestError, ModelFileError

MAX_TEMPLATE_BYTES = 256 * 1024
MAX_RENDERED_CHARACTERS = 8 * 1024 * 1024
MAX_INTEGER = 2**63

Value = TypeVar("Value")
Role = Literal["system", "user", "assistant", "tool"]

# Methods and filters whose output can be far larger than their input, and that no published chat template needs.
_REFUSED_METHODS = frozenset(
    {"format", "format_map", "center", "ljust", "rjust", "zfill", "expandtabs", "translate"}
)
_REFUSED_FILTERS = ("center", "format", "wordwrap", "urlize", "pprint", "filesizeformat", "xmlattr")


class ChatMessage(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    content: str


class _BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with limits on what one operation may produce."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})
    concat = staticmethod(lambda parts: _bounded_join(parts))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """`a ~ b` becomes `[a, b] | join`, whose length is watched."""
        tree: nodes.Template = _JoinInsteadOfConcat().visit(super()._parse(source, name, filename))
        return tree

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - Jinja's signature
        if operator == "*":
            _check_product(left, right)
        if operator == "**" or (operator == "%" and isinstance(left, str)):
            raise TemplateError(f"the operator {operator} is not allowed here")
        return _bounded(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> None:  # noqa: ANN401, ARG002 - Jinja's signature
        """No sandboxed str.format: a width alone can ask for gigabytes."""
        return

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 - Jinja's signature
        if isinstance(obj, str) and attr in _REFUSED_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Jinja's signature
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if isinstance(owner, str) and name == "replace" and len(args) > 1:
            _check_replacement(owner, str(args[0]), str(args[1]))
        if isinstance(owner, str) and name == "join" and args:
            return _bounded_join(args[0], owner)
        return _bounded(super().call(context, obj, *args, **kwargs))


class _JoinInsteadOfConcat(NodeTransformer):
    """Rewrites the one string operator that the sandbox cannot intercept."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return nodes.Filter(
            nodes.List(node.nodes),
            "join",
            [],
            [],
            None,
            None,
            lineno=node.lineno,
            environment=node.environment,
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
            template = _environment().from_string(self.source)
        except (TemplateError, RecursionError, SyntaxError) as error:
            raise ModelFileError(f"The model's chat template is damaged: {error}.") from error
        object.__setattr__(self, "_template", template)

    def render(self, messages: Sequence[ChatMessage]) -> str:
        """The prompt text that asks for the assistant's next turn.

        Raises InvalidRequestError when the template refuses the conversation or exceeds its bounds.
        """
        try:
            return self._render_bounded([{"role": m.role, "content": m.content} for m in messages])
        except InvalidRequestError:
            raise
        except (
            TemplateError,
            ArithmeticError,
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
            RecursionError,
            MemoryError,
        ) as error:
            raise InvalidRequestError(
                f"The model's chat template refused these messages: {error}.",
                param="messages",
                hint="Alternate user and assistant turns, with at most one system message at the start.",
            ) from error

    def _render_bounded(self, messages: list[dict[str, str]]) -> str:
        pieces: list[str] = []
        length = 0
        for piece in self._template.generate(
            messages=messages,
            add_generation_prompt=True,
            bos_token=self.bos_text,
            eos_token=self.eos_text,
        ):
            length += len(piece)
            if length > MAX_RENDERED_CHARACTERS:
                raise TemplateError("the rendered text is too long")
            pieces.append(piece)
        return "".join(pieces)


@dataclass(frozen=True, slots=True)
class PromptText:
    """Rendered text in pieces: `(text, is_literal)`; a literal piece holds a user's words that look like control
    tokens and must be tokenized as plain text."""

    pieces: tuple[tuple[str, bool], ...]

    def tokenize(self, tokenize: Callable[[str, bool], list[int]]) -> list[int]:
        """Token ids; `tokenize(text, parse_special)` is called piece by piece."""
        tokens: list[int] = []
        for text, is_literal in self.pieces:
            tokens += tokenize(text, not is_literal)
        return tokens


def render_chat(
    template: ChatTemplate, messages: Sequence[ChatMessage], special_texts: Sequence[str]
) -> PromptText:
    """Render a conversation so that no user can speak in control tokens.

    Control-token texts inside a message are replaced by private-use marks before the template sees them and put back
    as literal pieces afterwards.
    """
    literals: list[str] = []
    guarded = [
        ChatMessage(message.role, _guard(message.content, special_texts, literals))
        for message in messages
    ]
    return PromptText(tuple(_split_literals(template.render(guarded), literals)))


_MARK_OPEN, _MARK_CLOSE = "\ue0f0", "\ue0f1"


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
    pieces: list[tuple[str, bool]] = []
    head, *rest = rendered.split(_MARK_OPEN) if literals else [rendered]
    pieces.append((head, False))
    for part in rest:
        index, _, text = part.partition(_MARK_CLOSE)
        pieces += [(literals[int(index)], True), (text, False)]
    return [piece for piece in pieces if piece[0]]


def _environment() -> _BoundedEnvironment:
    environment = _BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    for name in _REFUSED_FILTERS:
        del environment.filters[name]
    environment.filters["tojson"] = _to_json
    environment.filters["join"] = _bounded_join
    environment.filters["replace"] = _replace
    environment.globals = {
        "range": environment.globals["range"],
        "namespace": environment.globals["namespace"],
        "dict": dict,
        "raise_exception": _raise_exception,
        "strftime_now": _strftime_now,
    }
    return environment


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _strftime_now(layout: str) -> str:
    return datetime.now(tz=UTC).astimezone().strftime(layout[:64])


def _to_json(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 - whatever a template holds
    return _bounded(
        json.dumps(value, ensure_ascii=False, indent=min(indent, 8) if indent else None)
    )


def _replace(text: str, old: str, new: str) -> str:
    _check_replacement(text, old, new)
    return text.replace(old, new)


def _check_replacement(text: str, old: str, new: str) -> None:
    if len(text) + text.count(old) * len(new) > MAX_RENDERED_CHARACTERS:
        raise TemplateError("a replacement grows too long")


def _bounded_join(values: Any, separator: str = "", attribute: str | None = None) -> str:  # noqa: ANN401 - any iterable
    parts: list[str] = []
    length = 0
    for value in values:
        parts.append(str(value[attribute] if attribute else value))
        length += len(parts[-1]) + len(separator)
        if length > MAX_RENDERED_CHARACTERS:
            raise TemplateError("joined text grows too long")
    return separator.join(parts)


def _check_product(left: Any, right: Any) -> None:  # noqa: ANN401 - whatever a template multiplies
    for sized, factor in ((left, right), (right, left)):
        if hasattr(sized, "__len__") and len(sized) * factor > MAX_RENDERED_CHARACTERS:
            raise TemplateError("a repeated text grows too long")


def _bounded(value: Value) -> Value:
    if isinstance(value, str | list | tuple) and len(value) > MAX_RENDERED_CHARACTERS:
        raise TemplateError("a value grows too long")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise TemplateError("a number grows too large")
    return value
