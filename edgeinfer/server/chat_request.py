"""A chat completion as clients ask for it, decoded; what cannot be honored is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from edgeinfer.engine.message import ChatMessage, Role
from edgeinfer.engine.sampling import SamplingParams
from edgeinfer.server.errors import ProblemError, invalid

Document = Mapping[str, object]

# Fields that would change the answer, with the values that ask for nothing. Any other value is
# refused: an answer that silently lacks what was asked for is worse than none. From `best_of` on
# they are names that other servers use.
_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "audio": (),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "prediction": (),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none",),
    "tools": ([],),
    "top_logprobs": (0,),
    "web_search_options": (),
    "best_of": (1,),
    "format": (),
    "grammar": ("",),
    "guided_choice": (),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "json_schema": (),
    "structured_outputs": (),
}

# Fields without effect here: nothing is stored, billed, sorted or sent, and no tool is called.
_HARMLESS = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)

_SAMPLING = (
    "frequency_penalty",
    "ignore_eos",
    "min_p",
    "presence_penalty",
    "repeat_penalty",
    "temperature",
    "top_k",
    "top_p",
)
_SEEDS = 2**32 - 1
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}

_TokenLimit = Annotated[int, msgspec.Meta(ge=1)]


class _Part(msgspec.Struct, frozen=True):
    type: str
    text: str | None = None


class _Message(msgspec.Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None
    tool_calls: list[object] | None = None
    function_call: object = None


class _StreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    model: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    max_tokens: _TokenLimit | None = None
    max_completion_tokens: _TokenLimit | None = None


_KNOWN = frozenset({*_Fields.__struct_fields__, *_SAMPLING, *_HARMLESS, *_UNSUPPORTED})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that can be honored. `model` None asks for the one that is served.

    `ignored_fields` are those that were sent and that nothing here knows; the receipt names them.
    """

    model: str | None
    messages: tuple[ChatMessage, ...]
    sampling: SamplingParams
    stream: bool
    include_usage: bool
    ignored_fields: tuple[str, ...]


def parse_chat(document: Document, *, context_tokens: int) -> ChatRequest:
    """The request in `document`; raises ProblemError or InvalidRequestError."""
    _refuse_unsupported(document)
    try:
        fields = msgspec.convert(document, _Fields)
        sampling = msgspec.convert(_sampling(document, fields, context_tokens), SamplingParams)
    except msgspec.ValidationError as error:
        raise _to_invalid(error) from None
    return ChatRequest(
        model=fields.model,
        messages=tuple(_message(index, it) for index, it in enumerate(fields.messages)),
        sampling=sampling,
        stream=bool(fields.stream),
        include_usage=bool(fields.stream_options and fields.stream_options.include_usage),
        ignored_fields=_ignored(document),
    )


def _refuse_unsupported(document: Document) -> None:
    for name, neutral in _UNSUPPORTED.items():
        value = document.get(name)
        if value is not None and value not in neutral:
            raise _unsupported(name, f"{name} is not supported here with this value.")


def _sampling(document: Document, fields: _Fields, context_tokens: int) -> dict[str, object]:
    """The knobs that were turned; the others keep edgeinfer's defaults."""
    stop = [fields.stop] if isinstance(fields.stop, str) else fields.stop
    limit = fields.max_completion_tokens or fields.max_tokens
    knobs = {
        **{name: document.get(name) for name in _SAMPLING},
        "stop": stop,
        "seed": None if fields.seed is None else fields.seed % _SEEDS,
        "max_tokens": min(limit, context_tokens) if limit else None,
    }
    return {name: value for name, value in knobs.items() if value is not None}


def _message(index: int, message: _Message) -> ChatMessage:
    place = f"messages[{index}]"
    if message.tool_calls or message.function_call is not None or message.role not in _ROLES:
        raise _unsupported(place, f"{place} belongs to a tool call, and tools are not supported.")
    return ChatMessage(_ROLES[message.role], _text(message, f"{place}.content"))


def _text(message: _Message, place: str) -> str:
    if isinstance(message.content, str):
        return message.content
    if message.content is None and message.role != "assistant":
        raise invalid(f"{place} is missing.", param=place)
    for index, part in enumerate(message.content or ()):
        if part.type != "text":
            raise _unsupported(
                f"{place}[{index}]",
                f"{place}[{index}] is of type {part.type[:64]!r}; only text is supported.",
            )
    return "\n".join(part.text or "" for part in message.content or ())


def _ignored(document: Document) -> tuple[str, ...]:
    names = (name for name, value in document.items() if value is not None)
    return tuple(sorted(name[:64] for name in names if name not in _KNOWN))[:32]


def _unsupported(param: str, message: str) -> ProblemError:
    return invalid(message, code="unsupported_parameter", param=param)


def _to_invalid(error: msgspec.ValidationError) -> ProblemError:
    """The field in front of a sentence such as "Expected `int`, got `str` - at `$.seed`"."""
    fault, _, path = str(error).partition(" - at `$.")
    if missing := fault.partition("missing required field `")[2]:
        return invalid(f"{missing[:-1]} is missing.", param=missing[:-1])
    param = path.removesuffix("`") or None
    return invalid(f"{param or 'The body'}: {fault}.", param=param)
