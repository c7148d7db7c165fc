"""The seam between the profiler and the machine: every reading goes through a Host."""

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psutil

READ_LIMIT_BYTES: Final = 64 * 1024
_SYSTEMS: Final = {"win32": "windows", "cygwin": "windows"}
# Windows opens a console window for a child unless told not to; other systems lack the flag.
_CREATION_FLAGS: Final = int(getattr(subprocess, "CREATE_NO_WINDOW", 0))


@dataclass(frozen=True, slots=True)
class CoreCount:
    """`logical` threads are online, `usable` ones are open to this process.

    `physical` leaves hyper-threads out, None where the system hides its topology.
    """

    logical: int
    usable: int
    physical: int | None


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """As the kernel estimates it: caches that it can drop count as available."""

    total_bytes: int
    available_bytes: int
    swap_total_bytes: int


@dataclass(frozen=True, slots=True)
class BatteryReading:
    """All batteries together; `plugged` None when the system does not say."""

    ratio: float
    plugged: bool | None


class Host(Protocol):
    """A machine that can be asked; LocalHost is this one, testing.FakeHost a recorded one.

    Nothing here raises: what is absent, forbidden or too slow is None, False or empty.
    """

    @property
    def system(self) -> str:
        """Such as "linux", "darwin" or "windows"."""

    @property
    def architecture(self) -> str:
        """As `uname -m` says, such as "x86_64", "aarch64", "arm64" or "AMD64"."""

    def read_text(self, path: str) -> str | None:
        """At most the first 64 KiB of a file."""

    def readable(self, path: str) -> bool:
        """Whether this user may read the file."""

    def exists(self, path: str) -> bool:
        """Whether the path is there, readable or not."""

    def list_dir(self, path: str) -> tuple[str, ...]:
        """The sorted names in a folder."""

    def run(self, *command: str, timeout_s: float = 2.0) -> str | None:
        """Standard output of a command that succeeded in time."""

    def cores(self) -> CoreCount:
        """How many cores there are, and for whom."""

    def memory(self) -> MemoryReading:
        """Main memory and swap at this instant."""

    def disk_free(self, path: str) -> int | None:
        """Bytes free to this user where the path is or would be made."""

    def battery(self) -> BatteryReading | None:
        """None without a battery."""


@dataclass(frozen=True, slots=True)
class LocalHost:
    """The machine that this process runs on."""

    platform: str = sys.platform

    @property
    def system(self) -> str:
        """The platform as the profiler names it."""
        return _SYSTEMS.get(self.platform, self.platform)

    @property
    def architecture(self) -> str:
        """On Windows from the environment, because `platform.machine` starts a slow query there."""
        if self.system == "windows":
            return os.environ.get("PROCESSOR_ARCHITECTURE", "")
        return platform.machine()

    def read_text(self, path: str) -> str | None:
        """At most the first 64 KiB, undecodable bytes replaced."""
        try:
            with Path(path).open("rb") as file:
                return file.read(READ_LIMIT_BYTES).decode("utf-8", errors="replace")
        except OSError:
            return None

    def readable(self, path: str) -> bool:
        """Ask the kernel, which also knows about access lists and capabilities."""
        return os.access(path, os.R_OK)

    def exists(self, path: str) -> bool:
        """Whether the path is there."""
        return os.path.lexists(path)

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Sorted names, empty when absent."""
        try:
            return tuple(sorted(os.listdir(path)))  # noqa: PTH208  names are wanted, not paths
        except OSError:
            return ()

    def run(self, *command: str, timeout_s: float = 2.0) -> str | None:
        """Run without a shell, without input, and with messages in English."""
        try:
            done = subprocess.run(  # noqa: S603  the callers pass constants
                command,
                capture_output=True,
                check=True,
                creationflags=_CREATION_FLAGS,
                encoding="utf-8",
                env={**os.environ, "LC_ALL": "C"},
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout

    def cores(self) -> CoreCount:
        """At least one: this code is running on it."""
        logical = psutil.cpu_count() or 1
        usable = logical
        if sys.platform != "darwin":  # which has no affinity
            usable = len(psutil.Process().cpu_affinity())
        return CoreCount(logical, usable, psutil.cpu_count(logical=False))

    def memory(self) -> MemoryReading:
        """Main memory and swap at this instant."""
        reading = psutil.virtual_memory()
        return MemoryReading(reading.total, reading.available, psutil.swap_memory().total)

    def disk_free(self, path: str) -> int | None:
        """Look at the nearest folder that exists."""
        place = Path(path).absolute()
        try:
            while not place.exists() and place != place.parent:
                place = place.parent
            return shutil.disk_usage(place).free
        except OSError:
            return None

    def battery(self) -> BatteryReading | None:
        """None without a battery."""
        reading = psutil.sensors_battery()
        return reading and BatteryReading(reading.percent / 100, reading.power_plugged)
