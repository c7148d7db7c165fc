"""What a header says about its model, checked before the native library acts on it."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from edgeinfer.catalog.manifest import Architecture
from edgeinfer.catalog.quantization import FILE_TYPES
from edgeinfer.errors import ModelFileError
from edgeinfer.store.header import Container, GgufHeader, Metadata, TensorInfo

MOST_LAYERS: Final = 512  # the native library ends the process above it
MOST_HEADS: Final = 4096
MOST_WIDTH: Final = 2**20
MOST_TOKENS: Final = 16_000_000
LARGEST_CONTEXT: Final = 2**31 - 1

# Tokenizers that llama.cpp 0c1e57098 knows (src/llama-vocab.cpp, 2026-11-20).
TOKENIZERS: Final = frozenset(
    {
        *("llama", "gpt2", "bert", "t5", "rwkv", "plamo2", "gemma4", "hybriddna", "whitespace"),
        *("no_vocab", "none"),
    }
)
# Every how many layers one sees all tokens, where the file does not say (`load_swa_pattern` in
# src/models of llama.cpp 0c1e57098, 2026-11-20). Architectures that are absent are counted as if
# every layer saw all tokens, which overestimates.
WINDOW_PERIODS: Final = {
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "gpt-oss": 2,
    "cohere2": 4,
    "exaone4": 4,
    "olmo2": 4,
}
STATE_BYTES: Final = 4  # recurrent state is kept as f32


def describe_model(container: Container, size_bytes: int) -> GgufHeader:
    """The model in a container; raises ModelFileError when it is none, or one that cannot be."""
    metadata, tensors = container.metadata, container.tensors
    _check_kind(metadata, tensors)
    architecture = _read_architecture(metadata, tensors)
    _check_tokenizer(metadata, architecture)
    parts = _active_share(metadata, architecture.name)
    return GgufHeader(
        version=container.version,
        metadata=metadata.values,
        tensors=tensors,
        size_bytes=size_bytes,
        architecture=architecture,
        quantization=_name_quantization(metadata, tensors),
        name=metadata.text("general.name"),
        chat_template=metadata.text("tokenizer.chat_template"),
        parameters=sum(tensor.elements for tensor in tensors),
        parameters_active=_sum_active([(tensor, tensor.elements) for tensor in tensors], parts),
        weights_bytes=sum(tensor.nbytes for tensor in tensors),
        read_bytes=_sum_active([(tensor, tensor.nbytes) for tensor in tensors], parts),
    )


def _check_kind(metadata: Metadata, tensors: Sequence[TensorInfo]) -> None:
    name = metadata.file_name
    if metadata.text("general.architecture") == "clip":
        raise ModelFileError(
            f"{name} is the vision part of a model (mmproj), not a model.",
            hint="Name the model's own .gguf file.",
        )
    if metadata.text("general.type") == "adapter":
        raise ModelFileError(
            f"{name} is an adapter (LoRA), not a model.",
            hint="Merge it into its base model, and name the merged file.",
        )
    parts = metadata.whole("split.count", 0, 65_535) or 1
    if parts > 1:
        raise ModelFileError(
            f"{name} is one of {parts} parts of a model.",
            hint="Join the parts with llama-gguf-split --merge, or take a file in one piece.",
        )
    if not tensors:
        raise metadata.wrong("it has no weights")


def _require(metadata: Metadata, key: str, high: int) -> int:
    value = metadata.whole(key, 1, high)
    if value is None:
        raise metadata.wrong(f"{key} is missing")
    return value


def _read_architecture(metadata: Metadata, tensors: Sequence[TensorInfo]) -> Architecture:
    name = metadata.text("general.architecture")
    if not name:
        raise metadata.wrong("general.architecture is missing")
    n_layer = _require(metadata, f"{name}.block_count", MOST_LAYERS)
    n_embd = _require(metadata, f"{name}.embedding_length", MOST_WIDTH)
    heads = metadata.wholes(f"{name}.attention.head_count", 0, MOST_HEADS)
    key_heads = metadata.wholes(f"{name}.attention.head_count_kv", 0, MOST_HEADS) or heads
    head_dim = n_embd // max((*heads, 1))
    n_window, window = _read_window(metadata, name, n_layer)
    n_recurrent, state = _read_recurrence(metadata, name, key_heads)
    return Architecture(
        name=name,
        n_layer=n_layer,
        n_head_kv=max((*key_heads, 0)),
        head_dim_k=metadata.whole(f"{name}.attention.key_length", 0, MOST_WIDTH) or head_dim,
        head_dim_v=metadata.whole(f"{name}.attention.value_length", 0, MOST_WIDTH) or head_dim,
        n_embd=n_embd,
        n_vocab=_count_tokens(metadata, name, tensors),
        n_ctx_train=_require(metadata, f"{name}.context_length", LARGEST_CONTEXT),
        tied_embeddings=all(tensor.name != "output.weight" for tensor in tensors),
        n_layer_window=min(n_window, n_layer - n_recurrent),
        window_tokens=window,
        n_layer_recurrent=n_recurrent,
        recurrent_bytes=n_recurrent * state,
    )


def _read_window(metadata: Metadata, name: str, n_layer: int) -> tuple[int, int | None]:
    """How many layers look back only a window, and its tokens."""
    window = metadata.whole(f"{name}.attention.sliding_window", 0, LARGEST_CONTEXT)
    stated = metadata.wholes(f"{name}.attention.sliding_window_pattern", 0, MOST_LAYERS)
    period = stated[0] if len(stated) == 1 else WINDOW_PERIODS.get(name, 0)
    if not window:
        return 0, None
    if len(stated) > 1:
        return sum(map(bool, stated[:n_layer])), window
    return (n_layer - n_layer // period, window) if period else (0, None)


def _read_recurrence(metadata: Metadata, name: str, key_heads: Sequence[int]) -> tuple[int, int]:
    """How many layers keep a state instead of tokens, and the bytes of one state."""
    n_layer = _require(metadata, f"{name}.block_count", MOST_LAYERS)
    state = _state_floats(metadata, name) * STATE_BYTES
    interval = metadata.whole(f"{name}.full_attention_interval", 1, MOST_LAYERS)
    if len(key_heads) > 1:
        return sum(count == 0 for count in key_heads[:n_layer]), state
    if state and interval:
        return n_layer - n_layer // interval, state
    return (0, 0) if any(key_heads) else (n_layer, state)


def _state_floats(metadata: Metadata, name: str) -> int:
    """Numbers in one layer's state: a Mamba or delta-net layer, or a short convolution."""
    names = ("conv_kernel", "inner_size", "state_size", "group_count")
    sizes = [metadata.whole(f"{name}.ssm.{key}", 0, MOST_WIDTH) or 0 for key in names]
    kernel, inner, state, groups = sizes
    if inner and state:
        return max(kernel - 1, 0) * (inner + 2 * groups * state) + state * inner
    cache = metadata.whole(f"{name}.shortconv.l_cache", 0, MOST_WIDTH) or 0
    width = metadata.whole(f"{name}.embedding_length", 0, MOST_WIDTH) or 0
    return width * max(cache - 1, 0)


