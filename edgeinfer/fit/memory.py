"""How much memory a model takes, by closed formulas.

They equal what llama.cpp 0c1e57098 logs to 0.01 MiB for weights, KV cache, recurrent state and
output buffer, and for the compute buffer that gives logits for every token (checked 2026-11).
"""

from dataclasses import dataclass
from typing import Final, Literal

from edgeinfer.catalog import Architecture
from edgeinfer.units import MIB

KvType = Literal["f16", "q8_0", "q4_0"]

CELL_PADDING: Final = 256
# Bytes of 32 elements.
KV_BLOCK_BYTES: Final[dict[KvType, int]] = {"f16": 64, "q8_0": 34, "q4_0": 18}
KV_BLOCK: Final = 32
FLOAT_BYTES: Final = 4
# Python and the native library of a worker: 60 to 80 MiB resident, measured 2026-11.
RUNTIME_BYTES: Final = 80 * MIB
# Where only a few logits are asked for, the compute buffers of six models (0.5 to 30 B, measured
# 2026-11) held 15 to 23 floats per batch token and unit of width: 24 covers all.
COMPUTE_FLOATS: Final = 24
MASK_BYTES: Final = 2
# A tied embedding table is also kept in a second, repacked form: 7.0 to 7.6 bits a weight in three
# models with Q6_K tables on AMX (2026-11).
TIED_BITS: Final = 7.6


@dataclass(frozen=True, slots=True)
class ContextShape:
    """How a context is opened: tokens per sequence, sequences, and tokens computed in one step.

    `all_outputs` reserves logits for every token of a step. `unified` lets the sequences share
    their cells.
    """

    context_tokens: int
    slots: int = 1
    step_tokens: int = 512
    kv_type: KvType = "f16"
    all_outputs: bool = True
    unified: bool = False


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes by purpose; `basis` says how they were obtained."""

    weights_bytes: int
    repacked_bytes: int
    kv_cache_bytes: int
    compute_bytes: int
    output_bytes: int
    runtime_bytes: int
    basis: str

    @property
    def total_bytes(self) -> int:
        """Everything that has to be resident for full speed."""
        parts = (self.weights_bytes, self.repacked_bytes, self.kv_cache_bytes)
        return sum(parts) + self.compute_bytes + self.output_bytes + self.runtime_bytes


def estimate_memory(
    architecture: Architecture, weights_bytes: int, shape: ContextShape, *, repacks: bool = False
) -> MemoryEstimate:
    """What a loaded model takes; `repacks` where kernels keep a second form of the weights."""
    return MemoryEstimate(
        weights_bytes=weights_bytes,
        repacked_bytes=tied_copy_bytes(architecture) if repacks else 0,
        kv_cache_bytes=kv_cache_bytes(architecture, shape),
        compute_bytes=compute_bytes(architecture, shape),
        output_bytes=FLOAT_BYTES * architecture.n_vocab * shape.slots,
        runtime_bytes=RUNTIME_BYTES,
        basis="closed formulas of llama.cpp",
    )


def kv_cache_bytes(architecture: Architecture, shape: ContextShape) -> int:
    """Keys, values and recurrent states of all sequences."""
    cells = architecture.n_layer_full * _full_cells(shape)
    if architecture.window_tokens is not None:
        cells += architecture.n_layer_window * _window_cells(shape, architecture.window_tokens)
    return cells * cell_bytes(architecture, shape.kv_type) + (
        architecture.recurrent_bytes * shape.slots
    )


def cell_bytes(architecture: Architecture, kv_type: KvType) -> int:
    """One token's key and value in one layer."""
    width = architecture.n_head_kv * (architecture.head_dim_k + architecture.head_dim_v)
    return width * KV_BLOCK_BYTES[kv_type] // KV_BLOCK


def compute_bytes(architecture: Architecture, shape: ContextShape) -> int:
    """Intermediate results of one step with flash attention; an upper bound for few outputs."""
    if shape.all_outputs:
        floats = architecture.n_vocab + 2 * architecture.n_embd
        return FLOAT_BYTES * shape.step_tokens * floats
    states = FLOAT_BYTES * shape.step_tokens * COMPUTE_FLOATS * architecture.n_embd
    logits = FLOAT_BYTES * shape.slots * architecture.n_vocab
    return states + logits + MASK_BYTES * shape.step_tokens * shape.context_tokens


def tied_copy_bytes(architecture: Architecture) -> int:
    """The second form of an embedding table that also serves as output matrix."""
    if not architecture.tied_embeddings:
        return 0
    return int(architecture.n_vocab * architecture.n_embd * TIED_BITS / 8)


def _full_cells(shape: ContextShape) -> int:
    if shape.unified:
        return _pad(shape.context_tokens * shape.slots)
    return _pad(shape.context_tokens) * shape.slots


def _window_cells(shape: ContextShape, window: int) -> int:
    if shape.unified:
        wanted = window * shape.slots + shape.step_tokens
        return _pad(min(shape.context_tokens * shape.slots, wanted))
    return _pad(min(shape.context_tokens, window + shape.step_tokens)) * shape.slots


def _pad(cells: int) -> int:
    return -(-cells // CELL_PADDING) * CELL_PADDING
