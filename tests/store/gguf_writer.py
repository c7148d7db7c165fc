"""Writes small GGUF files, right ones and wrong ones, for the tests of this folder."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

U8, U32, I32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 5, 6, 7, 8, 9, 10
_FORMATS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}


def string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def value(kind: int, content: Any) -> bytes:
    if kind == STRING:
        return string(content)
    if kind == ARRAY:
        element, items = content
        head = struct.pack("<IQ", element, len(items))
        return head + b"".join(value(element, item) for item in items)
    return struct.pack("<" + _FORMATS[kind], content)


def pair(key: str, kind: int, content: Any) -> bytes:
    return string(key) + struct.pack("<I", kind) + value(kind, content)


def tensor(name: str, shape: Sequence[int], kind: int, offset: int) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return string(name) + sizes + struct.pack("<IQ", kind, offset)


def tokens(count: int) -> tuple[int, tuple[int, list[str]]]:
    return ARRAY, (STRING, [f"t{index}" for index in range(count)])


def llama_pairs(**changes: tuple[int, Any] | None) -> dict[str, tuple[int, Any]]:
    """The metadata of a tiny model; a change is named with `__` for the dot, None leaves it out."""
    pairs: dict[str, tuple[int, Any] | None] = {
        "general.architecture": (STRING, "llama"),
        "general.name": (STRING, "Tiny"),
        "general.file_type": (U32, 7),
        "llama.block_count": (U32, 2),
        "llama.context_length": (U32, 512),
        "llama.embedding_length": (U32, 64),
        "llama.attention.head_count": (U32, 4),
        "llama.attention.head_count_kv": (U32, 2),
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.tokens": tokens(8),
        "tokenizer.ggml.eos_token_id": (U32, 7),
        "tokenizer.chat_template": (STRING, "{{ messages }}"),
    }
    pairs |= {key.replace("__", "."): change for key, change in changes.items()}
    return {key: content for key, content in pairs.items() if content is not None}


TENSORS = (("token_embd.weight", (64, 8), 8, 0), ("output_norm.weight", (64,), 0, 544))


@dataclass
class Gguf:
    """A file in parts, each of which a test may spoil."""

    pairs: Mapping[str, tuple[int, Any]] = field(default_factory=llama_pairs)
    tensors: Sequence[tuple[str, Sequence[int], int, int]] = TENSORS
    data_bytes: int = 800
    alignment: int = 32
    magic: bytes = b"GGUF"
    version: int = 3
    n_pairs: int | None = None
    n_tensors: int | None = None
    extra_pairs: bytes = b""

    def build(self) -> bytes:
        """The bytes of the file."""
        count = len(self.pairs) if self.n_pairs is None else self.n_pairs
        n_tensors = len(self.tensors) if self.n_tensors is None else self.n_tensors
        head = self.magic + struct.pack("<IQQ", self.version, n_tensors, count)
        head += b"".join(pair(key, *content) for key, content in self.pairs.items())
        head += self.extra_pairs + b"".join(tensor(*entry) for entry in self.tensors)
        return head + b"\0" * (-len(head) % self.alignment) + b"\x01" * self.data_bytes
