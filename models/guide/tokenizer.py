"""Trains the guide's byte-level BPE, and turns conversations into token ids."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

from corpus import Entry, is_dev
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIALS = (END_OF_TEXT, TURN_START, TURN_END)
WORD_PIECES = 3584  # bytes, merges and SPECIALS; one topic token an entry comes on top
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def topic_token(name: str) -> str:
    """The control token that the guide generates, unseen, before the answer of an entry."""
    return f"<|{name}|>"


def train_tokenizer(entries: Sequence[Entry], texts: Iterable[str]) -> Tokenizer:
    """A tokenizer for the entries' answers and training questions and for further texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=WORD_PIECES,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator([*_entry_texts(entries), *texts], trainer)
    tokenizer.add_special_tokens([topic_token(entry.name) for entry in entries])
    return tokenizer


def _entry_texts(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield entry.answer
        for question in entry.questions:
            if not is_dev(question):
                yield from (question, question.lower(), question.capitalize())


@dataclass(frozen=True)
class ChatEncoder:
    """Token ids of the parts of a ChatML conversation."""

    tokenizer: Tokenizer

    @classmethod
    def read_file(cls, path: Path) -> "ChatEncoder":
        """The encoder of a saved tokenizer."""
        return cls(Tokenizer.from_file(str(path)))

    def encode_text(self, text: str) -> list[int]:
        """Ids of a text in which the special tokens count as such."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_message(self, role: str, content: str) -> list[int]:
        """Ids of one whole message, the line break after it included."""
        return self.encode_text(f"{TURN_START}{role}\n{content}{TURN_END}\n")

    def encode_question(self, question: str, random: Random | None, chance: float) -> list[int]:
        """Ids of a user's message and of the opening of the answer to it.

        Each word is cut at a random place with this chance and its parts are encoded apart, so that
        rare words, inflections and slips look less foreign.
        """
        parts = cut_words(question, random, chance) if random else [question]
        opening = self._encode_part(f"{TURN_START}user\n{parts[0]}")
        middle = [token for part in parts[1:] for token in self._encode_part(part)]
        return [*opening, *middle, *self._encode_part(f"{TURN_END}\n{TURN_START}assistant\n")]

    def find_topic(self, name: str) -> int:
        """The id of an entry's topic token."""
        return self._find_token(topic_token(name))

    @property
    def turn_end(self) -> int:
        """The id that ends an answer."""
        return self._find_token(TURN_END)

    def _find_token(self, text: str) -> int:
        return self.encode_text(text)[0]

    @lru_cache(maxsize=200_000)  # noqa: B019  one encoder lives as long as the program
    def _encode_part(self, text: str) -> tuple[int, ...]:
        return tuple(self.encode_text(text))


def cut_words(text: str, random: Random, chance: float) -> list[str]:
    """The text in parts: cut inside each word with this chance."""
    parts, start = [], 0
    for place in range(2, len(text) - 1):
        inside = text[place - 1].isalpha() and text[place].isalpha()
        if inside and random.random() < chance / 5:
            parts.append(text[start:place])
            start = place
    return [*parts, text[start:]]
