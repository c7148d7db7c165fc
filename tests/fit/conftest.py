import pytest

from edgeinfer.catalog import Architecture, Catalog
from edgeinfer.fit import Candidate, Resources
from edgeinfer.units import GIB


@pytest.fixture(scope="session")
def catalog():
    return Catalog.load()


@pytest.fixture(scope="session")
def candidates(catalog):
    """Every file of the catalogue; only the guide is on this disk."""
    everything = [
        Candidate.from_manifest(model, file) for model in catalog.models for file in model.files
    ]
    return [on_disk(entry) if entry.scope == "edgeinfer" else entry for entry in everything]


def on_disk(candidate):
    fields = {name: getattr(candidate, name) for name in candidate.__slots__}
    return Candidate(**fields | {"stored_id": candidate.model_id})


@pytest.fixture
def machine():
    """A machine with so many GiB free, out of twice as many."""

    def build(free_gib, gigabytes_per_s=50.0):
        bandwidth = None if gigabytes_per_s is None else gigabytes_per_s * 1e9
        return Resources(
            int(free_gib * GIB), int(2 * free_gib * GIB), bandwidth, "measured by a read probe"
        )

    return build


@pytest.fixture
def architecture():
    """An architecture of given layers, key heads, head size, width and vocabulary."""

    def build(n_layer, n_head_kv, head_dim, n_embd=2048, n_vocab=128_256, **more):
        fields = {"name": "llama", "n_ctx_train": 131_072, "tied_embeddings": True} | more
        heads = {"n_head_kv": n_head_kv, "head_dim_k": head_dim, "head_dim_v": head_dim}
        return Architecture(n_layer=n_layer, n_embd=n_embd, n_vocab=n_vocab, **heads, **fields)

    return build
