"""What has to be there before anything is started: compiler, CMake, room, permission."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from edgeinfer_build.advice import PROGRAMS, PYTHON, install_block
from edgeinfer_build.errors import STORAGE, TOOLS_MISSING, SetupError
from edgeinfer_build.place import Place

COMPILERS = ("c++", "g++", "clang++")
PROBE = '#include <string>\nstd::string word = "edgeinfer";\nint main() { return word.empty(); }\n'
# llama-cpp-python 0.3.36, CMakeLists.txt: cmake_minimum_required(VERSION 3.21).
CMAKE_MINIMUM = (3, 21)
GIB = 2**30
# Sources 0.2 GiB, environment 0.3 GiB (measured on x86-64, 2026-11); the rest is assumed: objects,
# the wheel, and accelerators, whose objects are larger.
BUILD_BYTES = 2 * GIB
INSTALL_BYTES = GIB
# ops.cpp takes the most memory of all files, about 0.7 GiB with GCC 12.
BYTES_A_JOB = GIB
ANSWER_S = 30


def find_compiler(environ: Mapping[str, str]) -> list[str] | None:
    """The C++ compiler that CMake takes: CXX, else the first on the path; None without one."""
    named = shlex.split(environ.get("CXX", ""))
    for command in [named] if named else [[name] for name in COMPILERS]:
        if found := shutil.which(command[0], path=environ.get("PATH")):
            return [found, *command[1:]]
    return None


def compiler_version(environ: Mapping[str, str]) -> str | None:
    """The first line that the compiler says about itself; None when there is none."""
    command = find_compiler(environ)
    if command is None:
        return visual_studio(environ)
    said = ask([*command, "--version"], environ)
    return said.splitlines()[0] if said else None


def visual_studio(environ: Mapping[str, str]) -> str | None:
    """The version of Microsoft's compiler, which CMake finds although no path leads to it."""
    programs = environ.get("ProgramFiles(x86)")
    finder = Path(programs or "", "Microsoft Visual Studio", "Installer", "vswhere.exe")
    if sys.platform != "win32" or not finder.is_file():
        return None
    tools = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
    asked = ["-latest", "-products", "*", "-requires", tools, "-property", "installationVersion"]
    return ask([str(finder), *asked], environ).strip() or None


def compiles(environ: Mapping[str, str]) -> bool:
    """Whether the compiler turns three lines into an object file."""
    command = find_compiler(environ)
    if command is None:
        return visual_studio(environ) is not None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "probe.cpp"), Path(folder, "probe.o")
        source.write_text(PROBE, "utf-8")
        ask([*command, "-c", str(source), "-o", str(target)], environ)
        return target.is_file()


def cmake_version(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """Major and minor version of CMake; None when there is none."""
    command = shutil.which("cmake", path=environ.get("PATH"))
    said = ask([command, "--version"], environ) if command else ""
    found = re.search(r"version (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def ask(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """What a short command wrote; nothing when it failed or could not be started."""
    try:
        answer = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout


def require_programs(environ: Mapping[str, str]) -> None:
    """Raise SetupError naming everything that an engine build lacks here."""
    missing = []
    if not compiles(environ):
        missing.append("a working C++ compiler")
    version = cmake_version(environ)
    if version is None:
        missing.append("CMake")
    elif version < CMAKE_MINIMUM:
        missing.append("CMake 3.21 or newer (found {}.{})".format(*version))
    if missing:
        raise SetupError(
            f"Building the engine needs {' and '.join(missing)}.",
            hint=install_block(PROGRAMS),
            exit_code=TOOLS_MISSING,
        )


def require_venv(name: str = "ensurepip") -> None:
    """Raise SetupError when this Python cannot make environments, as Debian's by default."""
    if find_spec(name) is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"Python {version} ({sys.executable}) cannot make virtual environments without {name}.",
            hint=install_block(PYTHON),
            exit_code=TOOLS_MISSING,
        )


def require_writable(place: Place) -> None:
    """Raise SetupError when the project folder takes no file."""
    try:
        place.build.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=place.build):
            pass
        with tempfile.TemporaryFile(dir=place.root):
            pass
    except OSError as error:
        raise SetupError(
            f"Cannot write to {place.root}: {error.strerror}.",
            hint="Clone the project to a folder that is yours, or free space there.",
            exit_code=STORAGE,
        ) from error


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raise SetupError when the disk of this folder has less room."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        needed = f"{needed_bytes / GIB:.0f} GiB"
        raise SetupError(
            f"{folder} has {free / GIB:.1f} GiB free, and setting up needs {needed}.",
            hint="Free space, or for the temporary folder name another one in TMPDIR.",
            exit_code=STORAGE,
        )


def choose_jobs(environ: Mapping[str, str]) -> str:
    """How many files to compile at a time: one a processor, each with its share of memory."""
    if named := environ.get("CMAKE_BUILD_PARALLEL_LEVEL"):
        return named
    processors = os.cpu_count() or 1
    if sys.platform == "win32":
        return str(processors)
    if sys.platform == "linux":
        processors = len(os.sched_getaffinity(0))
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return str(max(1, min(processors, memory_bytes // BYTES_A_JOB)))
