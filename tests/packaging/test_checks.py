import shutil
import sys
from pathlib import Path

import pytest

from edgeinfer_build import checks
from edgeinfer_build.errors import STORAGE, TOOLS_MISSING, SetupError
from edgeinfer_build.place import Place

SYSTEMS = ("Debian, Ubuntu", "Fedora", "macOS", "Windows")
needs_shell = pytest.mark.skipif(sys.platform == "win32", reason="fake programs are shell scripts")


def program(folder, name, script):
    path = Path(folder, name)
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def environ(tmp_path):
    return {"PATH": str(tmp_path)}


def test_missing_programs_are_named_in_one_block_for_every_system(environ):
    with pytest.raises(SetupError) as caught:
        checks.require_programs(environ)
    assert str(caught.value) == "Building the engine needs a working C++ compiler and CMake."
    assert [name for name in SYSTEMS if f"\n  {name}  " not in caught.value.hint] == []
    assert caught.value.exit_code == TOOLS_MISSING


@needs_shell
def test_a_compiler_that_does_not_compile_counts_as_missing(environ, tmp_path):
    program(tmp_path, "c++", "exit 1")
    assert not checks.compiles(environ)


@needs_shell
def test_an_old_cmake_is_named_with_its_version(environ, tmp_path):
    program(tmp_path, "c++", 'while [ "$1" != -o ]; do shift; done; : > "$2"')
    program(tmp_path, "cmake", "echo cmake version 3.18.4")
    with pytest.raises(SetupError, match=r"needs CMake 3\.21 or newer \(found 3\.18\)"):
        checks.require_programs(environ)


@needs_shell
@pytest.mark.parametrize(("named", "version"), [("", "first"), ("g++ -m64", "second")])
def test_cxx_names_the_compiler(environ, tmp_path, named, version):
    program(tmp_path, "c++", "echo first; echo more")
    program(tmp_path, "g++", "echo second")
    assert checks.compiler_version({**environ, "CXX": named}) == version


def test_without_a_compiler_its_version_is_not_known(environ):
    assert checks.compiler_version(environ) is None


def test_a_python_without_ensurepip_gets_the_package_for_every_system():
    with pytest.raises(SetupError, match="no_such_module") as caught:
        checks.require_venv("no_such_module")
    assert "apt-get install python3-venv" in caught.value.hint
    assert [name for name in SYSTEMS if f"\n  {name}  " not in caught.value.hint] == []


def test_a_full_disk_is_said_with_both_figures(tmp_path):
    needed = shutil.disk_usage(tmp_path).total + checks.GIB
    with pytest.raises(SetupError, match=r"GiB free, and setting up needs \d+ GiB") as caught:
        checks.require_room(tmp_path, needed)
    assert caught.value.exit_code == STORAGE


def test_a_folder_that_takes_no_file_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="Cannot write to"):
        checks.require_writable(Place(tmp_path / "file"))


def test_jobs_follow_the_users_wish():
    assert checks.choose_jobs({"CMAKE_BUILD_PARALLEL_LEVEL": "3"}) == "3"


def test_there_is_always_one_job():
    assert int(checks.choose_jobs({})) >= 1
