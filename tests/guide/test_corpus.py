"""The laws of the data that edgeinfer-guide is trained and examined on."""

from pathlib import Path
from random import Random

import pytest
from augment import Phrasebook, blend_questions, read_phrasebooks, vary_question
from corpus import (
    DATA,
    HELDOUT,
    CorpusError,
    Entry,
    Language,
    dev_cases,
    digest_data,
    find_problems,
    holds_phrases,
    is_dev,
    normalize_text,
    read_corpus,
    read_heldout,
)
from offtopic import read_templates
from patterns import expand_pattern, read_patterns

TOPIC = """
[[topic]]
id = "greeting"
answer = "Say hello to the model."
must = ["say hello"]
questions = [{questions}]
"""


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return read_corpus()


@pytest.fixture(scope="module")
def books() -> dict[Language, Phrasebook]:
    return read_phrasebooks()


def write_topic(folder: Path, text: str) -> None:
    (folder / "area.toml").write_text(text, encoding="utf-8")


def make_entry(topic: str, *questions: str, must: str = "hello") -> Entry:
    fillers = tuple(f"{topic} number {number}" for number in range(40))
    return Entry("area", topic, "en", "Say hello.", (must,), questions + fillers)


def test_the_reviewed_data_is_valid(entries: list[Entry]) -> None:
    """Ids, questions and must phrases of the repository have no problem."""
    assert list(find_problems(entries)) == []


def test_every_must_phrase_is_in_its_answer(entries: list[Entry]) -> None:
    """A right answer is possible for every topic."""
    assert all(holds_phrases(entry.answer, entry.must) for entry in entries)


@pytest.mark.skipif(not (DATA / HELDOUT).exists(), reason="no held-out questions yet")
def test_no_heldout_question_is_a_training_question(entries: list[Entry]) -> None:
    """The examination asks nothing that training has seen, whatever its case and accents."""
    trained = {normalize_text(question) for entry in entries for question in entry.questions}
    asked = {normalize_text(case.question) for case in read_heldout(entries)}
    assert not asked & trained


def test_the_development_questions_are_about_a_twentieth(entries: list[Entry]) -> None:
    """The split is by hash, so its size is only about what was asked for."""
    share = len(dev_cases(entries)) / sum(len(entry.questions) for entry in entries)
    assert 0.03 < share < 0.07


def test_the_split_ignores_case_and_punctuation() -> None:
    """The same question written otherwise stays on the same side."""
    assert is_dev("What is a token?") == is_dev("what is a TOKEN")


def test_variation_repeats_with_the_same_seed(
    entries: list[Entry], books: dict[Language, Phrasebook]
) -> None:
    """Training can be repeated: the seed decides every variation."""

    def vary_all(seed: int) -> list[str]:
        random = Random(seed)
        return [vary_question(one.questions[0], books[one.language], random) for one in entries]

    assert vary_all(5) == vary_all(5)
    assert vary_all(5) != vary_all(6)


def test_variation_leaves_something_readable(
    entries: list[Entry], books: dict[Language, Phrasebook]
) -> None:
    """Dropping words and letters never leaves an empty question."""
    random = Random(1)
    varied = [
        vary_question(question, books[entry.language], random)
        for entry in entries
        for question in entry.questions
    ]
    assert all(normalize_text(question) for question in varied)


def test_a_blend_begins_as_the_first_and_ends_as_the_second_question() -> None:
    """Both questions have the same answer, so has the blend."""
    blend = blend_questions("how do I stop it", "which key ends it", Random(2)).split()
    assert (blend[0], blend[-1]) == ("how", "it")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_templates_leave_no_slot_open(language: Language) -> None:
    """Every slot of an off-topic template is filled."""
    templates = read_templates()[language]
    filled = [templates.fill_template(Random(seed)) for seed in range(200)]
    assert not [question for question in filled if "{" in question]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_topic_has_patterns_and_only_topics_have(
    entries: list[Entry], language: Language
) -> None:
    """The refusal has templates instead."""
    topics = {one.topic for one in entries if one.language == language and not one.is_offtopic}
    assert set(read_patterns()[language].topics) == topics


@pytest.mark.parametrize("language", ["en", "fr"])
def test_patterns_leave_no_choice_open(
    books: dict[Language, Phrasebook], language: Language
) -> None:
    """What is composed has no bracket of the notation left."""
    patterns, random = read_patterns()[language], Random(3)
    for topic in patterns.topics:
        composed = patterns.compose_question(topic, books[language], random)
        assert composed
        assert not set(composed) & set("()[]|{}")


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("(stop|quit) it", {"stop it", "quit it"}),
        ("stop [it]", {"stop", "stop it"}),
        (
            "stop (the (big|small) server)?",
            {"stop", "stop the big server", "stop the small server"},
        ),
    ],
)
def test_a_pattern_stands_for_all_its_texts(pattern: str, texts: set[str]) -> None:
    """Round brackets choose, square brackets and a question mark may leave out."""
    assert {expand_pattern(pattern, Random(seed)) for seed in range(60)} == texts


def test_a_topic_without_patterns_composes_nothing(books: dict[Language, Phrasebook]) -> None:
    """The sampler then takes a written question."""
    assert read_patterns()["en"].compose_question("nowhere", books["en"], Random(1)) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("topic = 3 3", "area.toml"),
        ('[[topic]]\nanswer = "a"', "without an id"),
        ('[[topic]]\nid = "a"\nquestion = "b"', "unknown keys"),
        ('[[topic]]\nid = "a"', "answer is missing"),
        ('[[topic]]\nid = "a"\nanswer = "b"\nmust = "c"', "must is not a list"),
        (TOPIC.format(questions='"hi"'), "only 1 questions"),
    ],
)
def test_broken_data_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """The message says which file or topic is broken, and how."""
    write_topic(tmp_path, text)
    with pytest.raises(CorpusError, match=problem):
        read_corpus(tmp_path)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (make_entry("Greeting"), "lower-case"),
        (make_entry("greeting", must="goodbye"), "lacks its must phrase"),
        (make_entry("greeting", "?!"), "an empty question"),
    ],
)
def test_broken_entries_are_named(entry: Entry, problem: str) -> None:
    """Each problem is one sentence with the entry's name."""
    assert [problem in sentence for sentence in find_problems([entry])] == [True]


def test_one_question_belongs_to_one_topic() -> None:
    """Two topics that share a question cannot both be right."""
    problems = list(find_problems([make_entry("one", "Say hi!"), make_entry("two", "say hi")]))
    assert problems == ["two/en: 'say hi' is also a question of one/en"]


def test_a_folder_without_data_is_a_problem(tmp_path: Path) -> None:
    """An empty corpus is never trained on by mistake."""
    with pytest.raises(CorpusError, match="no data file"):
        read_corpus(tmp_path)


def test_an_unknown_heldout_topic_is_named(entries: list[Entry], tmp_path: Path) -> None:
    """A case for a topic that does not exist would always be wrong."""
    path = tmp_path / HELDOUT
    path.write_text('[[case]]\ntopic = "nowhere"\nlang = "en"\nquestion = "q"\n')
    with pytest.raises(CorpusError, match="nowhere/en"):
        read_heldout(entries, path)


def test_the_digest_follows_the_data_but_not_the_heldout_file(tmp_path: Path) -> None:
    """The digest in the model file says which data it was trained on."""
    write_topic(tmp_path, "first")
    before = digest_data(tmp_path)
    (tmp_path / HELDOUT).write_text("anything")
    assert digest_data(tmp_path) == before
    write_topic(tmp_path, "second")
    assert digest_data(tmp_path) != before
