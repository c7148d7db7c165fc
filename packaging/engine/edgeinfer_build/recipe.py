"""What an engine build, a set of libraries and an environment are made from, as digests."""

import hashlib
import json
import platform
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeinfer_build.errors import TOOLS_MISSING, SetupError
from edgeinfer_build.place import Place

FLAG_FILES = ("engine.cmake", "tile_config.h")
ACCELERATORS = ("none", "cuda", "vulkan", "rocm")
# CMake and scikit-build-core read these by themselves, so they are part of what was built.
INHERITED = ("CMAKE_ARGS", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS")
UNKNOWN = "unknown"
ENGINE_PROJECT = "llama-cpp-python"


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Names an engine build; the compiler is None on a machine that has none."""

    accelerator: str
    flags: str
    compiler: str | None

    @property
    def name(self) -> str:
        """The name of the build's folder."""
        return f"{self.prefix}{self.compiler or UNKNOWN}"

    @property
    def prefix(self) -> str:
        """The name without the compiler."""
        machine = f"{platform.system()}-{platform.machine()}".lower()
        return f"{self.accelerator}-{machine}-{self.flags}-"

    def accepts(self, name: str) -> bool:
        """Whether the build of this name serves; an unknown compiler rules nothing out."""
        return name == self.name or (self.compiler is None and name.startswith(self.prefix))


def digest(parts: Iterable[str | bytes]) -> str:
    """Twelve hexadecimal digits over the parts and the borders between them."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        total.update(f"{len(content)}:".encode() + content)
    return total.hexdigest()[:12]


def choose_accelerator(environ: Mapping[str, str]) -> str:
    """The value of EDGEINFER_ACCEL, `none` when unset.

    Raises SetupError when it is not one that the engine can be built with.
    """
    accelerator = environ.get("EDGEINFER_ACCEL", "").strip() or "none"
    if accelerator not in ACCELERATORS:
        raise SetupError(
            f"EDGEINFER_ACCEL={accelerator} is unknown.",
            hint=f"Use one of: {', '.join(ACCELERATORS)}.",
            exit_code=TOOLS_MISSING,
        )
    return accelerator


def read_pin(constraints: Path) -> str:
    """The pinned requirement of the engine's bindings, such as `llama-cpp-python==0.3.36`."""
    found = re.search(rf"(?m)^{ENGINE_PROJECT}==\S+", constraints.read_text("utf-8"))
    if found is None:
        raise SetupError(f"{constraints} does not pin {ENGINE_PROJECT}.")
    return found[0]


def engine_key(place: Place, environ: Mapping[str, str], compiler: str | None) -> EngineKey:
    """The key of the build that these files, this environment and this compiler version give."""
    accelerator = choose_accelerator(environ)
    flags = [(place.sources / name).read_bytes() for name in FLAG_FILES]
    inherited = [f"{name}={environ.get(name, '')}" for name in INHERITED]
    whole = digest([*flags, read_pin(place.constraints), *inherited, *platform.libc_ver()])
    return EngineKey(accelerator, whole, compiler and digest([compiler]))


def read_project(place: Place) -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((place.root / "pyproject.toml").read_text("utf-8"))


def requirements(project: Mapping[str, Any], *, dev: bool) -> list[str]:
    """What the project asks to have installed, without the engine itself."""
    groups = project["dependency-groups"]["dev"] if dev else []
    asked = [*project["project"]["dependencies"], *groups]
    return [name for name in asked if not name.startswith(ENGINE_PROJECT)]


def libraries_key(place: Place, *, dev: bool) -> str:
    """The name of the folder that holds all libraries for this interpreter on this machine."""
    project = read_project(place)
    asked = requirements(project, dev=dev) + project["build-system"]["requires"]
    machine = [platform.system(), platform.machine(), *platform.libc_ver()]
    return digest([*asked, place.constraints.read_bytes(), python_series(), *machine])


def metadata_key(place: Place) -> str:
    """Changes when an editable install has to be made again."""
    project = read_project(place)
    parts = [project["project"], project["build-system"], project.get("tool", {}).get("hatch")]
    return digest([json.dumps(parts, sort_keys=True)])


def python_series() -> str:
    """Patch releases share an environment; `3.11` and `3.12` do not."""
    return f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
