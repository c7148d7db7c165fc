from dataclasses import replace

import pytest

from edgeinfer_build.errors import SetupError
from edgeinfer_build.place import Place
from edgeinfer_build.recipe import EngineKey
from edgeinfer_build.stamp import Stamp, State, Wish, fulfills, judge, read_stamp, write_stamp

KEY = EngineKey("none", "f1a95", "c0ff1e")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def wish(place):
    return Wish("cpython-3.11", str(place.root), KEY, ("plain", "all"), "meta", dev=False)


@pytest.fixture
def made(place, wish):
    place.build.mkdir()
    place.python.parent.mkdir(parents=True)
    place.python.touch()
    stamp = Stamp(wish.python, wish.root, KEY.name, "plain", "meta", dev=False)
    write_stamp(place.stamp, stamp)
    return stamp


def test_nothing_there_is_created(place, wish):
    assert judge(place, wish) is State.CREATE


def test_a_stamped_environment_is_complete(place, wish, made):
    assert read_stamp(place.stamp) == made
    assert judge(place, wish) is State.COMPLETE


@pytest.mark.usefixtures("made")
def test_an_interrupted_environment_is_created_anew(place, wish):
    place.unfinished.touch()
    assert judge(place, wish) is State.CREATE


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("change", [{"python": "cpython-3.13"}, {"root": "/elsewhere"}])
def test_another_python_or_folder_creates_the_environment_anew(place, wish, change):
    assert judge(place, replace(wish, **change)) is State.CREATE


@pytest.mark.usefixtures("made")
def test_a_vanished_interpreter_creates_the_environment_anew(place, wish):
    place.python.unlink()
    assert judge(place, wish) is State.CREATE


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    "change",
    [
        {"engine": replace(KEY, flags="0ther")},
        {"engine": replace(KEY, compiler="0ther")},
        {"libraries": ("other",)},
        {"metadata": "other"},
        {"dev": True},
    ],
)
def test_other_contents_update_the_environment(place, wish, change):
    assert judge(place, replace(wish, **change)) is State.UPDATE


def test_an_environment_with_the_tests_libraries_serves_without_them(wish, made):
    assert fulfills(replace(made, libraries="all", dev=True), wish)


def test_an_environment_outlives_its_compiler(wish, made):
    assert fulfills(made, replace(wish, engine=replace(KEY, compiler=None)))


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("content", ["", "{", "[]", '{"python": "x"}'])
def test_a_damaged_stamp_counts_as_none(place, content):
    place.stamp.write_text(content, "utf-8")
    assert read_stamp(place.stamp) is None


def test_a_fitting_environment_of_somebody_else_is_kept(place, wish):
    (place.venv / "lib/python3.11/site-packages").mkdir(parents=True)
    assert judge(place, wish) is State.UPDATE


def test_an_unfit_environment_of_somebody_else_is_left_alone(place, wish):
    (place.venv / "lib/python3.9/site-packages").mkdir(parents=True)
    with pytest.raises(SetupError, match="not made by this setup"):
        judge(place, wish)
