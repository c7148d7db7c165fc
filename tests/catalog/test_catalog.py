import pytest

from edgeinfer.catalog import Catalog
from edgeinfer.cost.prices import load_prices
from edgeinfer.errors import EdgeinferError, UnknownModelError

GUIDE = "edgeinfer-guide"


@pytest.fixture(scope="module")
def catalog():
    return Catalog.load()


ENTRY = """
id = "tiny"
name = "Tiny 1B"
family = "T"
summary = "s"
license = "MIT"
commercial_use = "yes"
parameters_total = 1_000
parameters_active = 1_000
languages = ["en"]
source = "s"
checked = 2026-11-20
[architecture]
name = "llama"
n_layer = 2
n_head_kv = 2
head_dim_k = 8
head_dim_v = 8
n_embd = 16
n_vocab = 32
n_ctx_train = 64
tied_embeddings = true
[[files]]
quantization = "Q8_0"
size_bytes = 1_100
repo = "a/b"
path = "tiny-Q8_0.gguf"
"""


@pytest.fixture
def folder(tmp_path):
    """A catalogue of one entry, with a piece of its text replaced."""

    def write(old="", new=""):
        (tmp_path / "tiny.toml").write_text(ENTRY.replace(old, new, 1), "utf-8")
        return tmp_path

    return write


def test_the_catalogue_spans_a_tenth_of_a_billion_to_thirty_billion(catalog):
    sizes = [model.parameters_total for model in catalog.models if model.scope == "general"]
    assert len(sizes) >= 14
    assert sizes == sorted(sizes)
    assert sizes[0] < 200_000_000
    assert sizes[-1] > 30_000_000_000


def test_ids_and_files_are_unique(catalog):
    files = [file.path for model in catalog.models for file in model.files]
    assert len(set(files)) == len(files)
    assert len({model.id for model in catalog.models}) == len(catalog.models)


def test_every_hosted_price_is_in_the_price_table(catalog):
    prices = {price.price_id for price in load_prices().prices}
    assert {model.hosted_price for model in catalog.models} <= prices


def test_file_sizes_agree_with_parameters_and_bits(catalog):
    for model in catalog.models:
        for file in model.files:
            bits = file.size_bytes * 8 / model.parameters_total
            assert 4.0 < bits < 9.2, (model.id, file.quantization)


def test_the_guide_says_what_it_is(catalog):
    guide = catalog.find(GUIDE)
    assert (guide.scope, guide.files[0].repo) == ("edgeinfer", None)
    assert "Not a general assistant" in guide.summary
    assert guide.files[0].address == "part of edgeinfer"


def test_a_rating_lists_the_uses(catalog):
    assert catalog.find("qwen3-8b").uses == ("chat", "code", "reasoning")


@pytest.mark.parametrize(
    "name",
    ["qwen3-8b", " Qwen3-8B ", "qwen3 8b", "unsloth/Qwen3-8B-GGUF", "Qwen3-8B-Q4_K_M.gguf"],
)
def test_a_model_is_found_by_any_of_its_names(catalog, name):
    assert catalog.find(name).id == "qwen3-8b"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("qwen3-4b", "qwen3-4b-2507"), ("lama-3.2-1b", "llama-3.2-1b"), ("gpt-oss", "gpt-oss-20b")],
)
def test_a_near_miss_is_answered_with_the_right_name(catalog, name, suggestion):
    with pytest.raises(UnknownModelError) as caught:
        catalog.find(name)
    assert suggestion in caught.value.hint


def test_a_name_like_nothing_points_to_the_list(catalog):
    with pytest.raises(UnknownModelError) as caught:
        catalog.find("zzzzzzz")
    assert "edgeinfer models" in caught.value.hint


def test_a_file_name_leads_to_its_model(catalog):
    found = catalog.file_named("QWEN3-8B-Q4_K_M.GGUF")
    assert found is not None
    assert (found[0].id, found[1].quantization) == ("qwen3-8b", "Q4_K_M")
    assert catalog.file_named("stranger.gguf") is None


def test_a_right_entry_is_read(folder):
    assert Catalog.load(folder()).find("tiny").architecture.n_layer_full == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n_layer = 2", "n_layer = 0", r"architecture\.n_layer"),
        ("n_layer = 2", "n_layer = 2\nn_layer_window = 3", "more layers"),
        ("n_layer = 2", "n_layer = 2\nn_layer_window = 1", "window_tokens"),
        ("n_embd = 16", 'n_embd = "16"', r"architecture\.n_embd"),
        ('license = "MIT"', "", "license"),
        ('license = "MIT"', 'license = "MIT"\nlicence = "MIT"', "licence"),
        ("active = 1_000", "active = 2_000", "more active"),
        ('"yes"', '"maybe"', "commercial_use"),
        ('id = "tiny"', 'id = "Tiny"', r"\$\.id"),
        ('id = "tiny"', 'id = "other"', "name of the file"),
        ("Q8_0", "Q9", "Q9"),
        ('repo = "a/b"', "", "repository"),
        ("n_vocab = 32", "n_vocab 32", "line"),
    ],
)
def test_a_wrong_entry_is_refused_by_file_and_field(folder, old, new, words):
    with pytest.raises(EdgeinferError, match=rf"tiny\.toml is not valid: .*{words}"):
        Catalog.load(folder(old, new))
