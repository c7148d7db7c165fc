import struct
from dataclasses import replace
from io import BytesIO
from time import process_time

import pytest

from edgeinfer.errors import ModelFileError, StorageError
from edgeinfer.store import GgufArray, read_header
from edgeinfer.store.gguf import parse_header
from tests.store.gguf_writer import (
    ARRAY,
    BOOL,
    F32,
    I32,
    STRING,
    TENSORS,
    U8,
    U32,
    U64,
    Gguf,
    llama_pairs,
    pair,
    string,
    tensor,
    tokens,
    value,
)

HUGE = 2**64 - 1
MATRIX = ("token_embd.weight", (64, 8), 8, 0)


def with_pairs(**changes):
    return Gguf(pairs=llama_pairs(**changes))


def with_tensors(*tensors, **changes):
    return Gguf(tensors=tensors, **changes)


def header_bytes(n_tensors, n_pairs, rest=b""):
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_pairs) + rest


def flag(kind, content):
    return string("x") + struct.pack("<I", kind) + content


# Named as in tests/test-gguf.cpp of llama.cpp where it has the case.
BAD_FILES = {
    "HEADER_BAD_MAGIC": Gguf(magic=b"FUGG"),
    "HEADER_BAD_VERSION_0": Gguf(version=0),
    "HEADER_BAD_VERSION_1": Gguf(version=1),
    "HEADER_BAD_VERSION_FUTURE": Gguf(version=4),
    "HEADER_OTHER_ENDIAN": Gguf(version=0x03000000),
    "HEADER_BAD_N_TENSORS": Gguf(n_tensors=HUGE),
    "HEADER_BAD_N_KV": Gguf(n_pairs=HUGE),
    "HEADER_EMPTY": Gguf(pairs={}, tensors=(), data_bytes=0),
    "HEADER_CUT": b"GGUF\3\0",
    "KV_BAD_KEY_SIZE": header_bytes(0, 1, struct.pack("<Q", HUGE)),
    "KV_EMPTY_KEY": with_pairs(**{"": (U32, 1)}),
    "KV_BAD_TYPE": header_bytes(0, 1, flag(13, b"\0" * 64)),
    "KV_BAD_ARRAY_TYPE": header_bytes(0, 1, flag(ARRAY, struct.pack("<IQ", 13, 1) + b"\0" * 64)),
    "KV_NESTED_ARRAY": header_bytes(0, 1, flag(ARRAY, struct.pack("<IQ", ARRAY, 1) + b"\0" * 64)),
    "KV_HUGE_ARRAY": header_bytes(0, 1, flag(ARRAY, struct.pack("<IQ", U8, HUGE))),
    "KV_HUGE_STRINGS": header_bytes(0, 1, flag(ARRAY, struct.pack("<IQ", STRING, 10**7))),
    "KV_HUGE_STRING_IN_LIST": header_bytes(0, 1, flag(ARRAY, struct.pack("<IQQ", STRING, 1, HUGE))),
    "KV_LONG_STRING": with_pairs(general__name=(STRING, "x" * 65_537)),
    "KV_LONG_TEMPLATE": with_pairs(tokenizer__chat_template=(STRING, "x" * 262_145)),
    "KV_DUPLICATE_KEY": Gguf(
        n_pairs=len(llama_pairs()) + 1, extra_pairs=pair("general.name", STRING, "again")
    ),
    "KV_BAD_ALIGN": with_pairs(general__alignment=(U32, 13)),
    "KV_ALIGN_ONE": with_pairs(general__alignment=(U32, 1)),
    "KV_ALIGN_ZERO": with_pairs(general__alignment=(U32, 0)),
    "KV_WRONG_TYPE_ALIGN": with_pairs(general__alignment=(STRING, "32")),
    "TENSORS_BAD_NAME_SIZE": with_tensors(("n" * 64, (64,), 0, 0)),
    "TENSORS_NO_DIMS": with_tensors(("a", (), 0, 0)),
    "TENSORS_BAD_N_DIMS": with_tensors(("a", (1, 1, 1, 1, 1), 0, 0)),
    "TENSORS_BAD_SHAPE": with_tensors(("a", (63, 8), 8, 0)),
    "TENSORS_ZERO_DIM": with_tensors(("a", (64, 0), 0, 0)),
    "TENSORS_NE_TOO_BIG": with_tensors(("a", (2**62, 2**62), 0, 0)),
    "TENSORS_NBYTES_TOO_BIG": with_tensors(("a", (2**61, 2), 27, 0)),
    "TENSORS_NBYTES_PAD_WRAP": with_tensors(("a", (4, 1_073_741_823, 1_073_741_825), 0, 0)),
    "TENSORS_BAD_TYPE": with_tensors(("a", (64,), 99, 0)),
    "TENSORS_REMOVED_TYPE": with_tensors(("a", (64,), 4, 0)),
    "TENSORS_BAD_OFFSET": with_tensors(MATRIX, ("b", (64,), 0, 548)),
    "TENSORS_HUGE_OFFSET": with_tensors(("a", (64,), 0, HUGE)),
    "TENSORS_DUPLICATE_NAME": with_tensors(MATRIX, ("token_embd.weight", (64,), 0, 544)),
    "TENSORS_INCONSISTENT_ALIGN": with_tensors(MATRIX, ("b", (3,), 0, 544), ("c", (3,), 0, 556)),
    "TENSORS_MISSING": Gguf(n_tensors=3, data_bytes=0),
    "DATA_NOT_ENOUGH_DATA": Gguf(data_bytes=799),
    "DATA_TRAILER": Gguf(data_bytes=1_000_800),
    "DATA_MEM_SIZE_OVERFLOW": with_tensors(
        ("a", (0x7FFFFFFFFFFFFFC0,), 24, 0), ("b", (0x7FFFFFFFFFFFFFC0,), 24, 0x7FFFFFFFFFFFFFC0)
    ),
}

