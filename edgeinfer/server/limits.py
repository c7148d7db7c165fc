"""A request's body within its limits, and JSON without the loopholes that parsers leave open."""

import json
import math
import re
from collections import Counter

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from edgeinfer.server.errors import ClientGoneError, Problem, ProblemError, invalid
from edgeinfer.units import MIB

MAX_BODY_BYTES = 4 * MIB
MAX_DEPTH = 64
MAX_STRUCTURE = 50_000
MAX_NUMBER_CHARACTERS = 40

# The closing quote is optional, so that a search never fails late and starts over: linear time.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")

_TOO_LARGE = Problem(
    status=413,
    code="request_too_large",
    message=f"The body is larger than {MAX_BODY_BYTES // MIB} MiB.",
)
_NOT_JSON = Problem(
    status=415,
    code="unsupported_media_type",
    message="The body must be JSON. Send the header `Content-Type: application/json`.",
)


async def read_json(scope: Scope, receive: Receive) -> dict[str, object]:
    """The body as a JSON object.

    Raises ProblemError for anything else than one well-formed object within the limits,
    ClientGoneError when the client leaves.
    """
    _check_headers(Headers(scope=scope))
    body = bytearray()
    more_body = True
    while more_body:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise ProblemError(_TOO_LARGE)
        more_body = message.get("more_body", False)
    return parse_object(bytes(body))


def parse_object(body: bytes) -> dict[str, object]:
    """Strict JSON: no NaN, infinity or huge number, no key twice, no half character, no depth."""
    _check_structure(body)
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_number,
        )
        _check_characters(value, body)
    except UnicodeError:
        raise invalid("The body is not valid UTF-8 text.") from None
    except json.JSONDecodeError as error:
        raise invalid(
            f"The body is not valid JSON: {error.msg} at character {error.pos}."
        ) from None
    if not isinstance(value, dict):
        raise invalid("The body must be a JSON object.")
    return value


def _check_headers(headers: Headers) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if (
        media_type != "application/json"
        or headers.get("content-encoding", "identity") != "identity"
    ):
        raise ProblemError(_NOT_JSON)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > MAX_BODY_BYTES:
        raise ProblemError(_TOO_LARGE)


def _check_structure(body: bytes) -> None:
    """Bound the structure before a parser sees it, so that parsing takes milliseconds."""
    skeleton = _STRING.sub(b"", body)
    if skeleton.count(b",") + skeleton.count(b"[") + skeleton.count(b"{") > MAX_STRUCTURE:
        raise invalid(f"The body has more than {MAX_STRUCTURE:,} values.")
    depth = 0
    for bracket in _BRACKET.findall(skeleton):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise invalid(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _check_characters(value: object, body: bytes) -> None:
    """Raise UnicodeError for half a surrogate pair, which only an escape can bring in."""
    if b"\\u" in body:
        json.dumps(value, ensure_ascii=False).encode()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _count), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise invalid(f"The key {twice[:64]!a} stands twice in one object.")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise invalid("A number has too many digits.")
    return int(text)


def _number(text: str) -> float:
    number = float(text) if len(text) <= MAX_NUMBER_CHARACTERS else math.inf
    if not math.isfinite(number):
        raise invalid(f"The number {text[:MAX_NUMBER_CHARACTERS]} is not finite or too long.")
    return number
