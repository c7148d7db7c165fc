"""The canary's model: a small Llama-shaped GGUF with random weights in every common quantization.

It needs no download and no training, and its matrices go through the kernels that differ between
CPU variants.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

N_EMBD, N_FF, N_HEAD, N_HEAD_KV, N_LAYER, N_VOCAB = 768, 2048, 12, 4, 4, 512
_HEAD_DIM = N_EMBD // N_HEAD
_ALIGNMENT = 32
_SEED = 20260101
_BLOCKS_DRAWN = 64


@dataclass(frozen=True, slots=True)
class _BlockType:
    """A ggml block: type id, weights a block, and its fields: a half-precision scale or bytes.

    The scales make the weights' standard deviation about 0.03, so that activations stay ordinary.
    """

    type_id: int
    weights: int
    fields: tuple[float | int, ...]


# Layouts: ggml/src/ggml-common.h of llama.cpp (block_q4_0, _q8_0, _q4_K, _q5_K, _q6_K).
_F32 = 0
_Q4_0 = _BlockType(2, 32, (0.0065, 16))
_Q8_0 = _BlockType(8, 32, (0.0004, 32))
_Q4_K = _BlockType(12, 256, (0.0002, 0.0015, 140))
_Q5_K = _BlockType(13, 256, (0.0001, 0.00155, 172))
_Q6_K = _BlockType(14, 256, (208, 0.00002))
_LAYER_TYPES = (_Q4_K, _Q8_0, _Q4_0, _Q5_K)


def canary_model() -> bytes:
    """The whole file, the same bytes every time."""
    draw = random.Random(_SEED)  # noqa: S311 - meaningless weights, not a secret
    tensors = [
        (name, shape, kind, _tensor_bytes(shape, kind, draw)) for name, shape, kind in _tensors()
    ]
    header = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(_METADATA))
    header += b"".join(_key_value(key, value) for key, value in _METADATA.items())
    offset = 0
    for name, shape, kind, content in tensors:
        type_id = kind.type_id if kind else _F32
        header += _string(name) + struct.pack(
            f"<I{len(shape)}QIQ", len(shape), *shape, type_id, offset
        )
        offset += _padded(len(content))
    body = b"".join(content.ljust(_padded(len(content)), b"\0") for *_, content in tensors)
    return header.ljust(_padded(len(header)), b"\0") + body


_METADATA: dict[str, str | int | float] = {
    "general.architecture": "llama",
    "general.name": "edgeinfer-canary",
    "llama.vocab_size": N_VOCAB,
    "llama.context_length": 512,
    "llama.embedding_length": N_EMBD,
    "llama.block_count": N_LAYER,
    "llama.feed_forward_length": N_FF,
    "llama.rope.dimension_count": _HEAD_DIM,
    "llama.attention.head_count": N_HEAD,
    "llama.attention.head_count_kv": N_HEAD_KV,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "tokenizer.ggml.model": "no_vocab",
}


def _tensors() -> Iterator[tuple[str, tuple[int, ...], _BlockType | None]]:
    yield "token_embd.weight", (N_EMBD, N_VOCAB), _Q8_0
    yield "output_norm.weight", (N_EMBD,), None
    yield "output.weight", (N_EMBD, N_VOCAB), _Q6_K
    for index, kind in enumerate(_LAYER_TYPES):
        layer = f"blk.{index}."
        yield f"{layer}attn_norm.weight", (N_EMBD,), None
        yield f"{layer}ffn_norm.weight", (N_EMBD,), None
        yield f"{layer}attn_q.weight", (N_EMBD, N_EMBD), kind
        yield f"{layer}attn_k.weight", (N_EMBD, N_HEAD_KV * _HEAD_DIM), kind
        yield f"{layer}attn_v.weight", (N_EMBD, N_HEAD_KV * _HEAD_DIM), _Q6_K
        yield f"{layer}attn_output.weight", (N_EMBD, N_EMBD), kind
        yield f"{layer}ffn_gate.weight", (N_EMBD, N_FF), kind
        yield f"{layer}ffn_up.weight", (N_EMBD, N_FF), kind
        yield f"{layer}ffn_down.weight", (N_FF, N_EMBD), _Q6_K if index == 0 else kind


def _tensor_bytes(shape: tuple[int, ...], kind: _BlockType | None, draw: random.Random) -> bytes:
    count = prod(shape)
    if kind is None:
        return struct.pack("<f", 1.0) * count
    drawn = b"".join(_block(kind, draw) for _ in range(_BLOCKS_DRAWN))
    blocks = count // kind.weights
    return (drawn * (blocks // _BLOCKS_DRAWN + 1))[: blocks * len(drawn) // _BLOCKS_DRAWN]


def _block(kind: _BlockType, draw: random.Random) -> bytes:
    return b"".join(
        struct.pack("<e", part) if isinstance(part, float) else draw.randbytes(part)
        for part in kind.fields
    )


def _padded(length: int) -> int:
    return -(-length // _ALIGNMENT) * _ALIGNMENT


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _key_value(key: str, value: str | float) -> bytes:
    if isinstance(value, str):
        return _string(key) + struct.pack("<I", 8) + _string(value)
    if isinstance(value, int):
        return _string(key) + struct.pack("<II", 4, value)
    return _string(key) + struct.pack("<If", 6, value)
