import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HEADER = Path(__file__).parents[2] / "packaging/engine/tile_config.h"
SOURCE = """
#include <immintrin.h>
#include <cstdint>
#include <cstring>
struct Config { uint8_t palette, start_row, reserved[14]; uint16_t columns[16]; uint8_t rows[16]; };
void configure() {
    Config config;
    std::memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int i = 0; i < 8; i++) { config.columns[i] = 64; config.rows[i] = 16; }
    _tile_loadconfig(&config);
}
"""
SIZE_BYTES = {"b": 1, "w": 2, "l": 4, "q": 8, "ups": 16, "aps": 16, "dqa": 16, "dqu": 16}
STORE = re.compile(r"mov(b|w|l|q|ups|aps|dqa|dqu)\s+[$%][^,]+, (-?\d+)\(%rsp\)")

pytestmark = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"} or shutil.which("g++") is None,
    reason="needs g++ on x86-64",
)


def assembly(folder, *options):
    source = folder / "tile.cpp"
    source.write_text(SOURCE, "utf-8")
    command = ["g++", "-O3", "-mamx-tile", "-S", "-o", "-", *options, str(source)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def stored_bytes(text):
    """Offsets, relative to the operand of ldtilecfg, of the bytes that are stored before it."""
    before, _, after = text.partition("ldtilecfg")
    base = int(re.match(r"\s*(-?\d*)\(%rsp\)", after)[1] or 0)
    stores = [(SIZE_BYTES[size], int(offset) - base) for size, offset in STORE.findall(before)]
    return {offset + i for size, offset in stores for i in range(size)} & set(range(64))


def test_with_the_header_all_64_bytes_are_stored_before_the_load(tmp_path):
    text = assembly(tmp_path, "-include", str(HEADER))
    assert stored_bytes(text) == set(range(64))


def test_without_the_header_an_affected_compiler_drops_stores(tmp_path):
    major = subprocess.run(["g++", "-dumpversion"], capture_output=True, text=True, check=True)
    if major.stdout.split(".")[0].strip() not in {"11", "12"}:
        pytest.skip("this compiler is not known to be affected")
    assert len(stored_bytes(assembly(tmp_path))) < 64
