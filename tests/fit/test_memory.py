"""The figures are those that llama.cpp 0c1e57098 logged, in MiB."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeinfer.catalog import Architecture
from edgeinfer.fit.memory import (
    ContextShape,
    compute_bytes,
    estimate_memory,
    kv_cache_bytes,
    tied_copy_bytes,
)
from edgeinfer.units import MIB

K = 1024
LLAMA_8B = (32, 8, 128)
QWEN_4B = (36, 8, 128)
QWEN_30B = (48, 4, 128)


@pytest.mark.parametrize(
    ("layers_and_heads", "context", "kv_type", "expected_mib"),
    [
        (LLAMA_8B, 32 * K, "f16", 4096),
        (LLAMA_8B, 32 * K, "q8_0", 2176),
        (QWEN_4B, 32 * K, "f16", 4608),
        (QWEN_4B, 32 * K, "q8_0", 2448),
        (QWEN_4B, 32 * K, "q4_0", 1296),
        (QWEN_4B, 4 * K, "f16", 576),
        (QWEN_30B, 4 * K, "f16", 384),
    ],
)
def test_the_kv_cache_of_full_attention(
    architecture, layers_and_heads, context, kv_type, expected_mib
):
    shape = ContextShape(context, kv_type=kv_type)
    assert kv_cache_bytes(architecture(*layers_and_heads), shape) == expected_mib * MIB


@pytest.mark.parametrize(
    ("context", "slots", "unified", "expected_mib"),
    [
        (4 * K, 1, False, 254),
        (8 * K, 1, False, 334),
        (32 * K, 1, False, 814),
        (128 * K, 1, False, 2734),
        (8 * K, 4, True, 1162),
        (8 * K, 4, False, 1336),
    ],
)
def test_the_kv_cache_of_a_sliding_window(catalog, context, slots, unified, expected_mib):
    gemma = catalog.find("gemma-3-4b").architecture
    assert (
        kv_cache_bytes(gemma, ContextShape(context, slots, unified=unified)) == expected_mib * MIB
    )


@pytest.mark.parametrize(
    ("model", "small_mib", "large_mib"),
    [
        ("llama-3.2-1b", 128, 1024),
        ("llama-3.2-3b", 448, 3584),
        ("qwen3-0.6b", 448, 3584),
        ("qwen3-14b", 640, 5120),
        ("phi-4-mini", 512, 4096),
        ("smollm3-3b", 288, 2304),
        ("ministral-3-3b", 416, 3328),
        ("gpt-oss-20b", 114, 786),
        ("qwen3.5-4b", 178, 1074),
    ],
)
def test_the_catalogue_gives_the_kv_cache_of_4k_and_32k(catalog, model, small_mib, large_mib):
    shape = catalog.find(model).architecture
    sizes = [round(kv_cache_bytes(shape, ContextShape(n)) / MIB) for n in (4 * K, 32 * K)]
    assert sizes == [small_mib, large_mib]


@pytest.mark.parametrize(
    ("n_embd", "n_vocab", "step", "expected_mib"),
    [
        (2048, 128_256, 512, 258.5),
        (4096, 128_256, 512, 266.5),
        (2560, 151_936, 512, 306.75),
        (2048, 151_936, 512, 304.75),
        (2560, 262_144, 512, 522.0),
    ],
)
def test_the_compute_buffer_with_logits_for_all(architecture, n_embd, n_vocab, step, expected_mib):
    shape = architecture(32, 8, 128, n_embd, n_vocab)
    assert compute_bytes(shape, ContextShape(4 * K, step_tokens=step)) == expected_mib * MIB


@pytest.mark.parametrize(
    ("n_embd", "n_vocab", "logged_mib"),
    [
        (2048, 128_256, 68.0),
        (4096, 128_256, 120.0),
        (2560, 151_936, 84.0),
        (2560, 262_144, 87.0),
        (2048, 151_936, 92.0),
        (896, 151_936, 39.5),
    ],
)
def test_the_compute_buffer_for_few_logits_is_bounded(architecture, n_embd, n_vocab, logged_mib):
    shape = architecture(32, 8, 128, n_embd, n_vocab)
    bound = compute_bytes(shape, ContextShape(4 * K, all_outputs=False)) / MIB
    assert logged_mib <= bound <= 2 * logged_mib


@pytest.mark.parametrize(
    ("n_embd", "n_vocab", "extra_mib"),
    [(2048, 128_256, 217.8), (2560, 262_144, 565.5), (2560, 151_936, 351.0)],
)
def test_the_second_form_of_tied_embeddings_is_bounded(architecture, n_embd, n_vocab, extra_mib):
    copy = tied_copy_bytes(architecture(32, 8, 128, n_embd, n_vocab)) / MIB
    assert extra_mib <= copy < 1.15 * extra_mib


def test_an_output_matrix_of_its_own_is_held_once(architecture):
    assert tied_copy_bytes(architecture(32, 8, 128, tied_embeddings=False)) == 0


def test_the_total_is_the_sum_of_the_parts(architecture):
    shape, context = architecture(16, 8, 64), ContextShape(4 * K)
    estimate = estimate_memory(shape, 763 * MIB, context, repacks=True)
    plain = estimate_memory(shape, 763 * MIB, context)
    assert estimate.total_bytes - plain.total_bytes == estimate.repacked_bytes > 0
    parts = 763 + 128 + 258.5 + 80
    assert plain.total_bytes == parts * MIB + plain.output_bytes
    assert plain.output_bytes == 4 * 128_256


@settings(deadline=None)
@given(st.integers(1, 200_000), st.integers(1, 200_000), st.integers(1, 8))
def test_memory_grows_with_the_context(first, second, slots):
    shape = Architecture(
        name="gemma3", n_layer=34, n_head_kv=4, head_dim_k=256, head_dim_v=256, n_embd=2560,
        n_vocab=262_144, n_ctx_train=131_072, tied_embeddings=True, n_layer_window=29,
        window_tokens=1024,
    )  # fmt: skip
    low, high = sorted((first, second))
    less, more = (kv_cache_bytes(shape, ContextShape(n, slots)) for n in (low, high))
    assert less <= more
