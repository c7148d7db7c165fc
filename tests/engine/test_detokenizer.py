from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeinfer.engine.detokenizer import StreamingDetokenizer


def feed(pieces: list[bytes], *stops: str) -> list[str]:
    detokenizer = StreamingDetokenizer(stops)
    return [detokenizer.push(piece) for piece in pieces] + [detokenizer.finish()]


def test_a_character_split_over_tokens_appears_whole() -> None:
    assert feed(["é".encode()[:1], "é".encode()[1:]]) == ["", "é", ""]


def test_a_torn_character_at_the_end_is_marked_not_dropped() -> None:
    assert feed([b"a", "é".encode()[:1]]) == ["a", "", "�"]


def test_a_stop_string_across_token_borders_is_never_shown() -> None:
    assert "".join(feed([b"one EN", b"D two"], "END")) == "one "


def test_text_that_only_begins_like_a_stop_string_is_shown_in_the_end() -> None:
    assert feed([b"one EN"], "END") == ["one ", "EN"]


def test_text_is_shown_as_soon_as_it_cannot_become_a_stop_string() -> None:
    assert feed([b"EN", b"O"], "END") == ["", "ENO", ""]


def test_the_earliest_of_several_stop_strings_ends_the_text() -> None:
    assert "".join(feed([b"abc"], "c", "b")) == "a"


def test_nothing_follows_a_stop_string() -> None:
    detokenizer = StreamingDetokenizer(("x",))
    detokenizer.push(b"ax")
    assert (detokenizer.stopped, detokenizer.push(b"more"), detokenizer.finish()) == (True, "", "")


@given(st.text(), st.lists(st.integers(0, 200), max_size=8))
def test_any_cutting_gives_the_same_text(text: str, cuts: list[int]) -> None:
    raw = text.encode()
    borders = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(borders)]
    assert "".join(feed(pieces)) == text


@given(st.text("ab", max_size=30), st.text("ab", min_size=1, max_size=3))
def test_a_stop_string_cuts_where_a_search_would(text: str, stop: str) -> None:
    pieces = [character.encode() for character in text]
    expected = text.split(stop, 1)[0]
    assert "".join(feed(pieces, stop)) == expected


@pytest.mark.parametrize("stop", ["é", "日本", "🙂"])
def test_stop_strings_may_be_any_characters(stop: str) -> None:
    pieces = [bytes([byte]) for byte in f"a{stop}b".encode()]
    assert "".join(feed(pieces, stop)) == "a"