BAD_MODELS = {
    "no architecture": with_pairs(general__architecture=None),
    "architecture is a number": with_pairs(general__architecture=(U32, 1)),
    "no layers stated": with_pairs(llama__block_count=None),
    "zero layers": with_pairs(llama__block_count=(U32, 0)),
    "600 layers": with_pairs(llama__block_count=(U32, 600)),
    "four billion layers": with_pairs(llama__block_count=(U32, 4_000_000_000)),
    "layers as a fraction": with_pairs(llama__block_count=(F32, 2.0)),
    "layers as a text": with_pairs(llama__block_count=(STRING, "2")),
    "no width": with_pairs(llama__embedding_length=None),
    "no context": with_pairs(llama__context_length=None),
    "heads beyond reason": with_pairs(llama__attention__head_count=(U32, 10**6)),
    "eos outside the vocabulary": with_pairs(tokenizer__ggml__eos_token_id=(U32, 4_000_000)),
    "bos below zero": with_pairs(tokenizer__ggml__bos_token_id=(I32, -1)),
    "equal tokens": with_pairs(tokenizer__ggml__tokens=(ARRAY, (STRING, ["a", "b", "a"]))),
    "tokens that are no list": with_pairs(tokenizer__ggml__tokens=(U32, 8)),
    "no vocabulary": Gguf(
        pairs=llama_pairs(tokenizer__ggml__tokens=None), tensors=(("a", (64,), 0, 0),),
        data_bytes=256,
    ),
    "scores for other tokens": with_pairs(tokenizer__ggml__scores=(ARRAY, (F32, [0.0] * 3))),
    "unknown tokenizer": with_pairs(tokenizer__ggml__model=(STRING, "abacus")),
    "tokenizer of another family": with_pairs(tokenizer__ggml__model=(STRING, "bert")),
    "template is a number": with_pairs(tokenizer__chat_template=(U32, 1)),
    "vision part": with_pairs(general__architecture=(STRING, "clip")),
    "adapter": with_pairs(general__type=(STRING, "adapter")),
    "one part of three": with_pairs(split__count=(U32, 3)),
    "no weights": Gguf(tensors=(), data_bytes=0),
}  # fmt: skip

NOT_GGUF = {
    "an empty file": b"",
    "a file of zeros": b"\0" * 600,
    "a web page": b"\n <!DOCTYPE html><html>",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "a safetensors file": struct.pack("<Q", 40) + b'{"a":{"dtype":"F32"}}',
    "a ZIP archive": b"PK\x03\x04" + b"\0" * 40,
    "a PyTorch checkpoint": b"PK\x03\x04" + b"\0" * 26 + b"archive/data.pkl",
    "an old GGML file": b"tjgg\3\0\0\0",
    "a gzip archive": b"\x1f\x8b\x08\0",
    "a JSON text": b'{"error": "unauthorized"}',
    "begins with 'GPL.'": b"GPL\n and more",
}


def test_a_header_gives_the_facts_of_its_model(write):
    header = read_header(write())
    shape = header.architecture
    assert (shape.name, shape.n_layer, shape.n_head_kv, shape.head_dim_k) == ("llama", 2, 2, 16)
    assert (shape.n_ctx_train, shape.n_embd, shape.n_vocab) == (512, 64, 8)
    assert (header.name, header.quantization, header.version) == ("Tiny", "Q8_0", 3)
    assert header.chat_template == "{{ messages }}"


