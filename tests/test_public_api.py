import ast
import inspect
import os
import subprocess
import sys
import textwrap
from types import ModuleType

import pytest

import edgeinfer
from edgeinfer.paths import HOME_VARIABLE
from tests.e2e.installation import runtime

OFFLINE = ("ORT_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")


def run_python(program: str, **environment: str) -> str:
    """What a program prints in an environment that says nothing of being offline."""
    bare = {name: value for name, value in os.environ.items() if name not in OFFLINE}
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env=bare | environment,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", edgeinfer.__all__)
def test_every_exported_name_can_be_imported_and_has_a_docstring(name: str) -> None:
    found = getattr(edgeinfer, name)
    assert name == "__version__" or inspect.getdoc(found)


def test_what_is_exported_is_what_type_checkers_see() -> None:
    tree = ast.parse(inspect.getsource(edgeinfer))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported | {"__version__"} == set(edgeinfer.__all__)


def test_nothing_public_is_missing_from_the_list() -> None:
    public = {
        name
        for name in dir(edgeinfer)
        if not name.startswith("_") and not isinstance(getattr(edgeinfer, name), ModuleType)
    }
    assert public == set(edgeinfer.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = edgeinfer.Nonsense


def test_the_offline_environment_is_set_by_the_import() -> None:
    program = f"import os, edgeinfer; print([os.environ.get(name) for name in {OFFLINE}])"
    assert run_python(program) == str(["1"] * len(OFFLINE))


def test_a_choice_that_the_user_made_is_kept() -> None:
    program = "import os, edgeinfer; print(os.environ['HF_HUB_OFFLINE'])"
    assert run_python(program, HF_HUB_OFFLINE="0") == "0"


def test_the_import_loads_nothing_of_the_package() -> None:
    program = "import sys, edgeinfer; print([name for name in sys.modules if 'edgeinfer.' in name])"
    assert run_python(program) == "[]"


@pytest.mark.model
def test_the_example_in_the_docstring_answers() -> None:
    doc = inspect.getdoc(edgeinfer) or ""
    lines = [line for line in doc.splitlines() if line.startswith("    ") or not line]
    example = textwrap.dedent("\n".join(lines))
    assert run_python(example, **{HOME_VARIABLE: str(runtime().paths.home)})
