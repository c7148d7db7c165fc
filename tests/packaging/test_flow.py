import io
import zipfile

import pytest

from edgeinfer_build.errors import SetupError
from edgeinfer_build.flow import Setup, command_environment, find_wheel, only_wheel
from edgeinfer_build.place import Place
from edgeinfer_build.recipe import EngineKey

KEY = EngineKey("none", "f1a95", "c0ff1e")


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "my clone")


def put_wheel(place, name, content=None):
    path = place.engines / name / "llama_cpp_python-0.3.36-py3-none-any.whl"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("llama_cpp/__init__.py", "")
    if content is not None:
        path.write_bytes(content)
    return path


def test_a_copied_build_is_found(place):
    wheel = put_wheel(place, KEY.name)
    assert find_wheel(place.engines, KEY) == wheel


def test_a_build_of_other_flags_is_not_taken(place):
    put_wheel(place, EngineKey("none", "0ther", "c0ff1e").name)
    assert find_wheel(place.engines, KEY) is None


def test_a_build_of_any_compiler_serves_where_there_is_none(place):
    wheel = put_wheel(place, KEY.name)
    assert find_wheel(place.engines, EngineKey("none", "f1a95", None)) == wheel


def test_a_truncated_wheel_is_not_taken(place):
    put_wheel(place, KEY.name, b"PK\x03\x04")
    assert find_wheel(place.engines, KEY) is None


def test_two_wheels_are_an_error(place):
    wheel = put_wheel(place, KEY.name)
    wheel.with_name("other.whl").touch()
    with pytest.raises(SetupError, match="2 wheels"):
        only_wheel(wheel.parent)


def test_a_folder_appears_only_when_it_is_complete(place):
    setup, target = Setup(place, {}, io.StringIO()), place.wheels / "set"
    with setup.half_made(target) as folder:
        (folder / "a.whl").touch()
        assert not target.exists()
    assert [path.name for path in place.wheels.rglob("*")] == ["set", "a.whl"]


def test_an_interruption_leaves_no_folder(place):
    setup, target = Setup(place, {}, io.StringIO()), place.wheels / "set"
    with pytest.raises(KeyboardInterrupt), setup.half_made(target):
        raise KeyboardInterrupt
    assert list(place.wheels.iterdir()) == []


def test_what_a_killed_run_left_is_removed(place):
    (place.wheels / "unfinished-1" / "content").mkdir(parents=True)
    with Setup(place, {}, io.StringIO()).half_made(place.wheels / "set"):
        pass
    assert [path.name for path in place.wheels.iterdir()] == ["set"]


def test_pip_gets_pins_without_blanks_and_no_foreign_modules(place):
    env = command_environment({"PYTHONPATH": "/x", "HOME": "/h"}, place, "/t")
    assert env["PIP_CONSTRAINT"].split() == [env["PIP_BUILD_CONSTRAINT"]]
    assert "PYTHONPATH" not in env
    assert (env["HOME"], env["TMPDIR"]) == ("/h", "/t")


def test_the_users_own_pip_settings_win_where_nothing_depends_on_them(place):
    assert command_environment({"PIP_RETRIES": "9"}, place, "/t")["PIP_RETRIES"] == "9"
