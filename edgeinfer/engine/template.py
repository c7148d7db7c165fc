"""Jinja for chat templates, which are foreign code: a sandbox with bounds on its output."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from jinja2 import Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_RENDERED_CHARACTERS = 8 * 1024 * 1024
MAX_INTEGER = 2**63
_MAX_LAYOUT = 64
_MAX_INDENT = 8

Value = TypeVar("Value")

# Methods and filters whose output can be far larger than their input, and that no published chat
# template needs.
_REFUSED_METHODS = frozenset(
    {"format", "format_map", "center", "ljust", "rjust", "zfill", "expandtabs", "translate"}
)
_REFUSED_FILTERS = ("center", "format", "wordwrap", "urlize", "pprint", "filesizeformat", "xmlattr")


def compile_template(source: str) -> Template:
    """A template that can be rendered; raises TemplateError, RecursionError or SyntaxError."""
    return _environment().from_string(source)


def render_bounded(template: Template, variables: dict[str, object]) -> str:
    """The rendered text; raises TemplateError when it grows too long, and what templates raise."""
    return bounded_join(template.generate(variables))


def bounded_join(values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    """The filter `join`; raises TemplateError when the result grows too long."""
    parts: list[str] = []
    length = 0
    for value in values:
        parts.append(str(value[attribute] if attribute else value))
        length += len(parts[-1]) + len(separator)
        if length > MAX_RENDERED_CHARACTERS:
            raise TemplateError("the text grows too long")
    return separator.join(parts)


class _BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with limits on what one operation may produce."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})
    concat = staticmethod(bounded_join)

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
            return bounded_join(args[0], owner)
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


def _environment() -> _BoundedEnvironment:
    environment = _BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    for name in _REFUSED_FILTERS:
        del environment.filters[name]
    environment.filters["tojson"] = _to_json
    environment.filters["join"] = bounded_join
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
    return datetime.now(tz=UTC).astimezone().strftime(layout[:_MAX_LAYOUT])


def _to_json(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 - whatever a template holds
    width = min(indent, _MAX_INDENT) if indent else None
    return _bounded(json.dumps(value, ensure_ascii=False, indent=width))


def _replace(text: str, old: str, new: str) -> str:
    _check_replacement(text, old, new)
    return text.replace(old, new)


def _check_replacement(text: str, old: str, new: str) -> None:
    if len(text) + text.count(old) * len(new) > MAX_RENDERED_CHARACTERS:
        raise TemplateError("a replacement grows too long")


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
