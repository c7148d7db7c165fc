"""Turns the end of a failed command's output into a sentence and a remedy."""

import re
from pathlib import Path

from edgeinfer_build.errors import STORAGE, CommandError, SetupError

NETWORK = re.compile(
    r"NewConnectionError|Failed to establish a new connection|name resolution|NameResolutionError"
    r"|Name or service not known|ConnectTimeout|ReadTimeoutError|Connection refused|ProxyError"
    r"|Network is unreachable|Max retries exceeded|CERTIFICATE_VERIFY_FAILED"
)
NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|not enough space on the disk")
MEMORY = re.compile(r"Killed signal terminated program|virtual memory exhausted|out of memory")
REASON = re.compile(
    r"(?m)^.*(?:\berror: (?!subprocess-exited|metadata-gen).*"
    r"|CMake Error.*(?:\n.*\S.*)?|^ERROR: .*)$"
)
REASON_LENGTH = 200


def explain(error: CommandError, *, step: str, log: Path) -> SetupError:
    """The error that a person gets to see instead of this output."""
    where = f"Everything that was written is in {log}."
    if NO_ROOM.search(error.output):
        return SetupError(
            f"The disk is full, so {step} could not go on.",
            hint=f"Free 2 GiB, or name another temporary folder in TMPDIR. {where}",
            exit_code=STORAGE,
        )
    if MEMORY.search(error.output):
        return SetupError(
            f"The memory was not enough for {step}.",
            hint=f"Close other programs, or run it with CMAKE_BUILD_PARALLEL_LEVEL=1. {where}",
        )
    if NETWORK.search(error.output):
        return SetupError(
            f"The package index could not be reached, so {step} could not go on.",
            hint="Setting up needs a connection once, or the folder .build/ of an identical"
            f" machine. {where}",
        )
    return SetupError(f"{step} failed: {first_reason(error)}", hint=where)


def first_reason(error: CommandError) -> str:
    """The first line that names an error, else that the command failed."""
    found = REASON.search(error.output)
    text = " ".join(found[0].split()) if found else str(error)
    return text[:REASON_LENGTH]
