"""One CPU variant tried in a process of its own, so that it crashes alone.

`python -m edgeinfer.engine.backends.trial try LIBRARY MODEL` prints one line of JSON: the variant's
own CPUID score, speeds in tokens per second of one thread (several wait for each other, and for
whatever else the machine does), and the logits to compare, none if they are not finite numbers.
`score LIBRARY...` prints the scores alone.
"""

import ctypes
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from edgeinfer.engine.backends.library import bindings, load_backends
from edgeinfer.engine.canary import N_VOCAB
from edgeinfer.engine.native import SCORE

PREFILL_TOKENS = 64
DECODE_TOKENS = 8
REPEATS = 2


def rank(libraries: list[str]) -> list[int]:
    """Each variant's own CPUID score; 0 where this CPU lacks an instruction set."""
    bindings()
    return [ctypes.CDLL(library).ggml_backend_score() for library in libraries]


def try_variant(library: str, model: str) -> dict[str, Any]:
    """Run the variant, if this CPU has what it needs."""
    (score,) = rank([library])
    if score == 0:
        return {"score": 0}
    load_backends(Path(library))
    return {"score": score, **_run(model)}


def _run(model_path: str) -> dict[str, Any]:
    lib = bindings()
    model = lib.llama_model_load_from_file(model_path.encode(), lib.llama_model_default_params())
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = 512, PREFILL_TOKENS, PREFILL_TOKENS
    params.n_threads = params.n_threads_batch = 1
    context = lib.llama_init_from_model(model, params)
    batch = lib.llama_batch_init(PREFILL_TOKENS, 0, 1)
    prefill, decode, logits = [], [], []
    for repeat in range(REPEATS):
        lib.llama_memory_clear(lib.llama_get_memory(context), True)  # noqa: FBT003 - a C signature
        prompt = [(7 * i + 31 * repeat) % N_VOCAB for i in range(PREFILL_TOKENS)]
        prefill.append(_timed(context, batch, prompt, 0) / PREFILL_TOKENS)
        logits += list(lib.llama_get_logits_ith(context, -1)[:N_VOCAB])
        decode += [
            _timed(context, batch, [(13 * i) % N_VOCAB], PREFILL_TOKENS + i)
            for i in range(DECODE_TOKENS)
        ]
        logits += list(lib.llama_get_logits_ith(context, -1)[:N_VOCAB])
    return {
        "prefill_tokens_per_s": 1 / min(prefill),
        "decode_tokens_per_s": 1 / min(decode),
        "logits": logits if all(map(math.isfinite, logits)) else [],
    }


def _timed(context: Any, batch: Any, tokens: list[int], position: int) -> float:  # noqa: ANN401 - native pointers
    for row, token in enumerate(tokens):
        batch.token[row], batch.pos[row] = token, position + row
        batch.n_seq_id[row], batch.seq_id[row][0] = 1, 0
        batch.logits[row] = row == len(tokens) - 1
    batch.n_tokens = len(tokens)
    start = time.perf_counter()
    status = bindings().llama_decode(context, batch)
    if status != 0:
        raise SystemExit(f"llama_decode returned {status}")
    return time.perf_counter() - start


def main(mode: str, *arguments: str) -> None:
    """Print the result as JSON."""
    if mode == SCORE:
        sys.stdout.write(json.dumps(rank(list(arguments))))
    else:
        library, model = arguments
        sys.stdout.write(json.dumps(try_variant(library, model)))


if __name__ == "__main__":
    main(*sys.argv[1:])
