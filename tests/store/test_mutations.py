"""Any bytes whatever give a header or a ModelFileError, never anything else."""

import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.errors import ModelFileError
from edgeinfer.store.binary import HeaderCursor
from edgeinfer.store.gguf import parse_header
from edgeinfer.store.header import GgufHeader
from tests.store.gguf_writer import Gguf

WHOLE = Gguf().build()
EXTREMES = [0, 1, 7, 8, 9, 13, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1]


def outcome(content):
    """What reading gives, as an error or a header; other exceptions come through."""
    try:
        return parse_header(BytesIO(content), "mutated.gguf", len(content))
    except ModelFileError as error:
        return error


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=8))
def test_changed_bytes_give_a_header_or_an_error(changes):
    content = bytearray(WHOLE)
    for position, byte in changes:
        content[position] = byte
    assert isinstance(outcome(bytes(content)), GgufHeader | ModelFileError)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WHOLE) - 8), st.sampled_from(EXTREMES))
def test_extreme_numbers_anywhere_give_a_header_or_an_error(position, number):
    content = WHOLE[:position] + struct.pack("<Q", number) + WHOLE[position + 8 :]
    assert isinstance(outcome(content), GgufHeader | ModelFileError)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_after_the_magic_are_an_error(tail):
    assert isinstance(outcome(b"GGUF\3\0\0\0" + tail), ModelFileError)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(WHOLE)), st.integers(0, 200))
def test_missing_middles_give_a_header_or_an_error(start, length):
    assert isinstance(outcome(WHOLE[:start] + WHOLE[start + length :]), GgufHeader | ModelFileError)


def test_a_cursor_stops_at_its_limit():
    cursor = HeaderCursor(BytesIO(b"x"), "endless.gguf")
    with pytest.raises(ModelFileError, match="more than 64 MiB"):
        cursor.skip(2**40)
