"""Names what a file is when it is not the GGUF file that its name promises."""

from typing import Final

SNIFF_BYTES: Final = 512
_SAFETENSORS_LENGTH: Final = 8

# First bytes, and what they are the beginning of.
_SIGNATURES: Final = (
    (b"version https://git-lfs", "a Git LFS pointer, a few lines that stand for the real file"),
    (b"GGJT", "an old GGML file from before GGUF"),
    (b"tjgg", "an old GGML file from before GGUF"),
    (b"lmgg", "an old GGML file from before GGUF"),
    (b"fmgg", "an old GGML file from before GGUF"),
    (b"FUGG", "a GGUF file whose bytes are swapped"),
    (b"\x80\x02", "a PyTorch checkpoint"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
)


def describe_start(start: bytes) -> str:
    """What a file with these first bytes probably is, as words after "is"."""
    if not start:
        return "an empty file"
    if not start.strip(b"\0"):
        return "a file of zeros, as a download leaves that was reserved but never filled"
    known = next((words for magic, words in _SIGNATURES if start.startswith(magic)), None)
    return known or _describe_text(start) or _describe_container(start) or _quote_start(start)


def _describe_text(start: bytes) -> str | None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, probably a log-in or error page in place of the download"
    if text.startswith((b'{"', b"{\n", b"{\r\n", b'[{"')):
        return "a JSON text"
    return None


def _describe_container(start: bytes) -> str | None:
    if start.startswith(b"PK\x03\x04"):
        return "a PyTorch checkpoint" if b"data.pkl" in start else "a ZIP archive"
    if start[_SAFETENSORS_LENGTH:].startswith(b'{"'):
        return "a safetensors file"
    return None


def _quote_start(start: bytes) -> str:
    shown = "".join(chr(byte) if 32 < byte < 127 else "." for byte in start[:4])  # noqa: PLR2004
    return f"no GGUF file: it begins with {shown!r} where GGUF files have 'GGUF'"
