"""A ModelRunner on llama.cpp: one context, one sequence id a slot, sampling in the native chain."""

import contextlib
import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgeinfer.engine.backends.library import bindings, last_complaint, load_backends
from edgeinfer.engine.backends.samplers import RECOMMENDATIONS, build_chain
from edgeinfer.engine.native import NativeChoice
from edgeinfer.engine.runner import ModelFacts
from edgeinfer.engine.sampling import Shaping
from edgeinfer.engine.sequence import Admission, Batch, BatchItem, StepOutput
from edgeinfer.errors import EngineError, ModelFileError

KvType = Literal["f16", "q8_0", "q4_0"]

# ggml.h: enum ggml_type.
_GGML_TYPES: dict[KvType, int] = {"f16": 1, "q4_0": 2, "q8_0": 8}
_CELL_PADDING = 256
_PIECE_BYTES = 256
_TEXT_BYTES = 256


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How to load: `context_tokens` a slot (None: the model's own), `step_tokens` a batch.

    `gpu_layers` counts only in a build with an accelerator.
    """

    slots: int = 1
    context_tokens: int | None = None
    step_tokens: int = 256
    threads: int = 1
    gpu_layers: int = 0
    kv_type: KvType = "f16"


class LlamaRunner:
    """Owns a llama.cpp model and its context; used by one thread, but for tokenize().

    Raises ModelFileError for a file that cannot be loaded, EngineError when there is no context.
    """

    def __init__(self, path: Path, native: NativeChoice, options: RunnerOptions) -> None:
        load_backends(native.cpu_library, native.accelerators)
        self._lib = bindings()
        self._lib.llama_backend_init()
        self._options = options
        self._variant = native.variant
        self._model = self._load_model(path)
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self._n_vocab: int = self._lib.llama_vocab_n_tokens(self._vocab)
        self._context_tokens = options.context_tokens or self._trained_context()
        self._context = self._open_context()
        self._memory = self._lib.llama_get_memory(self._context)
        self._batch = self._lib.llama_batch_init(options.step_tokens, 0, 1)
        self._chains: dict[int, Any] = {}
        self._piece = ctypes.create_string_buffer(_PIECE_BYTES)
        self._facts = self._read_facts(path)
        self._own_shaping = self._read_shaping()
        self._special_tokens = self._read_special_tokens()
        self._end_tokens = frozenset(
            token
            for token in self._special_tokens
            if self._lib.llama_vocab_is_eog(self._vocab, token)
        )

    @property
    def facts(self) -> ModelFacts:
        """The loaded model's facts."""
        return self._facts

    @property
    def end_tokens(self) -> frozenset[int]:
        """Tokens that end a generation, as the model file and llama.cpp know them."""
        return self._end_tokens

    @property
    def special_texts(self) -> tuple[str, ...]:
        """Texts of control tokens, longest first.

        Tokens that the model's maker defined may be as harmless as a run of blanks, and count only
        if they end a generation or the chat template speaks in them.
        """
        texts = {self._token_text(token) for token in self._special_tokens if self._commands(token)}
        return tuple(sorted((text for text in texts if len(text) > 1), key=len, reverse=True))

    @property
    def reuses_prefixes(self) -> bool:
        """Recurrent state and a sliding window forget, so a prefix alone cannot be kept there."""
        recurrent = self._lib.llama_model_is_recurrent(self._model)
        hybrid = self._lib.llama_model_is_hybrid(self._model)
        return not (recurrent or hybrid or self._lib.llama_model_n_swa(self._model) > 0)

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids; what UTF-8 cannot hold becomes a question mark."""
        raw = text.encode("utf-8", errors="replace")
        room = len(raw) + 8
        tokens = (ctypes.c_int32 * room)()
        count = self._lib.llama_tokenize(
            self._vocab, raw, len(raw), tokens, room, add_special, parse_special
        )
        if count < 0:
            raise EngineError(f"The tokenizer refused a text of {len(raw)} bytes.")
        return list(tokens[:count])

    def token_piece(self, token: int) -> bytes:
        """The bytes of a token; empty for control tokens."""
        length = self._lib.llama_token_to_piece(
            self._vocab,
            token,
            self._piece,
            _PIECE_BYTES,
            0,
            False,  # noqa: FBT003 - a C signature
        )
        if length >= 0:
            return self._piece.raw[:length]
        longer = ctypes.create_string_buffer(-length)
        self._lib.llama_token_to_piece(self._vocab, token, longer, -length, 0, False)  # noqa: FBT003
        return longer.raw

    def run(self, batch: Batch) -> StepOutput:
        """Compute one step; raises EngineError when the native library refuses it."""
        for admission in batch.admissions:
            self._admit(admission)
        if not batch.items:
            return StepOutput(())
        outputs = list(self._fill(batch.items))
        status = self._lib.llama_decode(self._context, self._batch)
        if status != 0:
            raise EngineError(f"The native library refused a step ({status}): {last_complaint()}.")
        return StepOutput(tuple(self._sample(slot, index) for slot, index in outputs))

    def reset(self) -> None:
        """Drop every cell of the KV cache."""
        self._lib.llama_memory_clear(self._memory, True)  # noqa: FBT003 - a C signature

    def close(self) -> None:
        """Free the model, its context and the sampler chains."""
        for chain in self._chains.values():
            self._lib.llama_sampler_free(chain)
        self._chains.clear()
        self._lib.llama_batch_free(self._batch)
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)

    def _load_model(self, path: Path) -> Any:  # noqa: ANN401 - a native pointer
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = self._options.gpu_layers
        params.check_tensors = False
        model = self._lib.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ModelFileError(
                f"{path.name} cannot be loaded: {last_complaint()}.",
                hint="The file may be damaged, or of an architecture that is not known here.",
            )
        return model

    def _open_context(self) -> Any:  # noqa: ANN401 - a native pointer
        options, params = self._options, self._lib.llama_context_default_params()
        # llama.cpp pads each sequence to this anyway, but cuts the batch to the unpadded size.
        params.n_ctx = -(-self._context_tokens // _CELL_PADDING) * _CELL_PADDING * options.slots
        params.n_batch = params.n_ubatch = options.step_tokens
        params.n_seq_max = params.n_outputs_max = options.slots
        params.n_threads = params.n_threads_batch = options.threads
        params.flash_attn_type = self._lib.LLAMA_FLASH_ATTN_TYPE_AUTO
        params.type_k = params.type_v = _GGML_TYPES[options.kv_type]
        if options.kv_type != "f16":
            params.flash_attn_type = self._lib.LLAMA_FLASH_ATTN_TYPE_ENABLED
        params.swa_full = False
        params.kv_unified = False
        context = self._lib.llama_init_from_model(self._model, params)
        if not context:
            raise EngineError(
                f"No context of {self._context_tokens:,} tokens can be made: {last_complaint()}.",
                hint="Choose a smaller context with --context.",
            )
        return context

    def _trained_context(self) -> int:
        return int(self._lib.llama_model_n_ctx_train(self._model))

    def _read_facts(self, path: Path) -> ModelFacts:
        lib, template = self._lib, self._lib.llama_model_chat_template(self._model, None)
        quantization = lib.llama_ftype_name(lib.llama_model_ftype(self._model)) or b"unknown"
        return ModelFacts(
            name=self._metadata("general.name") or path.stem,
            quantization=quantization.decode(errors="replace"),
            parameters=lib.llama_model_n_params(self._model),
            size_bytes=lib.llama_model_size(self._model),
            context_tokens=lib.llama_n_ctx_seq(self._context),
            trained_context_tokens=self._trained_context(),
            slots=self._options.slots,
            chat_template=template.decode(errors="replace") if template else None,
            bos_text=self._token_text(lib.llama_vocab_bos(self._vocab)),
            eos_text=self._token_text(lib.llama_vocab_eos(self._vocab)),
            variant=self._variant,
            threads=self._options.threads,
        )

    def _metadata(self, key: str) -> str | None:
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        length = self._lib.llama_model_meta_val_str(self._model, key.encode(), buffer, _TEXT_BYTES)
        return buffer.value.decode(errors="replace") if length >= 0 else None

    def _read_shaping(self) -> Shaping:
        """What the file's makers recommend for sampling; what is no number is left out."""
        values: dict[str, float] = {}
        for name, key in RECOMMENDATIONS.items():
            with contextlib.suppress(TypeError, ValueError):
                values[name] = float(self._metadata(key))  # type: ignore[arg-type]
        return Shaping.recommended(values)

    def _token_text(self, token: int) -> str:
        if not 0 <= token < self._n_vocab:
            return ""
        text: bytes | None = self._lib.llama_vocab_get_text(self._vocab, token)
        return (text or b"").decode(errors="replace")

    def _read_special_tokens(self) -> tuple[int, ...]:
        """Control tokens and those that the model's maker defined: one pass over the vocabulary."""
        lib, vocab = self._lib, self._vocab
        wanted = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_USER_DEFINED
        attribute = lib.llama_vocab_get_attr
        return tuple(token for token in range(self._n_vocab) if attribute(vocab, token) & wanted)

    def _commands(self, token: int) -> bool:
        lib, text = self._lib, self._token_text(token)
        if lib.llama_vocab_get_attr(self._vocab, token) & lib.LLAMA_TOKEN_ATTR_CONTROL:
            return True
        spoken = not text.isspace() and text in (self._facts.chat_template or "")
        return token in self._end_tokens or spoken

    def _admit(self, admission: Admission) -> None:
        keep = admission.keep_tokens
        if not self._lib.llama_memory_seq_rm(self._memory, admission.slot, keep, -1):
            raise EngineError(
                f"The KV cache of slot {admission.slot} cannot be cut at {keep} tokens."
            )
        old = self._chains.pop(admission.slot, None)
        if old:
            self._lib.llama_sampler_free(old)
        self._chains[admission.slot] = build_chain(
            admission.sampling, self._own_shaping, admission.prompt_tokens, self._n_vocab
        )

    def _fill(self, items: tuple[BatchItem, ...]) -> Iterator[tuple[int, int]]:
        """Write the items into the native batch; yields `(slot, row)` of every row to sample."""
        batch, row = self._batch, 0
        for item in items:
            for offset, token in enumerate(item.tokens):
                batch.token[row], batch.pos[row] = token, item.start + offset
                batch.n_seq_id[row], batch.seq_id[row][0] = 1, item.slot
                batch.logits[row] = 0
                row += 1
            if item.samples:
                batch.logits[row - 1] = 1
                yield item.slot, row - 1
        batch.n_tokens = row

    def _sample(self, slot: int, row: int) -> int:
        return int(self._lib.llama_sampler_sample(self._chains[slot], self._context, row))
