"""Who may import whom, read from the sources: layers, one importer a library, pure modules."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ("", "models", "tui")
PACKAGES = ("edgeinfer", "models/edgeinfer_models", "tui/edgeinfer_tui")

# From the bottom up; a module imports from levels below its own, and from its own folder.
LEVELS = (
    {"errors"},
    {"units", "usage", "paths", "edgeinfer_models"},
    {"device", "catalog", "energy", "cost", "config"},
    {"fit", "store", "engine"},
    {"worker"},
    {"metrics", "audit"},
    {"accounting"},
    {"service"},
    {"runtime", "testing"},
    {"doctor"},
    {"edgeinfer"},  # the names that edgeinfer/__init__.py exports
    {"server", "bench"},
    {"cli"},
    {"edgeinfer_tui", "__main__"},
)
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}

BACKENDS = "edgeinfer/engine/backends/"
NATIVE = (BACKENDS, "edgeinfer/worker/sandbox.py", "edgeinfer/device/bandwidth.py")
STARTERS = (
    "edgeinfer/device/host.py",
    "edgeinfer/engine/native.py",
    "edgeinfer/worker/process.py",
)
FETCH = ("edgeinfer/store/fetch.py",)
IMPORTERS = {
    "click": ("edgeinfer/cli/",),
    "ctypes": NATIVE,
    "huggingface_hub": FETCH,
    "llama_cpp": (BACKENDS,),
    "numpy": NATIVE,
    "onnxruntime": (BACKENDS,),
    "psutil": ("edgeinfer/device/", "edgeinfer/energy/"),
    "pynvml": ("edgeinfer/device/nvidia.py", "edgeinfer/energy/nvml.py"),
    "socket": ("edgeinfer/server/", "edgeinfer/worker/"),
    "starlette": ("edgeinfer/server/",),
    "subprocess": STARTERS,
    "textual": ("tui/edgeinfer_tui/",),
    "uvicorn": ("edgeinfer/server/listen.py",),
    # What opens a connection outwards has no place at all.
    **dict.fromkeys(
        ("aiohttp", "ftplib", "http.client", "httpx", "imaplib", "poplib", "requests", "smtplib"),
        (),
    ),
    **dict.fromkeys(("urllib.request", "urllib3", "websockets", "xmlrpc"), ()),
}

PURE = (
    "edgeinfer/cost/",
    "edgeinfer/engine/prefix.py",
    "edgeinfer/engine/scheduler.py",
    "edgeinfer/fit/",
    "edgeinfer/metrics.py",
)
DATA_READERS = ("edgeinfer/cost/prices.py", "edgeinfer/cost/tariffs.py")
PACKAGE_DATA = ("importlib.resources", "pathlib")
IMPURE = (
    *("asyncio", "glob", "io", "logging", "os", "platform", "random", "secrets", "select"),
    *("shutil", "sys", "tempfile", "threading", "time", "uuid", "multiprocessing"),
    *PACKAGE_DATA,
)
IMPURE_CALLS = {"input", "open", "print", "now", "today", "utcnow"}
OFFLINE = ("ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")


def imported_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports anywhere; a relative one has a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def part_of_path(path: str) -> str:
    """The layer's name for a source file, such as `engine` or `edgeinfer_tui`."""
    steps = path.removesuffix(".py").split("/")
    if steps[0] in SOURCE_ROOTS:
        return steps[1]
    return steps[0] if steps[1] == "__init__" else steps[1]


def part_of_name(name: str) -> str | None:
    """The layer's name for an imported name, None for what is not ours."""
    first, *rest = name.split(".")
    if first == "edgeinfer":
        return rest[0] if rest and rest[0] in LEVEL else first
    return first if first in LEVEL else None


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def layer_violations(path: str, name: str) -> Iterator[str]:
    own, other = part_of_path(path), part_of_name(name)
    if name.startswith("."):
        yield "imports are absolute"
    if own not in LEVEL:
        yield f"{own} is in no layer; add it to LEVELS"
    elif other and own != other and LEVEL[other] >= LEVEL[own]:
        yield f"{own} imports {other}, which is not in a lower layer"


def library_violations(path: str, name: str) -> Iterator[str]:
    for module, allowed in IMPORTERS.items():
        if is_within(name, module) and not path.startswith(tuple(allowed)):
            yield f"{module} is imported only by {', '.join(allowed) or 'nobody'}"


