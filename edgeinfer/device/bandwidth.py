"""How fast this machine reads its memory, which bounds how fast it generates tokens."""

import ctypes
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter
from typing import Final

from edgeinfer.device.profile import Cpu, Memory
from edgeinfer.units import MIB

DEFAULT_WORKING_SET: Final = 256 * MIB
_CHUNK_BYTES: Final = 4 * MIB
_FILL: Final = b"\x01"

# Reads `size` bytes from `address` and returns nothing of interest.
Reader = Callable[[int, int], object]


def working_set(cpu: Cpu, memory: Memory, *, cores: int) -> int:
    """Bytes that overflow all caches, but take at most a quarter of the memory that is free."""
    # On chiplets a thread may have a third-level cache to itself: each has to overflow one.
    wanted = max(DEFAULT_WORKING_SET, 2 * (cpu.l3_cache_bytes or 0) * cores)
    return max(_CHUNK_BYTES, min(wanted, memory.budget_bytes // 4))


def measure_bandwidth(
    *, cores: int, budget_s: float = 0.25, working_set_bytes: int = DEFAULT_WORKING_SET
) -> float:
    """Bytes read per second by `cores` threads together: the better of two read-only probes.

    The budget covers the reading; filling the working set comes on top. Other load on the machine
    lowers the result, so it is a floor.
    """
    size = max(_CHUNK_BYTES, working_set_bytes // cores // _CHUNK_BYTES * _CHUNK_BYTES)
    # Written, not only reserved: untouched pages would all be one page of zeros in the cache.
    buffers = [bytearray(_FILL) * size for _ in range(cores)]
    readers = _load_readers()
    return max(_time_reader(reader, buffers, budget_s / len(readers)) for reader in readers)


def _load_readers() -> tuple[Reader, Reader]:
    """Functions of the C library: vectorized everywhere, and ctypes frees the GIL around them."""
    library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
    find, compare = library.memchr, library.memcmp
    find.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    find.restype = ctypes.c_void_p
    compare.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

    def scan(address: int, size: int) -> object:
        return find(address, 0, size)

    def match_halves(address: int, size: int) -> object:
        return compare(address, address + size // 2, size // 2)

    return scan, match_halves


def _time_reader(reader: Reader, buffers: list[bytearray], budget_s: float) -> float:
    start = Barrier(len(buffers))

    def work(buffer: bytearray) -> tuple[int, float, float]:
        start.wait()
        return _read_repeatedly(reader, buffer, budget_s)

    with ThreadPoolExecutor(len(buffers)) as pool:
        results = list(pool.map(work, buffers))
    elapsed_s = max(end for _, _, end in results) - min(begin for _, begin, _ in results)
    return sum(count for count, _, _ in results) / elapsed_s


def _read_repeatedly(
    reader: Reader, buffer: bytearray, budget_s: float
) -> tuple[int, float, float]:
    """Bytes read, and the times of the first and the last."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    offset = count = 0
    begin = now = perf_counter()
    while now - begin < budget_s or not count:
        reader(address + offset, _CHUNK_BYTES)
        count += _CHUNK_BYTES
        offset = (offset + _CHUNK_BYTES) % len(buffer)
        now = perf_counter()
    return count, begin, now
