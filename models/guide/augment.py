"""Varies questions the way people do: other words, openings, typing errors, keywords only."""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from string import ascii_lowercase

from corpus import CorpusError, Language, normalize_text

PHRASES = Path(__file__).parent / "phrases.toml"
UNCHANGED_SHARE = 0.12  # of the questions are used as they were written
SWAP_CHANCE = 0.35  # of each phrase that has others in its group
DROP_CHANCE = 0.12  # of each word, where words are dropped
SHUFFLE_CHANCE = 0.3  # of keywords to come in another order
BARE_CHANCE = 0.15  # of a change of punctuation to leave out apostrophes and commas
CASE_WEIGHTS = (9, 9, 1, 1)  # lower case, a capital at the start, all capitals, Every Word
ENDINGS = ("", "", "?", "?", "?", ".", "??", "!", " ?", "...", "?!")
TYPO_LEAST_LETTERS = 4
DEFINITIONS: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"(?:what is|what's|what are|define|explain) ((?:\S+ ?){1,3})\??", re.IGNORECASE
    ),
    "fr": re.compile(r"(?:c'est quoi|qu'est-ce que|explique) ((?:\S+ ?){1,3})\??", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Phrasebook:
    """What one language offers for variation."""

    language: Language
    alternatives: Mapping[str, tuple[str, ...]]
    pattern: re.Pattern[str]
    prefixes: tuple[str, ...]
    suffixes: tuple[str, ...]
    names: tuple[str, ...]
    mentions: tuple[str, ...]
    explain: tuple[str, ...]
    seek: tuple[str, ...]
    tasks: tuple[str, ...]
    stopwords: frozenset[str]


Change = Callable[[str, Phrasebook, Random], str]


def read_phrasebooks(path: Path = PHRASES) -> dict[Language, Phrasebook]:
    """The phrasebook of each language. Raises CorpusError for a phrase in two groups."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return {"en": _make_phrasebook("en", tables["en"]), "fr": _make_phrasebook("fr", tables["fr"])}


def _make_phrasebook(language: Language, table: Mapping[str, list[str]]) -> Phrasebook:
    alternatives = _index_groups([tuple(group) for group in table["groups"]])
    ordered = sorted(alternatives, key=lambda phrase: (-len(phrase), phrase))
    joined = "|".join(map(re.escape, ordered))
    return Phrasebook(
        language=language,
        alternatives=alternatives,
        pattern=re.compile(rf"(?<![\w'-])(?:{joined})(?![\w'-])", re.IGNORECASE),
        prefixes=tuple(table["prefixes"]),
        suffixes=tuple(table["suffixes"]),
        names=tuple(table["names"]),
        mentions=tuple(table["mentions"]),
        explain=tuple(table["explain"]),
        seek=tuple(table["seek"]),
        tasks=tuple(table["tasks"]),
        stopwords=frozenset(table["stopwords"]),
    )


def _index_groups(groups: list[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    alternatives: dict[str, tuple[str, ...]] = {}
    for group in groups:
        for phrase in group:
            if phrase in alternatives:
                raise CorpusError(f"{PHRASES.name}: {phrase!r} is in two groups")
            alternatives[phrase] = group
    return alternatives


def vary_question(question: str, book: Phrasebook, random: Random) -> str:
    """Another way to ask the same; the same Random gives the same text."""
    if random.random() < UNCHANGED_SHARE:
        return question
    for chance, change in CHANGES:
        if random.random() < chance:
            question = keep_sense(question, change(question, book, random))
    return question


def keep_sense(question: str, changed: str) -> str:
    """The changed question, unless nothing readable is left of it."""
    return changed.strip() if len(normalize_text(changed)) > 1 else question


def swap_phrases(question: str, book: Phrasebook, random: Random) -> str:
    """Some phrases replaced by others of their group."""

    def swap(match: re.Match[str]) -> str:
        if random.random() > SWAP_CHANCE:
            return match[0]
        return random.choice(book.alternatives[match[0].lower()])

    return book.pattern.sub(swap, question)


def recast_definition(question: str, book: Phrasebook, random: Random) -> str:
    """`what is X` in one of the many other forms; other questions stay as they are."""
    match = DEFINITIONS[book.language].fullmatch(question.strip())
    if match is None:
        return question
    return random.choice(book.explain).format(match[1].strip(" ?"))


def keep_keywords(question: str, book: Phrasebook, random: Random) -> str:
    """The words that carry meaning, as typed into a search box; in any order now and then."""
    words = re.findall(r"[\w./:-]*\w", question)
    kept = [word for word in words if word.lower() not in book.stopwords]
    if random.random() < SHUFFLE_CHANCE:
        random.shuffle(kept)
    return " ".join(kept)


def drop_words(question: str, book: Phrasebook, random: Random) -> str:
    """Some words left out, those without meaning twice as often."""

    def stays(word: str) -> bool:
        is_filler = word.lower() in book.stopwords
        return random.random() > DROP_CHANCE * (2 if is_filler else 1)

    return " ".join(word for word in question.split() if stays(word))


def rename_product(question: str, book: Phrasebook, random: Random) -> str:
    """`edgeinfer` as people call it, or mentioned where it was not."""
    if re.search("edgeinfer", question, re.IGNORECASE):
        name = random.choice(book.names)
        return re.sub("edgeinfer", name, question, flags=re.IGNORECASE)
    return f"{question.rstrip(' ?.!')} {random.choice(book.mentions)}"


def add_prefix(question: str, book: Phrasebook, random: Random) -> str:
    """An opening such as a greeting."""
    return f"{random.choice(book.prefixes)} {question}"


def add_suffix(question: str, book: Phrasebook, random: Random) -> str:
    """A closing such as thanks."""
    return (
        f"{question.rstrip(' ?.!')}{random.choice([' ', ', ', '? '])}{random.choice(book.suffixes)}"
    )


def change_case(question: str, _book: Phrasebook, random: Random) -> str:
    """Lower case, a capital at the start, or all capitals."""
    forms = [
        question.lower(),
        question[:1].upper() + question[1:],
        question.upper(),
        question.title(),
    ]
    return random.choices(forms, CASE_WEIGHTS)[0]


def change_punctuation(question: str, _book: Phrasebook, random: Random) -> str:
    """Another ending, or no apostrophes and commas."""
    if random.random() < BARE_CHANCE:
        return re.sub("[',;:]", random.choice(["", " "]), question)
    question = question.rstrip(" ?.!")
    return question + random.choice(ENDINGS)


def strip_accents(question: str, _book: Phrasebook, _random: Random) -> str:
    """Without accents, as on a keyboard that lacks them."""
    marks = unicodedata.normalize("NFKD", question)
    return "".join(mark for mark in marks if not unicodedata.combining(mark))


def add_typo(question: str, _book: Phrasebook, random: Random) -> str:
    """One slip in one of the longer words, if there is one."""
    words = question.split(" ")
    longer = [place for place, word in enumerate(words) if len(word) >= TYPO_LEAST_LETTERS]
    if longer:
        place = random.choice(longer)
        words[place] = misspell_word(words[place], random)
    return " ".join(words)


def misspell_word(word: str, random: Random) -> str:
    """A letter left out, doubled, replaced, or swapped with the next one."""
    place = random.randrange(len(word) - 1)
    before, letter, following, after = (
        word[:place], word[place], word[place + 1], word[place + 2 :],
    )  # fmt: skip
    slip = random.choice(
        [following, letter * 2 + following, random.choice(ascii_lowercase) + following,
         following + letter, letter + " " + following]
    )  # fmt: skip
    return before + slip + after


def blend_questions(first: str, second: str, random: Random) -> str:
    """The start of one question and the end of another with the same answer."""
    words, others = first.split(), second.split()
    head = words[: max(1, round(len(words) * random.uniform(0.4, 1.0)))]
    tail = others[int(len(others) * random.uniform(0.0, 0.6)) :]
    return " ".join(head + tail)


CHANGES: tuple[tuple[float, Change], ...] = (
    (0.30, recast_definition),
    (0.60, swap_phrases),
    (0.15, rename_product),
    (0.12, keep_keywords),
    (0.25, drop_words),
    (0.22, add_prefix),
    (0.12, add_suffix),
    (0.20, add_typo),
    (0.50, change_punctuation),
    (0.60, change_case),
    (0.05, strip_accents),
)