def purity_violations(path: str, name: str) -> Iterator[str]:
    allowed = PACKAGE_DATA if path in DATA_READERS else ()
    for module in IMPURE:
        if path.startswith(PURE) and is_within(name, module) and module not in allowed:
            yield f"a pure module imports {module}"


def call_violations(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if path.startswith(PURE) and isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in IMPURE_CALLS:
                yield node.lineno, f"a pure module calls {called}()"


def violations(path: str, source: str) -> list[str]:
    """Every broken rule of one file as `file:line: rule`."""
    tree = ast.parse(source)
    found = list(call_violations(path, tree))
    for line, name in imported_names(tree):
        for rule in (layer_violations, library_violations, purity_violations):
            found += [(line, text) for text in rule(path, name)]
    return [f"{path}:{line}: {text}" for line, text in sorted(set(found))]


def offline_violations(source: str) -> list[str]:
    """The variables that are not set before the first import other than that of `os`."""
    settled: set[str] = set()
    for node in ast.parse(source).body:
        if any(not is_within(name, "os") for _, name in imported_names(node)):
            break
        if any(getattr(part, "attr", None) == "environ" for part in ast.walk(node)):
            settled |= {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
    return [name for name in OFFLINE if name not in settled]


def source_files() -> list[str]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


@pytest.mark.parametrize("path", source_files())
def test_every_module_keeps_to_its_layer(path):
    assert violations(path, (ROOT / path).read_text("utf-8")) == []


def test_the_offline_environment_is_set_before_any_other_import():
    assert offline_violations((ROOT / "edgeinfer/__init__.py").read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source", "rule"),
    [
        ("edgeinfer/cost/model.py", "import edgeinfer.fit.plan", "fit, which is not in a lower"),
        ("edgeinfer/engine/engine.py", "from edgeinfer import fit", "engine imports fit"),
        ("edgeinfer/engine/engine.py", "from edgeinfer import __version__", "imports edgeinfer,"),
        ("edgeinfer/worker/child.py", "def f():\n    import edgeinfer.cli", "child.py:2: worker"),
        ("edgeinfer/server/app.py", "from edgeinfer_tui.app import App", "edgeinfer_tui"),
        ("edgeinfer/server/app.py", "from . import auth", "imports are absolute"),
        ("edgeinfer/helpers.py", "import json", "helpers is in no layer"),
        ("edgeinfer/server/app.py", "import llama_cpp.llama_chat_format", "llama_cpp is imported"),
        ("edgeinfer/store/store.py", "from urllib import request", "urllib.request"),
        ("edgeinfer/store/store.py", "import http.client", "only by nobody"),
        ("edgeinfer/cli/serve.py", "import uvicorn", "only by edgeinfer/server/listen.py"),
        ("edgeinfer/fit/plan.py", "from pathlib import Path", "a pure module imports pathlib"),
        ("edgeinfer/fit/plan.py", "open('x')", "a pure module calls open()"),
        ("edgeinfer/cost/model.py", "x = date.today()", "a pure module calls today()"),
        ("edgeinfer/cost/prices.py", "import time", "a pure module imports time"),
    ],
)
def test_a_violation_is_found(path, source, rule):
    assert any(rule in text for text in violations(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("edgeinfer/engine/engine.py", "from edgeinfer.engine.scheduler import Scheduler"),
        ("edgeinfer/engine/backends/llama.py", "import ctypes, numpy, llama_cpp"),
        ("edgeinfer/cost/prices.py", "from importlib.resources import files"),
        ("edgeinfer/cost/model.py", "from datetime import date"),
        ("edgeinfer/cli/serve.py", "from edgeinfer import __version__\nimport click"),
        ("edgeinfer/__main__.py", "from edgeinfer.cli.main import main"),
        ("edgeinfer/__init__.py", "from edgeinfer.runtime import Runtime"),
        ("tui/edgeinfer_tui/app.py", "from edgeinfer.metrics import Snapshot\nimport textual.app"),
    ],
)
def test_what_is_allowed_passes(path, source):
    assert violations(path, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import json\nimport os\nos.environ.update({})",
        "import os\nNAMES = ('HF_HUB_OFFLINE', 'DO_NOT_TRACK')\nimport json",
    ],
)
def test_a_late_or_missing_offline_environment_is_found(source):
    assert offline_violations(source) == list(OFFLINE)
