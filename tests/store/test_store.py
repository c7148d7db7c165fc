from dataclasses import replace

import pytest

from edgeinfer.catalog import Catalog
from edgeinfer.errors import ModelFileError, UnknownModelError
from edgeinfer.paths import Paths
from edgeinfer.store import ModelStore
from tests.store.gguf_writer import STRING, TENSORS, U32, Gguf, llama_pairs

GUIDE = "edgeinfer-guide-Q8_0.gguf"
SMOLLM = Gguf(pairs=llama_pairs(llama__block_count=(U32, 30)))
LARGER = replace(SMOLLM, tensors=(*TENSORS, ("more", (64,), 0, 800)), data_bytes=1056)


@pytest.fixture(scope="module")
def catalog():
    return Catalog.load()


@pytest.fixture
def store(tmp_path, catalog):
    """A store with the guide and an empty models folder."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / GUIDE).write_bytes(Gguf().build())
    return ModelStore(Paths(tmp_path / "home"), catalog, tmp_path / "package")


@pytest.fixture
def put(store):
    """Writes a file into the models folder."""

    def write(name, content=None):
        path = store.paths.models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else (content or Gguf()).build())
        return path

    return write


def ids(store):
    return [model.id for model in store.scan().models]


def test_the_guide_is_there_without_a_models_folder(store):
    (guide,) = store.scan().models
    assert (guide.id, guide.embedded, guide.quantization) == ("edgeinfer-guide", True, "Q8_0")


def test_the_store_of_an_installation_looks_into_the_package(tmp_path, catalog):
    opened = ModelStore.open(Paths(tmp_path), catalog)
    assert (opened.embedded / "__init__.py").is_file()


def test_files_of_the_models_folder_and_of_its_folders_are_listed(store, put):
    put("Mine.gguf")
    put("folder/Other.GGUF")
    put("folder/deeper/ignored.gguf")
    put("notes.txt", b"")
    put(".hidden.gguf")
    assert sorted(ids(store)) == ["edgeinfer-guide", "mine", "other"]


def test_a_file_of_the_catalogue_takes_its_id_and_name(store, put):
    put("SmolLM2-135M-Instruct-Q8_0.gguf", SMOLLM)
    model = store.resolve("smollm2-135m")
    assert (model.id, model.catalog_id) == ("smollm2-135m", "smollm2-135m")
    assert model.name == "SmolLM2 135M Instruct"


def test_a_file_that_only_has_the_name_of_another_model_stays_a_stranger(store, put):
    put("SmolLM2-135M-Instruct-Q8_0.gguf")
    model = store.resolve("smollm2-135m-instruct-q8_0")
    assert (model.catalog_id, model.name) == (None, "Tiny")


def test_a_stranger_is_called_after_its_file_and_its_own_name(store, put):
    put("My Model (v2).gguf")
    model = store.resolve("my-model-v2")
    assert (model.name, model.catalog_id, model.embedded) == ("Tiny", None, False)


def test_of_two_files_of_one_model_the_larger_takes_the_id(store, put):
    put("SmolLM2-135M-Instruct-Q4_K_M.gguf", SMOLLM)
    put("SmolLM2-135M-Instruct-Q8_0.gguf", LARGER)
    assert store.resolve("smollm2-135m").path.name == "SmolLM2-135M-Instruct-Q8_0.gguf"
    assert "smollm2-135m-instruct-q4_k_m" in ids(store)


def test_equal_names_get_their_folder_and_then_a_number(store, put):
    for folder in ("", "b/", "c d/", "c-d/"):
        put(f"{folder}same.gguf")
    assert sorted(ids(store)) == ["b/same", "c-d/same", "edgeinfer-guide", "same", "same-2"]


def test_a_damaged_file_is_listed_with_its_reason(store, put):
    put("broken.gguf", b"<html>")
    (file,) = store.scan().unusable
    assert "web page" in file.reason
    assert ids(store) == ["edgeinfer-guide"]


def test_asking_for_a_damaged_file_says_why(store, put):
    put("broken.gguf", Gguf().build()[:-50])
    with pytest.raises(ModelFileError, match="truncated"):
        store.resolve("broken")


def test_a_folder_that_cannot_be_listed_is_noted(store):
    store.paths.home.mkdir()
    store.paths.models.write_bytes(b"a file in its place")
    (file,) = store.scan().unusable
    assert "Cannot list" in file.reason
    assert ids(store) == ["edgeinfer-guide"]


def test_a_link_that_leads_nowhere_is_noted(store, put):
    put("mine.gguf").with_name("gone.gguf").symlink_to("absent.gguf")
    (file,) = store.scan().unusable
    assert "Cannot read" in file.reason


def test_any_gguf_can_be_named_by_its_path(store, tmp_path):
    path = tmp_path / "elsewhere.gguf"
    path.write_bytes(Gguf().build())
    assert store.resolve(str(path)).path == path


def test_finding_never_takes_a_name_for_a_path(store, tmp_path):
    path = tmp_path / "elsewhere.gguf"
    path.write_bytes(Gguf().build())
    assert store.find(str(path)) is None
    assert store.find("Edgeinfer-Guide") is not None


@pytest.mark.parametrize(
    "name", ["edgeinfer-guide", GUIDE, "EDGEINFER-GUIDE-Q8_0", "edgeinfer-guide:q8_0"]
)
def test_a_model_answers_to_several_names(store, name):
    assert store.resolve(name).id == "edgeinfer-guide"


def test_a_catalogue_model_that_is_not_here_says_where_to_get_it(store):
    with pytest.raises(UnknownModelError, match="not on this disk") as caught:
        store.resolve("qwen3-8b")
    assert "unsloth/Qwen3-8B-GGUF" in caught.value.hint
    assert str(store.paths.models) in caught.value.hint


def test_an_installation_without_its_guide_says_so(store):
    (store.embedded / GUIDE).unlink()
    with pytest.raises(UnknownModelError) as caught:
        store.resolve("edgeinfer-guide")
    assert "install it again" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "suggestion"), [("edgeinfer-gide", "edgeinfer-guide"), ("qwen3-8", "qwen3-8b")]
)
def test_an_unknown_name_gets_near_ones(store, name, suggestion):
    with pytest.raises(UnknownModelError) as caught:
        store.resolve(name)
    assert suggestion in caught.value.hint


def test_a_name_like_nothing_gets_what_is_on_the_disk(store):
    with pytest.raises(UnknownModelError) as caught:
        store.resolve("zzzzzz")
    assert "On this disk: edgeinfer-guide" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["/absent/x.gguf", "./x", "~nobody-here/x", "a\0.gguf", "y" * 5000]
)
def test_no_name_makes_anything_but_an_unknown_model(store, name):
    with pytest.raises(UnknownModelError):
        store.resolve(name)


def test_a_vision_part_is_not_offered_as_a_model(store, put):
    pairs = llama_pairs(general__architecture=(STRING, "clip"), clip__block_count=(U32, 2))
    put("mmproj.gguf", Gguf(pairs=pairs))
    assert "vision part" in store.scan().unusable[0].reason
