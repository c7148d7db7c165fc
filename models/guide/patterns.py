"""Composes questions from patterns: `how do I (stop|quit) [the] server`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from augment import Phrasebook
from corpus import CorpusError, Language

FOLDER = Path(__file__).parent
NAME = re.compile(r"<(\w+)>")
CHOICE = re.compile(r"\(([^()\[\]]*)\)(\?)?|\[([^()\[\]]*)\]")  # innermost ones only


@dataclass(frozen=True, slots=True)
class Patterns:
    """The patterns of one language by topic, their lists already filled in."""

    topics: Mapping[str, tuple[str, ...]]

    def compose_question(self, topic: str, book: Phrasebook, random: Random) -> str | None:
        """A question for the topic, or None where it has no pattern."""
        if topic not in self.topics:
            return None
        pattern = random.choice(self.topics[topic])
        if pattern.startswith("!"):
            return random.choice(book.tasks).format(expand_pattern(pattern[1:], random))
        if pattern.startswith("?"):
            return random.choice(book.explain).format(expand_pattern(pattern[1:], random))
        return expand_pattern(pattern, random)


def expand_pattern(pattern: str, random: Random) -> str:
    """One of the texts that a pattern stands for."""

    def choose(match: re.Match[str]) -> str:
        is_optional = match[3] is not None or match[2] is not None
        if is_optional and random.getrandbits(1):
            return ""
        texts: str = match[3] if match[1] is None else match[1]
        return random.choice(texts.split("|"))

    while CHOICE.search(pattern):
        pattern = CHOICE.sub(choose, pattern)
    return " ".join(pattern.split())


def read_patterns(folder: Path = FOLDER) -> dict[Language, Patterns]:
    """The patterns of each language. Raises CorpusError for a list that does not exist."""
    return {
        "en": _read_file(folder / "patterns_en.toml"),
        "fr": _read_file(folder / "patterns_fr.toml"),
    }


def _read_file(path: Path) -> Patterns:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    lists: dict[str, str] = tables["lists"]
    for texts in tables["patterns"].values():
        missing = {name for text in texts for name in NAME.findall(text)} - set(lists)
        if missing:
            raise CorpusError(f"{path.name}: no list named {', '.join(sorted(missing))}")
    return Patterns(
        {
            topic: tuple(NAME.sub(lambda name: lists[name[1]], text) for text in texts)
            for topic, texts in tables["patterns"].items()
        }
    )
