"""Where edgeinfer keeps its files.

EDGEINFER_HOME moves everything; without it the operating system's own place for data is used.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from edgeinfer.errors import StorageError, UsageError

HOME_VARIABLE = "EDGEINFER_HOME"


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders of one installation; none of them has to exist yet."""

    home: Path

    @property
    def models(self) -> Path:
        """Model files that the user put here."""
        return self.home / "models"

    @property
    def state(self) -> Path:
        """What edgeinfer learned about this machine; may be deleted at any time."""
        return self.home / "state"


def default_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """The folders named by EDGEINFER_HOME, or the operating system's."""
    named = environ.get(HOME_VARIABLE)
    if not named:
        return Paths(user_data_path("edgeinfer", appauthor=False))
    try:
        return Paths(Path(named).expanduser())
    except RuntimeError as error:
        raise UsageError(
            f"{HOME_VARIABLE}={named} names the home of nobody on this machine.",
            hint="Give it the path of a folder.",
        ) from error


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves the old content or the new, never a part.

    Raises StorageError when the folder cannot be written or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        # What remains of it disturbs nobody, and the first error is the one to tell.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StorageError(
            f"Cannot write {path}: {error.strerror}.",
            hint="Free space or grant write permission there,"
            f" or set {HOME_VARIABLE} to another folder.",
        ) from error
