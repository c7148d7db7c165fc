"""What the catalogue says about a model, as values that check themselves when they are read."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct

Use = Literal["chat", "code", "reasoning"]
Tier = Literal["A", "B", "C"]
Scope = Literal["general", "edgeinfer"]

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1)]
ModelId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._:/-]{0,127}$")]


class Architecture(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The numbers that decide how much memory a model needs beside its weights.

    Of `n_layer` layers, `n_layer_window` look back only `window_tokens`, `n_layer_recurrent` keep a
    state of fixed size (`recurrent_bytes` for all of them and one sequence), and the others keep
    every token. `head_dim_k` and `head_dim_v` are the widths of one head's key and value.
    """

    name: Text
    n_layer: Annotated[int, Meta(ge=1, le=512)]
    n_head_kv: Count
    head_dim_k: Count
    head_dim_v: Count
    n_embd: Positive
    n_vocab: Positive
    n_ctx_train: Positive
    tied_embeddings: bool
    n_layer_window: Count = 0
    window_tokens: Positive | None = None
    n_layer_recurrent: Count = 0
    recurrent_bytes: Count = 0

    def __post_init__(self) -> None:
        if self.n_layer_window + self.n_layer_recurrent > self.n_layer:
            raise ValueError("more layers with a window or a state than layers")
        if self.n_layer_window and self.window_tokens is None:
            raise ValueError("layers with a window need `window_tokens`")

    @property
    def n_layer_full(self) -> int:
        """Layers that keep the keys and values of every token."""
        return self.n_layer - self.n_layer_window - self.n_layer_recurrent


class ModelFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One file of a model; `repo` is on Hugging Face, None for the file inside edgeinfer."""

    quantization: Text
    size_bytes: Positive
    path: Text
    repo: Text | None = None

    @property
    def address(self) -> str:
        """Where a person finds the file."""
        return f"huggingface.co/{self.repo} ({self.path})" if self.repo else "part of edgeinfer"


class UseQuality(Struct, frozen=True, forbid_unknown_fields=True):
    """How good a model is at one use: A is best, and `source` says on what evidence."""

    tier: Tier
    source: Text


class ModelManifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that is known of one model without its file.

    `unverified` names fields whose value was not read from the file or the model's own card.
    `hosted_price` is the price id, "provider/model", of the same or the nearest model in a cloud;
    None where there is none.
    """

    id: ModelId
    name: Text
    family: Text
    license: Text
    commercial_use: Literal["yes", "no", "conditions"]
    parameters_total: Positive
    parameters_active: Positive
    architecture: Architecture
    languages: tuple[Text, ...]
    files: Annotated[tuple[ModelFile, ...], Meta(min_length=1)]
    source: Text
    checked: date
    summary: Text
    scope: Scope = "general"
    quality: Mapping[Use, UseQuality] = {}
    hosted_price: Text | None = None
    unverified: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if self.parameters_active > self.parameters_total:
            raise ValueError("more active parameters than parameters")

    @property
    def uses(self) -> tuple[Use, ...]:
        """What the model is rated for."""
        return tuple(self.quality)
