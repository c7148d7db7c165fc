"""Where the setup reads and writes: everything inside the project folder."""

import sys
from dataclasses import dataclass
from pathlib import Path

STAMP_NAME = "edgeinfer-setup.json"


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of one clone; only the sources have to exist."""

    root: Path

    @property
    def sources(self) -> Path:
        """The flags, the forced header and the pinned versions."""
        return self.root / "packaging" / "engine"

    @property
    def constraints(self) -> Path:
        """The pinned version of every library."""
        return self.sources / "constraints.txt"

    @property
    def build(self) -> Path:
        """What was built or downloaded; may be copied to a machine without a network."""
        return self.root / ".build"

    @property
    def engines(self) -> Path:
        """One folder a kind of engine build, each with its wheel."""
        return self.build / "engine"

    @property
    def wheels(self) -> Path:
        """One folder a set of libraries, each complete."""
        return self.build / "wheels"

    @property
    def log(self) -> Path:
        """Everything that the commands of the last setup wrote."""
        return self.build / "engine.log"

    @property
    def venv(self) -> Path:
        """The virtual environment."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return self.venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    @property
    def stamp(self) -> Path:
        """Says what the environment holds; written last, removed first."""
        return self.venv / STAMP_NAME

    @property
    def unfinished(self) -> Path:
        """Exists while the environment changes; outside it, because making one clears it."""
        return self.build / "unfinished"
