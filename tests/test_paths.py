from pathlib import Path

import pytest

from edgeinfer.errors import StorageError, UsageError
from edgeinfer.paths import HOME_VARIABLE, default_paths, write_atomically


def test_one_variable_moves_everything(tmp_path: Path) -> None:
    paths = default_paths({HOME_VARIABLE: str(tmp_path)})
    assert {paths.models.parent, paths.state.parent} == {tmp_path}


def test_a_home_may_begin_with_a_tilde() -> None:
    assert default_paths({HOME_VARIABLE: "~/models"}).home == Path.home() / "models"


def test_without_the_variable_the_system_names_the_folder() -> None:
    assert default_paths({}).home.name == "edgeinfer"


def test_a_file_is_written_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "file.json"
    write_atomically(file, b"one")
    write_atomically(file, b"two")
    assert (file.read_bytes(), list(file.parent.iterdir())) == (b"two", [file])


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught:
        write_atomically(tmp_path / "file" / "below", b"")
    assert HOME_VARIABLE in (caught.value.hint or "")


def test_a_failed_write_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "full").mkdir(parents=True)
    with pytest.raises(StorageError):
        write_atomically(target, b"new")
    assert list(tmp_path.iterdir()) == [target]


def test_the_home_of_nobody_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="nobody"):
        default_paths({"EDGEINFER_HOME": "~no-such-user/models"})
