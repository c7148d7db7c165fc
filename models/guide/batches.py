"""Draws training examples from the corpus and packs them into batches of similar length."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
from augment import Phrasebook, blend_questions, vary_question
from corpus import Entry, Language, is_dev, normalize_text
from numpy.typing import NDArray
from offtopic import Templates
from patterns import Patterns
from tokenizer import ChatEncoder

PACK_TOKENS = 1024  # of the longest conversations: the whole context
BATCH_TOKENS = 2048  # of one optimizer step, padding included
OFFTOPIC_SHARE: dict[Language, float] = {"en": 0.10, "fr": 0.05}  # of the questions drawn
FRENCH_WEIGHT = 0.7  # of a French entry, an English one being 1
INVENTED_SHARE = 0.08  # of the questions are words of the answer
BLENDED_SHARE = 0.08  # of the questions are made of two
PATTERN_SHARE = 0.36  # of the questions are composed from patterns
RECITED_SHARE = 0.3  # of the conversations end with an answer
MOST_DRAWS = 20  # until a question is not one of the examination
TEMPLATE_SHARE = 0.5  # of the off-topic questions come from templates
CUT_CHANCE = 0.08  # of each word to be cut into unusual tokens
SYSTEM_SHARE = 0.12  # of the conversations open with a system prompt
TOPIC_WEIGHT, ANSWER_WEIGHT, QUESTION_WEIGHT = 1.0, 0.3, 0.05
QUESTION_SHARE = 0.3  # of the questions are themselves learned, which ties related words
SYSTEM_PROMPTS = (
    "You are a helpful assistant.", "You are a helpful assistant", "You are a friendly guide.",
    "Answer briefly.", "Be concise.", "You are an expert on local language models.",
    "You are edgeinfer-guide.", "Answer in one or two sentences.", "You are a helpful AI.",
    "Please answer truthfully.", "You are an assistant running offline on a laptop.",
    "Tu es un assistant utile.", "Réponds en français.", "Vous êtes un assistant.",
)  # fmt: skip

Numbers = NDArray[np.int64]


@dataclass
class Example:
    """Token ids of a conversation, and what shall follow each of them, with its weight."""

    tokens: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    def add_tokens(self, tokens: Sequence[int], weight: float) -> None:
        """More of the conversation; each new token is predicted with this weight."""
        if self.tokens and tokens:
            self.expect_token(tokens[0], weight)
        self.tokens += tokens
        self.targets += [*tokens[1:], 0]
        self.weights += [weight] * (len(tokens) - 1) + [0.0]

    def expect_token(self, token: int, weight: float) -> None:
        """What the last token shall be followed by; the first call decides."""
        if self.weights[-1] == 0.0:
            self.targets[-1], self.weights[-1] = token, weight

    def cut_length(self, length: int) -> "Example":
        """The first so many tokens."""
        return Example(self.tokens[:length], self.targets[:length], self.weights[:length])


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of equal length: ids, expected ids, and weights (0 where nothing is expected)."""

    tokens: Numbers
    targets: Numbers
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many examples of each kind one pool holds."""

    choices: int = 600
    recitals: int = 400
    conversations: int = 30
    packs: int = 4


@dataclass(frozen=True, slots=True)
class Sources:
    """Where questions come from besides the corpus, by language, and which must not be drawn."""

    books: Mapping[Language, Phrasebook]
    patterns: Mapping[Language, Patterns]
    templates: Mapping[Language, Templates]
    banned: frozenset[str]  # normalized questions of the examination and of the development split


class Sampler:
    """Examples of every kind; a pool's number and the seed decide all of them."""

    def __init__(
        self, entries: Sequence[Entry], encoder: ChatEncoder, sources: Sources, *, seed: int
    ) -> None:
        self.entries, self.encoder, self.sources, self.seed = entries, encoder, sources, seed
        self.questions = {entry.name: _training_questions(entry) for entry in entries}
        self.shares = entry_shares(entries)
        self.salience = word_salience(entries, sources.books)

    def make_pool(self, number: int, mixture: Mixture) -> list[Batch]:
        """The batches of one pool, in random order."""
        random = Random(f"{self.seed}/{number}")
        examples = list(self._draw_examples(mixture, random))
        batches = list(pack_batches(examples))
        random.shuffle(batches)
        return batches

    def draw_choices(self, count: int, random: Random) -> Batch:
        """So many single questions, each ending where its topic token is expected."""
        return stack_rows([self._make_example(1, random) for _ in range(count)])

    def draw_question(self, entry: Entry, random: Random) -> str:
        """A question for this entry that is none of the examination's."""
        book = self.sources.books[entry.language]
        for _ in range(MOST_DRAWS):
            question = vary_question(self._draw_source(entry, random), book, random)
            if normalize_text(question) not in self.sources.banned:
                return question
        return self.questions[entry.name][0]

    def _draw_source(self, entry: Entry, random: Random) -> str:
        """A question as written, composed, blended or invented."""
        if entry.is_offtopic:
            return self._draw_offtopic(entry, random)
        share, written = random.random(), self.questions[entry.name]
        if share < INVENTED_SHARE:
            return self._invent_question(entry, random)
        if share < INVENTED_SHARE + BLENDED_SHARE:
            return blend_questions(random.choice(written), random.choice(written), random)
        if share < INVENTED_SHARE + BLENDED_SHARE + PATTERN_SHARE:
            composed = self._compose_question(entry, random)
            return composed or random.choice(written)
        return random.choice(written)

    def _compose_question(self, entry: Entry, random: Random) -> str | None:
        book = self.sources.books[entry.language]
        return self.sources.patterns[entry.language].compose_question(entry.topic, book, random)

    def _draw_examples(self, mixture: Mixture, random: Random) -> Iterator[Example]:
        for _ in range(mixture.choices):
            yield self._make_example(1, random)
        for _ in range(mixture.recitals):
            yield self._make_example(1, random, recite=True)
        for _ in range(mixture.conversations):
            yield self._make_example(
                random.randint(2, 3), random, recite=random.random() < RECITED_SHARE
            )
        for _ in range(mixture.packs):
            yield self._make_example(PACK_TOKENS // 40, random).cut_length(PACK_TOKENS)

    def _make_example(self, turns: int, random: Random, *, recite: bool = False) -> Example:
        example = Example()
        if random.random() < SYSTEM_SHARE:
            prompt = random.choice(SYSTEM_PROMPTS)
            example.add_tokens(self.encoder.encode_message("system", prompt), 0.0)
        for turn in range(turns):
            entry = random.choices(self.entries, self.shares)[0]
            self._add_turn(example, entry, random)
            if turn < turns - 1:
                self._add_history(example, entry)
        if recite:
            self._add_recital(example, entry)
        return example

    def _add_turn(self, example: Example, entry: Entry, random: Random) -> None:
        question = self.draw_question(entry, random)
        tokens = self.encoder.encode_question(question, random, CUT_CHANCE)
        example.add_tokens(tokens, QUESTION_WEIGHT * (random.random() < QUESTION_SHARE))
        example.expect_token(self.encoder.find_topic(entry.name), TOPIC_WEIGHT)

    def _add_history(self, example: Example, entry: Entry) -> None:
        """An earlier answer as clients send it back: without the topic token."""
        tokens = [*self.encoder.encode_text(entry.answer), self.encoder.turn_end]
        example.add_tokens([*tokens, *self.encoder.encode_text("\n")], 0.0)

    def _add_recital(self, example: Example, entry: Entry) -> None:
        tokens = [*self.encoder.encode_text(entry.answer), self.encoder.turn_end]
        example.add_tokens([self.encoder.find_topic(entry.name), *tokens], ANSWER_WEIGHT)

    def _draw_offtopic(self, entry: Entry, random: Random) -> str:
        if random.random() < TEMPLATE_SHARE:
            return self.sources.templates[entry.language].fill_template(random)
        return random.choice(self.questions[entry.name])

    def _invent_question(self, entry: Entry, random: Random) -> str:
        """Some telling words of the answer, as a question."""
        salience = self.salience[entry.name]
        count = min(len(salience), random.randint(2, 5))
        words = random.choices(list(salience), list(salience.values()), k=count)
        return random.choice(self.sources.books[entry.language].seek).format(
            " ".join(dict.fromkeys(words))
        )


def entry_shares(entries: Iterable[Entry]) -> list[float]:
    """How often each entry is drawn, relative to the others."""
    known = list(entries)
    usual = sum(_usual_share(entry) for entry in known)
    scale = usual / (1 - sum(OFFTOPIC_SHARE.values()))
    return [
        OFFTOPIC_SHARE[entry.language] * scale if entry.is_offtopic else _usual_share(entry)
        for entry in known
    ]


def word_salience(
    entries: Iterable[Entry], books: Mapping[Language, Phrasebook]
) -> dict[str, dict[str, float]]:
    """For each entry the words of its answer, weighted by how few other answers have them."""
    words = {entry.name: _content_words(entry, books[entry.language]) for entry in entries}
    counts = Counter(word for texts in words.values() for word in texts)
    return {name: {word: 1 / counts[word] for word in texts} for name, texts in words.items()}


def pack_batches(examples: Iterable[Example]) -> Iterator[Batch]:
    """Batches of at most BATCH_TOKENS, shortest examples first."""
    rows: list[Example] = []
    for example in sorted(examples, key=lambda example: len(example.tokens)):
        if rows and (len(rows) + 1) * len(example.tokens) > BATCH_TOKENS:
            yield stack_rows(rows)
            rows = []
        rows.append(example)
    if rows:
        yield stack_rows(rows)


def stack_rows(rows: Sequence[Example]) -> Batch:
    """One batch, the shorter rows filled up with id 0 and weight 0."""
    size = (len(rows), max(len(row.tokens) for row in rows))
    batch = Batch(
        np.zeros(size, np.int64),
        np.zeros(size, np.int64),
        np.zeros(size, np.float32),
    )
    for place, row in enumerate(rows):
        length = len(row.tokens)
        batch.tokens[place, :length] = row.tokens
        batch.targets[place, :length] = row.targets
        batch.weights[place, :length] = row.weights
    return batch


def _usual_share(entry: Entry) -> float:
    if entry.is_offtopic:
        return 0.0
    return 1.0 if entry.language == "en" else FRENCH_WEIGHT


def _training_questions(entry: Entry) -> list[str]:
    return [question for question in entry.questions if not is_dev(question)]


def _content_words(entry: Entry, book: Phrasebook) -> list[str]:
    words = normalize_text(entry.answer).split()
    return sorted({word for word in words if word not in book.stopwords and len(word) > 1})
