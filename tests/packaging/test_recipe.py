import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgeinfer_build import recipe
from edgeinfer_build.errors import SetupError
from edgeinfer_build.place import Place

ROOT = Path(__file__).parents[2]
COMPILER = "g++ 12.2.0"


@pytest.fixture
def place(tmp_path):
    copy = Place(tmp_path / "my clone")
    copy.sources.mkdir(parents=True)
    for name in (*recipe.FLAG_FILES, "constraints.txt"):
        shutil.copy(Place(ROOT).sources / name, copy.sources / name)
    shutil.copy(ROOT / "pyproject.toml", copy.root / "pyproject.toml")
    return copy


def append(path, text="\n# changed"):
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def test_equal_sources_give_the_same_engine_build(place):
    here, copied = (recipe.engine_key(at, {}, COMPILER) for at in (Place(ROOT), place))
    assert here == copied


@pytest.mark.parametrize("name", recipe.FLAG_FILES)
def test_a_changed_flag_file_gives_another_engine_build(place, name):
    before = recipe.engine_key(place, {}, COMPILER)
    append(place.sources / name)
    assert recipe.engine_key(place, {}, COMPILER).name != before.name


def test_another_pinned_version_gives_another_engine_build(place):
    before = recipe.engine_key(place, {}, COMPILER)
    text = place.constraints.read_text("utf-8")
    place.constraints.write_text(
        text.replace("llama-cpp-python==", "llama-cpp-python==9."), "utf-8"
    )
    assert recipe.engine_key(place, {}, COMPILER).name != before.name


def test_another_version_of_a_library_keeps_the_engine_build(place):
    before = recipe.engine_key(place, {}, COMPILER)
    append(place.constraints, "\nsome-library==1.0\n")
    assert recipe.engine_key(place, {}, COMPILER) == before


@pytest.mark.parametrize(
    ("environ", "compiler"),
    [
        ({"EDGEINFER_ACCEL": "cuda"}, COMPILER),
        ({"CMAKE_ARGS": "-DGGML_LTO=ON"}, COMPILER),
        ({"CXX": "clang++"}, COMPILER),
        ({"CXXFLAGS": "-march=native"}, COMPILER),
        ({}, "g++ 13.1.0"),
    ],
)
def test_another_environment_gives_another_engine_build(place, environ, compiler):
    changed = recipe.engine_key(place, environ, compiler)
    assert changed.name != recipe.engine_key(place, {}, COMPILER).name


@pytest.mark.parametrize("environ", [{"EDGEINFER_ACCEL": "none"}, {"HOME": "/elsewhere"}])
def test_what_does_not_reach_the_build_keeps_it(place, environ):
    assert recipe.engine_key(place, environ, COMPILER) == recipe.engine_key(place, {}, COMPILER)


def test_a_machine_without_a_compiler_accepts_a_build_of_any_compiler(place):
    built = recipe.engine_key(place, {}, COMPILER)
    unknown = replace(built, compiler=None)
    assert unknown.accepts(built.name)
    assert not built.accepts(unknown.name)


def test_a_machine_without_a_compiler_refuses_a_build_of_other_flags(place):
    built = recipe.engine_key(place, {}, COMPILER)
    append(place.sources / "engine.cmake")
    assert not recipe.engine_key(place, {}, None).accepts(built.name)


def test_an_unknown_accelerator_is_refused_with_the_known_ones():
    with pytest.raises(SetupError, match="tpu") as caught:
        recipe.choose_accelerator({"EDGEINFER_ACCEL": "tpu"})
    assert "vulkan" in caught.value.hint


def test_the_borders_between_parts_count():
    assert recipe.digest(["ab", "c"]) != recipe.digest(["a", "bc"])


def test_the_tests_libraries_are_a_set_of_their_own(place):
    assert recipe.libraries_key(place, dev=True) != recipe.libraries_key(place, dev=False)


def test_a_changed_tool_setting_asks_for_no_new_install(place):
    before = recipe.metadata_key(place), recipe.libraries_key(place, dev=True)
    append(place.root / "pyproject.toml", '\n[tool.other]\nname = "x"\n')
    assert (recipe.metadata_key(place), recipe.libraries_key(place, dev=True)) == before


def test_every_library_of_the_project_is_pinned():
    pinned = Place(ROOT).constraints.read_text("utf-8").lower()
    project = recipe.read_project(Place(ROOT))
    asked = recipe.requirements(project, dev=True) + project["build-system"]["requires"]
    names = [name.split(">")[0].split("=")[0].strip().lower() for name in asked]
    assert [name for name in names if f"\n{name}==" not in pinned] == []
