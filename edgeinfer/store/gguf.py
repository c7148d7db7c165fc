"""Reads GGUF headers in pure Python, so that no native code meets a file nobody looked at.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

from edgeinfer.catalog.quantization import TENSOR_TYPES
from edgeinfer.errors import ModelFileError, StorageError
from edgeinfer.store.binary import FETCH_AGAIN, HeaderCursor
from edgeinfer.store.facts import describe_model
from edgeinfer.store.header import Container, GgufArray, GgufHeader, Metadata, TensorInfo, Value
from edgeinfer.store.sniff import SNIFF_BYTES, describe_start

MAGIC: Final = b"GGUF"
VERSIONS: Final = (2, 3)
MOST_ENTRIES: Final = 65_536
MOST_ELEMENTS: Final = 16_000_000
STRING_LIMIT: Final = 64 * 1024
TEMPLATE_LIMIT: Final = 256 * 1024
NAME_LIMIT: Final = 63
DIMENSIONS: Final = 4
KEPT_ELEMENTS: Final = 1024
LARGEST_NUMBER: Final = 2**63 - 1
TOKENS_KEY: Final = "tokenizer.ggml.tokens"

_U32, _U64 = Struct("<I"), Struct("<Q")
_NUMBERS: Final = {
    0: ("u8", Struct("<B")),
    1: ("i8", Struct("<b")),
    2: ("u16", Struct("<H")),
    3: ("i16", Struct("<h")),
    4: ("u32", _U32),
    5: ("i32", Struct("<i")),
    6: ("f32", Struct("<f")),
    7: ("bool", Struct("<?")),
    10: ("u64", _U64),
    11: ("i64", Struct("<q")),
    12: ("f64", Struct("<d")),
}
_STRING, _ARRAY = 8, 9


def read_header(path: Path) -> GgufHeader:
    """Read and check a file's header; the weights themselves are not read.

    Raises ModelFileError when the file is no GGUF, damaged, truncated or no language model, and
    StorageError when it cannot be read at all.
    """
    try:
        size_bytes = path.stat().st_size
        if not path.is_file():
            raise ModelFileError(f"{path.name} is not a file.", hint="Name a .gguf file.")
        with path.open("rb") as file:
            return parse_header(file, path.name, size_bytes)
    except OSError as error:
        raise StorageError(
            f"Cannot read {path}: {error.strerror}.", hint="Grant read permission for the file."
        ) from error


def parse_header(file: BinaryIO, name: str, size_bytes: int) -> GgufHeader:
    """Read and check a header from an open file; `size_bytes` is the size of the whole file."""
    cursor = HeaderCursor(file, name)
    start = cursor.peek(SNIFF_BYTES)
    if not start.startswith(MAGIC):
        raise ModelFileError(
            f"{name} is {describe_start(start)}.",
            hint="edgeinfer runs GGUF files; download the .gguf file of the model itself.",
        )
    container = _read_container(cursor, name)
    _check_size(container, size_bytes)
    return describe_model(container, size_bytes)


def _read_container(cursor: HeaderCursor, name: str) -> Container:
    cursor.skip(len(MAGIC))
    version = _read_version(cursor, name)
    n_tensors = _read_count(cursor, "tensors")
    metadata = Metadata(name, _read_pairs(cursor, _read_count(cursor, "metadata entries")))
    alignment = _read_alignment(metadata)
    tensors = _read_tensors(cursor, n_tensors, alignment)
    return Container(version, metadata, tensors, pad(cursor.position, alignment), alignment)


def pad(size: int, alignment: int) -> int:
    """The size rounded up to a multiple of the alignment."""
    return -(-size // alignment) * alignment


def _read_version(cursor: HeaderCursor, name: str) -> int:
    version = cursor.whole(_U32)
    if version in VERSIONS:
        return version
    if version and version & 0xFFFF == 0:
        raise ModelFileError(
            f"{name} was made for a big-endian machine.",
            hint="Download the usual, little-endian file of this model.",
        )
    raise ModelFileError(
        f"{name} has version {version:,} of the GGUF format; edgeinfer reads versions 2 and 3.",
        hint="Download a current file of this model, or a newer edgeinfer for a newer version.",
    )


def _read_count(cursor: HeaderCursor, what: str) -> int:
    count = cursor.whole(_U64)
    if count > MOST_ENTRIES:
        raise cursor.damaged(f"it claims {count:,} {what}, more than the {MOST_ENTRIES:,} allowed")
    return count


def _read_pairs(cursor: HeaderCursor, count: int) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for _ in range(count):
        key = cursor.string(STRING_LIMIT, "a key")
        if not key or key in values:
            raise cursor.damaged(f"the key {key!r} occurs twice" if key else "a key is empty")
        values[key] = _read_value(cursor, key, cursor.whole(_U32))
    return values


def _read_value(cursor: HeaderCursor, key: str, kind: int) -> Value:
    if kind in _NUMBERS:
        return cursor.unpack(_NUMBERS[kind][1])[0]
    if kind == _STRING:
        is_template = key.startswith("tokenizer.chat_template")
        return cursor.string(TEMPLATE_LIMIT if is_template else STRING_LIMIT, key)
    if kind == _ARRAY:
        return _read_array(cursor, key)
    raise cursor.damaged(f"{key} has the unknown type {kind:,}")


def _read_array(cursor: HeaderCursor, key: str) -> Value:
    kind, count = cursor.whole(_U32), cursor.whole(_U64)
    if count > MOST_ELEMENTS:
        raise cursor.damaged(f"{key} claims {count:,} elements")
    if kind == _STRING:
        return _read_strings(cursor, key, count)
    if kind not in _NUMBERS:
        raise cursor.damaged(f"{key} is a list of the unknown type {kind:,}")
    name, layout = _NUMBERS[kind]
    if count > KEPT_ELEMENTS:
        cursor.skip(count * layout.size)
        return GgufArray(name, count)
    return cursor.unpack(Struct(f"<{count}{layout.format[1:]}"))


def _read_strings(cursor: HeaderCursor, key: str, count: int) -> GgufArray:
    start = cursor.position
    cursor.skip_strings(count, STRING_LIMIT)
    if key == TOKENS_KEY:
        # The native library ends the whole process over two equal tokens.
        end, cursor.position = cursor.position, start
        repeated = cursor.count_repeated(count)
        cursor.position = end
        if repeated:
            raise cursor.damaged(f"{repeated:,} tokens of its vocabulary occur twice")
    return GgufArray("string", count)


def _read_alignment(metadata: Metadata) -> int:
    alignment = metadata.whole("general.alignment", 8, 4096) or 32
    if alignment & (alignment - 1):
        raise metadata.wrong(f"general.alignment is {alignment}, no power of two")
    return alignment


def _read_tensors(cursor: HeaderCursor, count: int, alignment: int) -> tuple[TensorInfo, ...]:
    tensors: dict[str, TensorInfo] = {}
    expected = 0
    for _ in range(count):
        tensor = _read_tensor(cursor)
        if tensor.name in tensors:
            raise cursor.damaged(f"the tensor {tensor.name} occurs twice")
        if tensor.offset != expected:
            raise cursor.damaged(
                f"the tensor {tensor.name} begins at {tensor.offset:,} instead of {expected:,}"
            )
        expected += pad(tensor.nbytes, alignment)
        tensors[tensor.name] = tensor
    return tuple(tensors.values())


def _read_tensor(cursor: HeaderCursor) -> TensorInfo:
    name = cursor.string(NAME_LIMIT, "the name of a tensor")
    dimensions = cursor.whole(_U32)
    if not 1 <= dimensions <= DIMENSIONS:
        raise cursor.damaged(f"the tensor {name} has {dimensions:,} dimensions")
    shape = tuple(cursor.whole(_U64) for _ in range(dimensions))
    type_id = cursor.whole(_U32)
    kind = TENSOR_TYPES.get(type_id)
    if kind is None:
        raise cursor.damaged(f"the tensor {name} has the unknown type {type_id:,}")
    if min(shape) < 1 or shape[0] % kind.block_size:
        raise cursor.damaged(f"the tensor {name} has the impossible shape {shape}")
    tensor = TensorInfo(name, shape, kind, cursor.whole(_U64), nbytes=0)
    nbytes = tensor.elements // kind.block_size * kind.block_bytes
    if max(nbytes, tensor.elements, tensor.offset) > LARGEST_NUMBER:
        raise cursor.damaged(f"the tensor {name} is larger than any file")
    return TensorInfo(name, shape, kind, tensor.offset, nbytes)


def _check_size(container: Container, size_bytes: int) -> None:
    name, needed = container.metadata.file_name, container.end_bytes
    if size_bytes < needed:
        raise ModelFileError(
            f"{name} is truncated: its header describes {needed:,} bytes, but the file has"
            f" {size_bytes:,}.",
            hint=FETCH_AGAIN,
        )
    if size_bytes > pad(needed, container.alignment):
        raise ModelFileError(
            f"{name} has {size_bytes - needed:,} bytes more than its header describes.",
            hint=FETCH_AGAIN,
        )
