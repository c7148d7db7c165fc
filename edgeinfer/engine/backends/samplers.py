"""A request's sampling as a chain of llama.cpp's own samplers, so that no logits reach Python."""

import secrets
from collections.abc import Iterator
from typing import Any

from edgeinfer.engine.backends.library import bindings
from edgeinfer.engine.sampling import SamplingParams, Shaping

_NO_PENALTIES = (1.0, 0.0, 0.0)

# Keys of a GGUF file for what its makers recommend (llama-model.cpp of llama.cpp 0c1e57098).
RECOMMENDATIONS = {
    "top_k": "general.sampling.top_k",
    "top_p": "general.sampling.top_p",
    "min_p": "general.sampling.min_p",
    "temperature": "general.sampling.temp",
}


def build_chain(
    sampling: SamplingParams, own: Shaping, prompt_tokens: tuple[int, ...], n_vocab: int
) -> Any:  # noqa: ANN401 - a native pointer
    """A chain that has seen the prompt; its owner frees it with llama_sampler_free.

    `own` is what the model recommends where the request leaves the choice open.
    """
    lib = bindings()
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for sampler in _samplers(sampling, own.wanted(sampling), n_vocab):
        lib.llama_sampler_chain_add(chain, sampler)
    if sampling.penalty_last_n and _penalties(sampling) != _NO_PENALTIES:
        for token in prompt_tokens[-sampling.penalty_last_n :]:
            lib.llama_sampler_accept(chain, token)
    return chain


def _samplers(sampling: SamplingParams, shaping: Shaping, n_vocab: int) -> Iterator[Any]:
    lib, penalties = bindings(), _penalties(sampling)
    if penalties != _NO_PENALTIES:
        yield lib.llama_sampler_init_penalties(n_vocab, sampling.penalty_last_n, *penalties)
    if shaping.temperature == 0:
        yield lib.llama_sampler_init_greedy()
        return
    if shaping.top_k:
        yield lib.llama_sampler_init_top_k(shaping.top_k)
    yield lib.llama_sampler_init_top_p(shaping.top_p, 1)
    yield lib.llama_sampler_init_min_p(shaping.min_p, 1)
    yield lib.llama_sampler_init_temp(shaping.temperature)
    seed = sampling.seed if sampling.seed is not None else secrets.randbits(31)
    yield lib.llama_sampler_init_dist(seed)


def _penalties(sampling: SamplingParams) -> tuple[float, float, float]:
    return sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty
