"""The model that ships is the one that these sources describe."""

from importlib.resources import files
from pathlib import Path

import pytest
from corpus import digest_data

from edgeinfer.catalog import Catalog
from edgeinfer.store.gguf import read_header
from edgeinfer.store.header import GgufHeader

MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def header() -> GgufHeader:
    return read_header(Path(str(files("edgeinfer_models") / "edgeinfer-guide-Q8_0.gguf")))


def test_the_packaged_file_says_what_it_is(header: GgufHeader) -> None:
    assert (header.name, header.quantization) == ("edgeinfer-guide", "Q8_0")
    assert "only knows edgeinfer" in str(header.metadata["general.description"])


def test_it_is_small_enough_to_ship(header: GgufHeader) -> None:
    assert header.size_bytes <= MOST_BYTES


def test_it_was_trained_on_the_data_beside_it(header: GgufHeader) -> None:
    assert header.metadata["edgeinfer.guide.data_sha256"] == digest_data()


def test_the_catalogue_states_its_numbers(header: GgufHeader) -> None:
    entry = Catalog.load().find("edgeinfer-guide")
    assert entry.architecture == header.architecture
    assert (entry.parameters_total, entry.files[0].size_bytes) == (
        header.parameters,
        header.size_bytes,
    )


def test_it_asks_for_the_likeliest_token(header: GgufHeader) -> None:
    assert header.metadata["general.sampling.temp"] == 0


def test_it_brings_a_chat_template(header: GgufHeader) -> None:
    assert "<|im_start|>" in (header.chat_template or "")
