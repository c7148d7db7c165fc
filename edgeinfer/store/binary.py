"""Reads a file header front to back, bounded in bytes, whatever its numbers claim."""

from struct import Struct
from typing import BinaryIO, Final

from edgeinfer.errors import ModelFileError
from edgeinfer.units import MIB

# The largest vocabularies of 2026 make headers of about 20 MiB.
HEADER_LIMIT: Final = 64 * MIB
FIRST_READ: Final = MIB
FETCH_AGAIN: Final = (
    "Copy or download the file again, and compare its size and SHA-256 with the publisher's."
)
_LENGTH: Final = Struct("<Q")


class HeaderCursor:
    """A position in a header; every method raises ModelFileError when the bytes are not there."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._data = file.read(FIRST_READ)
        self.position = 0

    def damaged(self, what: str) -> ModelFileError:
        """The error for a header that contradicts itself."""
        return ModelFileError(f"{self._name} is damaged: {what}.", hint=FETCH_AGAIN)

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end of the file."""
        return self._data[self.position : self.position + count]

    def unpack(self, layout: Struct) -> tuple[int | float | bool, ...]:
        """The numbers of a layout."""
        self._reach(self.position + layout.size)
        numbers = layout.unpack_from(self._data, self.position)
        self.position += layout.size
        return numbers

    def whole(self, layout: Struct) -> int:
        """One whole number."""
        return int(self.unpack(layout)[0])

    def skip(self, count: int) -> None:
        """Pass over bytes that must exist."""
        self._reach(self.position + count)
        self.position += count

    def string(self, limit: int, what: str) -> str:
        """A string with its length before it; bytes that are no UTF-8 come escaped."""
        size = self.whole(_LENGTH)
        if size > limit:
            raise self.damaged(f"{what} claims {size:,} bytes, more than the {limit:,} allowed")
        self.skip(size)
        raw = self._data[self.position - size : self.position]
        return raw.decode("utf-8", errors="backslashreplace")

    def skip_strings(self, count: int, limit: int) -> None:
        """Pass over an array of strings without making them."""
        data, position, unpack = self._data, self.position, _LENGTH.unpack_from
        for _ in range(count):
            if position + 8 > len(data):
                data = self._reach(position + 8)
            size = unpack(data, position)[0]
            if size > limit:
                raise self.damaged(f"a string in a list claims {size:,} bytes")
            position += 8 + size
        self._reach(position)
        self.position = position

    def count_repeated(self, count: int) -> int:
        """How many of the next strings are copies of another; empty ones do not count.

        They must have been passed over before; the position stays.
        """
        position, unpack, data = self.position, _LENGTH.unpack_from, self._data
        seen: set[bytes] = set()
        filled = 0
        for _ in range(count):
            start = position + 8
            position = start + unpack(data, position)[0]
            if position > start:
                filled += 1
                seen.add(data[start:position])
        return filled - len(seen)

    def _reach(self, end: int) -> bytes:
        """The data, read at least up to a position."""
        while end > len(self._data):
            if end > HEADER_LIMIT:
                raise self.damaged(f"its header claims more than {HEADER_LIMIT // MIB} MiB")
            more = self._file.read(min(len(self._data), HEADER_LIMIT) or 1)
            if not more:
                raise ModelFileError(
                    f"{self._name} is truncated: it ends within its own header, after"
                    f" {len(self._data):,} bytes.",
                    hint=FETCH_AGAIN,
                )
            self._data += more
        return self._data
