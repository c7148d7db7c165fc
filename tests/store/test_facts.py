import pytest

from edgeinfer.store import read_header
from tests.store.gguf_writer import ARRAY, BOOL, STRING, TENSORS, U32, Gguf, llama_pairs


def pairs_of(name, layers, **changes):
    """Metadata of an architecture with keys written as `attention__head_count`."""
    own = {
        "block_count": (U32, layers),
        "context_length": (U32, 4096),
        "embedding_length": (U32, 64),
        "attention.head_count": (U32, 4),
    }
    own |= {key.replace("__", "."): change for key, change in changes.items()}
    plain = {key: content for key, content in llama_pairs().items() if "llama" not in key}
    return {**plain, "general.architecture": (STRING, name)} | {
        f"{name}.{key}": content for key, content in own.items() if content is not None
    }


def architecture_of(write, name, layers, **changes):
    return read_header(write(Gguf(pairs=pairs_of(name, layers, **changes)))).architecture


@pytest.mark.parametrize(
    ("name", "layers", "window_layers"),
    [
        ("gemma3", 34, 29),
        ("gpt-oss", 24, 12),
        ("gemma2", 26, 13),
        ("llama", 32, 0),
        ("qwen2", 8, 0),
    ],
)
def test_the_architecture_tells_which_layers_have_a_window(write, name, layers, window_layers):
    shape = architecture_of(write, name, layers, attention__sliding_window=(U32, 128))
    assert shape.n_layer_window == window_layers


def test_a_pattern_in_the_file_wins(write):
    pattern = (ARRAY, (BOOL, [True, True, False]))
    changes = {
        "attention__sliding_window": (U32, 128),
        "attention__sliding_window_pattern": pattern,
    }
    assert architecture_of(write, "gemma3", 3, **changes).n_layer_window == 2


def test_without_a_window_all_layers_are_full(write):
    assert architecture_of(write, "gemma3", 34).n_layer_full == 34


def test_a_delta_net_keeps_a_state_in_three_of_four_layers(write):
    sizes = {"conv_kernel": 4, "inner_size": 4096, "state_size": 128, "group_count": 16}
    keys = {f"ssm__{key}": (U32, size) for key, size in sizes.items()}
    shape = architecture_of(write, "qwen35", 32, full_attention_interval=(U32, 4), **keys)
    assert (shape.n_layer_recurrent, shape.recurrent_bytes) == (24, 52_690_944)


def test_layers_without_key_heads_are_short_convolutions(write):
    heads = (ARRAY, (U32, [0, 0, 8, 0, 0, 8]))
    changes = {"attention__head_count_kv": heads, "shortconv__l_cache": (U32, 3)}
    shape = architecture_of(write, "lfm2", 6, **changes)
    assert (shape.n_head_kv, shape.n_layer_recurrent) == (8, 4)
    assert shape.recurrent_bytes == 4 * 64 * 2 * 4


def test_a_model_without_attention_has_no_kv_cache(write):
    keys = {
        "ssm__conv_kernel": (U32, 4),
        "ssm__inner_size": (U32, 128),
        "ssm__state_size": (U32, 16),
    }
    shape = architecture_of(write, "mamba", 4, attention__head_count=None, **keys)
    assert (shape.n_layer_full, shape.n_layer_recurrent) == (0, 4)


def test_head_sizes_of_their_own_win_over_the_width(write):
    changes = {"attention__key_length": (U32, 128), "attention__value_length": (U32, 96)}
    shape = architecture_of(write, "qwen3", 2, **changes)
    assert (shape.head_dim_k, shape.head_dim_v) == (128, 96)


def test_resting_experts_are_not_read(write):
    tensors = (*TENSORS, ("blk.0.ffn_up_exps.weight", (64, 8, 8), 0, 800))
    pairs = llama_pairs(llama__expert_count=(U32, 8), llama__expert_used_count=(U32, 2))
    header = read_header(write(Gguf(pairs=pairs, tensors=tensors, data_bytes=800 + 16_384)))
    assert header.weights_bytes - header.read_bytes == 16_384 * 6 // 8
    assert header.parameters - header.parameters_active == 64 * 8 * 6


def test_an_embedding_of_its_own_is_only_looked_up(write):
    tensors = (*TENSORS, ("output.weight", (64, 8), 8, 800))
    header = read_header(write(Gguf(tensors=tensors, data_bytes=800 + 544)))
    assert header.read_bytes == header.weights_bytes - 544
    assert not header.architecture.tied_embeddings


def test_the_vocabulary_comes_from_the_weights_where_no_tokens_are_listed(write):
    pairs = llama_pairs(tokenizer__ggml__tokens=None, tokenizer__ggml__model=(STRING, "no_vocab"))
    assert read_header(write(Gguf(pairs=pairs))).architecture.n_vocab == 8


def test_an_unknown_mixture_is_named_after_most_of_its_bytes(write):
    pairs = llama_pairs(general__file_type=(U32, 1024))
    assert read_header(write(Gguf(pairs=pairs))).quantization == "Q8_0"
