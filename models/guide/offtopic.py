"""Makes further questions that the guide has to decline, from templates and lists of words."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from string import ascii_lowercase

from corpus import CorpusError, Language

WORDS = Path(__file__).parent / "offtopic_words.toml"
SLOT = re.compile(r"\{(\w+)\}")
GIBBERISH = "gibberish"


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one language and the words that fill their slots."""

    templates: tuple[str, ...]
    words: dict[str, tuple[str, ...]]

    def fill_template(self, random: Random) -> str:
        """One question; the same Random gives the same question."""
        return SLOT.sub(
            lambda slot: self._choose_word(slot[1], random), random.choice(self.templates)
        )

    def _choose_word(self, slot: str, random: Random) -> str:
        if slot == GIBBERISH:
            return "".join(random.choices(ascii_lowercase, k=random.randint(3, 10)))
        return random.choice(self.words[slot])


def read_templates(path: Path = WORDS) -> dict[Language, Templates]:
    """The templates by language. Raises CorpusError where a slot has no list."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {"en": _make_templates(tables["en"]), "fr": _make_templates(tables["fr"])}


def _make_templates(table: dict[str, list[str]]) -> Templates:
    words = {name: tuple(texts) for name, texts in table.items() if name != "templates"}
    used = {slot for text in table["templates"] for slot in SLOT.findall(text)}
    missing = used - set(words) - {GIBBERISH}
    if missing:
        raise CorpusError(f"{WORDS.name}: no words for {', '.join(sorted(missing))}")
    return Templates(tuple(table["templates"]), words)