def _count_tokens(metadata: Metadata, name: str, tensors: Sequence[TensorInfo]) -> int:
    listed = metadata.length("tokenizer.ggml.tokens")
    stated = metadata.whole(f"{name}.vocab_size", 1, MOST_TOKENS)
    table = next((tensor for tensor in tensors if tensor.name == "token_embd.weight"), None)
    count = listed or stated or (table.shape[-1] if table else 0)
    if not count:
        raise metadata.wrong("it has no vocabulary")
    return count


def _check_tokenizer(metadata: Metadata, architecture: Architecture) -> None:
    kind = metadata.text("tokenizer.ggml.model")
    if kind is not None and kind not in TOKENIZERS:
        raise ModelFileError(
            f"{metadata.file_name} needs the tokenizer {kind!r}, which is not known here.",
            hint="Get a newer edgeinfer, or another file of this model.",
        )
    if kind == "bert" and "bert" not in architecture.name:
        raise metadata.wrong(f"a {architecture.name} model cannot have a BERT tokenizer")
    tokens = metadata.length("tokenizer.ggml.tokens")
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        if metadata.length(key) not in {None, tokens}:
            raise metadata.wrong(f"{key} has not one element a token")
    for key in ("bos", "eos"):
        metadata.whole(f"tokenizer.ggml.{key}_token_id", 0, architecture.n_vocab - 1)


def _name_quantization(metadata: Metadata, tensors: Sequence[TensorInfo]) -> str:
    """The mixture that the file names, or the type that most of its bytes have."""
    kind = metadata.whole("general.file_type", 0, 2**32 - 1)
    if kind is not None and kind in FILE_TYPES:
        return FILE_TYPES[kind].name
    weight: Counter[str] = Counter()
    for tensor in tensors:
        weight[tensor.type.name] += tensor.nbytes
    return weight.most_common(1)[0][0]


def _active_share(metadata: Metadata, name: str) -> tuple[int, int]:
    """Experts used for a token, and experts there are; (1, 1) without experts."""
    total = metadata.whole(f"{name}.expert_count", 0, MOST_HEADS) or 1
    used = metadata.whole(f"{name}.expert_used_count", 0, MOST_HEADS) or total
    return min(used, total), total


def _sum_active(amounts: Sequence[tuple[TensorInfo, int]], share: tuple[int, int]) -> int:
    """Bytes or elements that one token touches."""
    used, total = share
    tied = all(tensor.name != "output.weight" for tensor, _ in amounts)
    touched = 0
    for tensor, amount in amounts:
        if "_exps" in tensor.name:
            touched += amount * used // total
        elif tied or tensor.name != "token_embd.weight":
            touched += amount
    return touched
