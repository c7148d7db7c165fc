"""What a GGUF header holds, as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgeinfer.catalog.manifest import Architecture
from edgeinfer.catalog.quantization import TensorType
from edgeinfer.errors import ModelFileError
from edgeinfer.store.binary import FETCH_AGAIN

Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class GgufArray:
    """An array too long to keep: only the type of its elements and their number."""

    element: str
    length: int


Value = Scalar | tuple[Scalar, ...] | GgufArray


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor; `offset` counts from the start of the data, `shape` begins with the row."""

    name: str
    shape: tuple[int, ...]
    type: TensorType
    offset: int
    nbytes: int

    @property
    def elements(self) -> int:
        """Numbers in the tensor."""
        product = 1
        for size in self.shape:
            product *= size
        return product


@dataclass(frozen=True, slots=True)
class Metadata:
    """The key-value pairs of a file; asking for a value of another type raises ModelFileError."""

    file_name: str
    values: Mapping[str, Value]

    def wrong(self, what: str) -> ModelFileError:
        """The error for metadata that cannot be true."""
        return ModelFileError(f"{self.file_name} is damaged: {what}.", hint=FETCH_AGAIN)

    def text(self, key: str) -> str | None:
        """A string; None without the key."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            raise self.wrong(f"{key} is not a text")
        return value

    def whole(self, key: str, low: int, high: int) -> int | None:
        """A whole number within bounds; None without the key."""
        value = self.values.get(key)
        if value is None:
            return None
        return self._check_whole(key, value, range(low, high + 1))

    def wholes(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """A whole number or a list of them; empty without the key."""
        value = self.values.get(key, ())
        items = value if isinstance(value, tuple) else (value,)
        return tuple(self._check_whole(key, item, range(low, high + 1)) for item in items)

    def length(self, key: str) -> int | None:
        """The number of elements of an array; None without the key."""
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, GgufArray):
            return value.length
        if not isinstance(value, tuple):
            raise self.wrong(f"{key} is not a list")
        return len(value)

    def _check_whole(self, key: str, value: Value, allowed: range) -> int:
        if not isinstance(value, int):
            raise self.wrong(f"{key} is not a whole number")
        if value not in allowed:
            raise self.wrong(
                f"{key} is {value:,}, outside {allowed.start:,} to {allowed.stop - 1:,}"
            )
        return int(value)


@dataclass(frozen=True, slots=True)
class Container:
    """A header as the file format defines it, before anybody asks what model it describes.

    The tensors' data begin at `start_bytes`, each padded to a multiple of `alignment`.
    """

    version: int
    metadata: Metadata
    tensors: tuple[TensorInfo, ...]
    start_bytes: int
    alignment: int

    @property
    def end_bytes(self) -> int:
        """The size of a file that holds every tensor, without padding after the last."""
        if not self.tensors:
            return self.start_bytes
        return self.start_bytes + self.tensors[-1].offset + self.tensors[-1].nbytes


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """All that a model file says before its weights.

    `read_bytes` are the weights read for one token: without an embedding table that is only looked
    up, and without the experts that rest. `parameters_active` counts in the same way.
    """

    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[TensorInfo, ...]
    size_bytes: int
    architecture: Architecture
    quantization: str
    name: str | None
    chat_template: str | None
    parameters: int
    parameters_active: int
    weights_bytes: int
    read_bytes: int
