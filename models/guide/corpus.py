"""Reads the reviewed questions and answers of edgeinfer-guide, and says what is wrong with them."""

import hashlib
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Language = Literal["en", "fr"]
Table = Mapping[str, object]

LANGUAGES: tuple[Language, ...] = ("en", "fr")
DATA = Path(__file__).parent / "data"
HELDOUT = "heldout.toml"
OFFTOPIC = "offtopic"
DEV_SHARE = 20  # one question in so many is kept out of training
LEAST_QUESTIONS: dict[Language, int] = {"en": 20, "fr": 12}
KEYS = {"id", "answer", "must", "questions", "answer_fr", "must_fr", "questions_fr"}


class CorpusError(Exception):
    """The data files are not usable; the message lists every problem, one a line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer in one language, and the questions that ask for it."""

    area: str
    topic: str
    language: Language
    answer: str
    must: tuple[str, ...]
    questions: tuple[str, ...]

    @property
    def name(self) -> str:
        """Unique in the corpus, such as `usage-install/en`."""
        return f"{self.topic}/{self.language}"

    @property
    def is_offtopic(self) -> bool:
        """Whether the answer is the refusal."""
        return self.area == OFFTOPIC


@dataclass(frozen=True, slots=True)
class Case:
    """One question with the topic whose answer is expected."""

    topic: str
    language: Language
    question: str

    @property
    def name(self) -> str:
        """The name of the entry that is expected."""
        return f"{self.topic}/{self.language}"


def normalize_text(text: str) -> str:
    """Lower case, no accents, words of letters and digits separated by one space."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(mark for mark in bare if not unicodedata.combining(mark))
    return " ".join(re.findall(r"[^\W_]+", letters))


def squeeze_text(text: str) -> str:
    """Lower case with runs of white space as one space: how `must` phrases are compared."""
    return " ".join(text.casefold().split())


def holds_phrases(text: str, phrases: Iterable[str]) -> bool:
    """Whether every phrase is in the text, whatever its case and line breaks."""
    squeezed = squeeze_text(text)
    return all(squeeze_text(phrase) in squeezed for phrase in phrases)


def is_dev(question: str) -> bool:
    """Whether a question belongs to the development split: by hash, so it never moves."""
    digest = hashlib.sha256(normalize_text(question).encode()).digest()
    return int.from_bytes(digest[:4], "big") % DEV_SHARE == 0


def data_files(folder: Path = DATA) -> list[Path]:
    """The training data, without the held-out questions."""
    return sorted(path for path in folder.glob("*.toml") if path.name != HELDOUT)


def digest_data(folder: Path = DATA) -> str:
    """SHA-256 over the names and bytes of the training data files."""
    digest = hashlib.sha256()
    for path in data_files(folder):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_corpus(folder: Path = DATA) -> list[Entry]:
    """Every entry, in the order of the files. Raises CorpusError with all that is wrong."""
    entries = [entry for path in data_files(folder) for entry in _read_file(path)]
    problems = list(find_problems(entries))
    if not entries:
        problems.append(f"{folder}: no data file")
    if problems:
        raise CorpusError("\n".join(problems))
    return entries


def read_heldout(entries: Iterable[Entry], path: Path = DATA / HELDOUT) -> list[Case]:
    """The cases of the held-out file. Raises CorpusError where a topic is unknown."""
    cases = [_read_case(table) for table in _read_tables(path, "case")]
    known = {entry.name for entry in entries}
    unknown = sorted({case.name for case in cases} - known)
    if unknown:
        raise CorpusError(f"{path.name}: no such topic and language: {', '.join(unknown)}")
    return cases


def dev_cases(entries: Iterable[Entry]) -> list[Case]:
    """The training file's questions that training leaves out."""
    return [
        Case(entry.topic, entry.language, question)
        for entry in entries
        for question in entry.questions
        if is_dev(question)
    ]


def find_problems(entries: Iterable[Entry]) -> Iterator[str]:
    """One sentence for each thing that has to be mended in the data."""
    known = list(entries)
    yield from _repeated_names(known)
    yield from _repeated_questions(known)
    for entry in known:
        yield from _entry_problems(entry)


def _read_tables(path: Path, key: str) -> list[Table]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get(key, [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path.name}: {error}") from error
    return cast("list[Table]", tables)


def _read_file(path: Path) -> Iterator[Entry]:
    for table in _read_tables(path, "topic"):
        unknown = sorted(set(table) - KEYS)
        if unknown or "id" not in table:
            problem = f"unknown keys {unknown}" if unknown else "a topic without an id"
            raise CorpusError(f"{path.name}: {table.get('id', '?')}: {problem}")
        yield _read_entry(path.stem, table, "en", "")
        if any(key.endswith("_fr") for key in table):
            yield _read_entry(path.stem, table, "fr", "_fr")


def _read_entry(area: str, table: Table, language: Language, suffix: str) -> Entry:
    topic = str(table["id"])
    answer = table.get(f"answer{suffix}")
    if not isinstance(answer, str):
        raise CorpusError(f"{area}.toml: {topic}: answer{suffix} is missing or not text")
    must = _read_texts(area, table, f"must{suffix}")
    questions = _read_texts(area, table, f"questions{suffix}")
    return Entry(area, topic, language, answer.strip(), must, questions)


def _read_texts(area: str, table: Table, key: str) -> tuple[str, ...]:
    texts = table.get(key)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise CorpusError(f"{area}.toml: {table['id']}: {key} is not a list of texts")
    return tuple(text.strip() for text in texts)


def _read_case(table: Table) -> Case:
    language = table.get("lang")
    if language not in LANGUAGES or not {"topic", "question"} <= set(table):
        raise CorpusError(f"{HELDOUT}: a case needs topic, lang (en or fr) and question: {table}")
    return Case(str(table["topic"]), language, str(table["question"]))


def _repeated_names(entries: list[Entry]) -> Iterator[str]:
    counts = Counter(entry.name for entry in entries)
    for name, count in counts.items():
        if count > 1:
            yield f"{name}: defined {count} times"


def _repeated_questions(entries: list[Entry]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for entry in entries:
        for question in entry.questions:
            owner = owners.setdefault(normalize_text(question), entry.name)
            if owner != entry.name:
                yield f"{entry.name}: {question!r} is also a question of {owner}"


def _entry_problems(entry: Entry) -> Iterator[str]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", entry.topic):
        yield f"{entry.name}: an id has lower-case letters, digits and dashes"
    if not entry.must:
        yield f"{entry.name}: no must phrase"
    for phrase in entry.must:
        if not holds_phrases(entry.answer, [phrase]):
            yield f"{entry.name}: the answer lacks its must phrase {phrase!r}"
    if len(entry.questions) < LEAST_QUESTIONS[entry.language]:
        yield f"{entry.name}: only {len(entry.questions)} questions"
    if not all(normalize_text(question) for question in entry.questions):
        yield f"{entry.name}: an empty question"