def test_weights_and_parameters_are_sums_over_the_tensors(write):
    header = read_header(write())
    assert header.weights_bytes == 64 * 8 * 34 // 32 + 64 * 4
    assert header.parameters == 64 * 8 + 64


@pytest.mark.parametrize("version", [2, 3])
def test_versions_2_and_3_are_read(write, version):
    assert read_header(write(Gguf(version=version))).version == version


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_a_reason_and_a_hint(write, name):
    bad = BAD_FILES[name]
    with pytest.raises(ModelFileError, match=r"^tiny\.gguf .+\.$") as caught:
        read_header(write(bad))
    assert caught.value.hint


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_model_that_cannot_be_is_refused(write, name):
    with pytest.raises(ModelFileError, match=r"^tiny\.gguf .+\.$"):
        read_header(write(BAD_MODELS[name]))


@pytest.mark.parametrize("words", NOT_GGUF)
def test_another_kind_of_file_is_called_by_its_name(write, words):
    with pytest.raises(ModelFileError) as caught:
        read_header(write(NOT_GGUF[words]))
    assert words in str(caught.value)


@pytest.mark.parametrize("size", range(0, len(Gguf().build()) - 1, 37))
def test_a_truncated_file_is_refused_wherever_it_ends(write, size):
    with pytest.raises(ModelFileError):
        read_header(write(Gguf().build()[:size]))


def test_truncation_names_both_sizes(write):
    whole = Gguf().build()
    with pytest.raises(ModelFileError) as caught:
        read_header(write(whole[:-100]))
    sizes = f"describes {len(whole):,} bytes, but the file has {len(whole) - 100:,}"
    assert sizes in str(caught.value)


def test_padding_after_the_last_tensor_is_no_trailer(write):
    odd = Gguf(tensors=(*TENSORS, ("b", (3,), 0, 800)))
    assert read_header(write(replace(odd, data_bytes=812))).tensors[-1].nbytes == 12
    assert read_header(write(replace(odd, data_bytes=832))).tensors[-1].nbytes == 12


def test_empty_tokens_may_repeat(write):
    file = with_pairs(tokenizer__ggml__tokens=(ARRAY, (STRING, ["", "", *"abcdef"])))
    assert read_header(write(file)).architecture.n_vocab == 8


def test_an_alignment_of_its_own_moves_the_data(write):
    file = with_pairs(general__alignment=(U32, 64))
    tensors = (TENSORS[0], ("output_norm.weight", (64,), 0, 576))
    header = read_header(write(replace(file, tensors=tensors, alignment=64, data_bytes=832)))
    assert header.tensors[1].offset == 576


def test_long_lists_are_kept_as_their_length(write):
    file = with_pairs(
        tokenizer__ggml__scores=(ARRAY, (F32, [0.5] * 8)), x=(ARRAY, (U8, [1] * 2000))
    )
    metadata = read_header(write(file)).metadata
    assert metadata["x"] == GgufArray("u8", 2000)
    assert metadata["tokenizer.ggml.scores"] == (0.5,) * 8
    assert metadata["tokenizer.ggml.tokens"] == GgufArray("string", 8)


def test_text_that_is_no_utf8_is_escaped(write):
    assert read_header(write(with_pairs(general__name=(STRING, b"a\xff")))).name == "a\\xff"


def test_a_missing_file_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="No such file"):
        read_header(tmp_path / "absent.gguf")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ModelFileError, match="is not a file"):
        read_header(tmp_path)


def test_a_header_longer_than_any_real_one_is_refused_without_reading_it():
    start = header_bytes(0, 1, flag(ARRAY, struct.pack("<IQ", U64, 16_000_000)))
    with pytest.raises(ModelFileError, match="more than 64 MiB"):
        parse_header(BytesIO(start), "endless.gguf", 2**40)


def test_a_vocabulary_of_250_000_tokens_is_read_quickly(write):
    file = write(with_pairs(tokenizer__ggml__tokens=tokens(250_000)))
    start = process_time()
    assert read_header(file).architecture.n_vocab == 250_000
    # 0.12 s on a quiet machine; a traced run on a small one takes several times that.
    assert process_time() - start < 1.5


def test_the_writer_writes_what_llama_cpp_writes():
    assert pair("a", BOOL, True) == b"\1\0\0\0\0\0\0\0a\7\0\0\0\1"  # noqa: FBT003 - a value
    assert tensor("b", (2,), 0, 32)[9:13] == b"\1\0\0\0"
    assert value(U64, 1) == b"\1" + b"\0" * 7
