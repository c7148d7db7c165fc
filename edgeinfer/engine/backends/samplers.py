"""A request's sampling as a chain of llama.cpp's own samplers, so that no logits reach Python."""

import secrets
from collections.abc import Iterator
from typing import Any

from edgeinfer.engine.backends.library import bindings
from edgeinfer.engine.sampling import SamplingParams

_NO_PENALTIES = (1.0, 0.0, 0.0)


def build_chain(sampling: SamplingParams, prompt_tokens: tuple[int, ...], n_vocab: int) -> Any:  # noqa: ANN401 - a native pointer
    """A chain that has seen the prompt; its owner frees it with llama_sampler_free."""
    lib = bindings()
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for sampler in _samplers(sampling, n_vocab):
        lib.llama_sampler_chain_add(chain, sampler)
    if sampling.penalty_last_n and _penalties(sampling) != _NO_PENALTIES:
        for token in prompt_tokens[-sampling.penalty_last_n :]:
            lib.llama_sampler_accept(chain, token)
    return chain


def _samplers(sampling: SamplingParams, n_vocab: int) -> Iterator[Any]:
    lib, penalties = bindings(), _penalties(sampling)
    if penalties != _NO_PENALTIES:
        yield lib.llama_sampler_init_penalties(n_vocab, sampling.penalty_last_n, *penalties)
    if sampling.temperature == 0:
        yield lib.llama_sampler_init_greedy()
        return
    if sampling.top_k:
        yield lib.llama_sampler_init_top_k(sampling.top_k)
    yield lib.llama_sampler_init_top_p(sampling.top_p, 1)
    yield lib.llama_sampler_init_min_p(sampling.min_p, 1)
    yield lib.llama_sampler_init_temp(sampling.temperature)
    seed = sampling.seed if sampling.seed is not None else secrets.randbits(31)
    yield lib.llama_sampler_init_dist(seed)


def _penalties(sampling: SamplingParams) -> tuple[float, float, float]:
    return sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty
