"""Reads a prompt from the command line or from standard input, and refuses what is no text."""

import os
import sys

from edgeinfer.errors import CapacityError, InvalidRequestError
from edgeinfer.units import MIB

# A million tokens of sixteen bytes: more than any model in the catalogue reads.
MAX_PROMPT_BYTES = 16 * MIB

_EXAMPLE = 'Say one: edgeinfer run "What is a KV cache?"'


def read_prompt(words: tuple[str, ...]) -> str:
    """The words, or standard input when there are none or only "-".

    Raises InvalidRequestError for what is empty or no text, CapacityError for what is too much.
    """
    if words and words != ("-",):
        text = check_text(" ".join(words), "prompt")
    elif not words and sys.stdin.isatty():
        raise InvalidRequestError("There is no prompt.", param="prompt", hint=_EXAMPLE)
    else:
        text = _decode(sys.stdin.buffer.read(MAX_PROMPT_BYTES + 1))
    if not text.strip():
        raise InvalidRequestError("The prompt is empty.", param="prompt", hint=_EXAMPLE)
    return text


def check_text(text: str, what: str) -> str:
    """The text of an argument; raises InvalidRequestError where its bytes were no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # Bytes that the locale could not decode, which may be a poor locale's fault.
        return _decode_utf8(os.fsencode(text), what)
    return text


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_PROMPT_BYTES:
        raise CapacityError(
            f"The prompt is larger than the {MAX_PROMPT_BYTES // MIB} MiB that are read at most.",
            hint="Send a part of it.",
        )
    if 0 in raw:
        raise _not_text(f"The prompt is no text: byte {raw.index(0) + 1:,} is zero.")
    return _decode_utf8(raw, "prompt")


def _decode_utf8(raw: bytes, what: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_text(f"The {what} is not UTF-8 text at byte {error.start + 1:,}.") from error


def _not_text(sentence: str) -> InvalidRequestError:
    return InvalidRequestError(
        sentence, param="prompt", hint="Save it as UTF-8 text, or convert it with iconv -t UTF-8."
    )
