import os
import sys

import pytest

from edgeinfer.device import Host, LocalHost, profile_device
from edgeinfer.device.host import READ_LIMIT_BYTES
from edgeinfer.testing import FakeHost


@pytest.fixture
def host() -> Host:
    return LocalHost()


def test_reading_stops_at_the_limit(host, tmp_path):
    file = tmp_path / "long"
    file.write_bytes(b"x" * (READ_LIMIT_BYTES + 1))
    assert len(host.read_text(str(file))) == READ_LIMIT_BYTES


def test_bytes_that_are_no_text_are_replaced(host, tmp_path):
    file = tmp_path / "binary"
    file.write_bytes(b"a\xffb")
    assert host.read_text(str(file)) == "a\ufffdb"


def test_what_is_absent_is_none_or_empty(host, tmp_path):
    missing = str(tmp_path / "missing")
    assert host.read_text(missing) is None
    assert host.list_dir(missing) == ()
    assert not host.exists(missing)
    assert not host.readable(missing)


def test_a_folder_is_listed_in_order(host, tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).touch()
    assert host.list_dir(str(tmp_path)) == ("a", "b")
    assert host.exists(str(tmp_path / "a"))
    assert host.readable(str(tmp_path / "a"))


def test_a_command_answers_with_its_output(host):
    assert host.run(sys.executable, "-c", "print('yes')", timeout_s=30) == "yes\n"


@pytest.mark.parametrize(
    "code", ["raise SystemExit(1)", "import threading; threading.Event().wait()"]
)
def test_a_command_that_fails_or_hangs_is_none(host, code):
    assert host.run(sys.executable, "-c", code, timeout_s=0.3) is None


def test_a_command_that_does_not_exist_is_none(host, tmp_path):
    assert host.run(str(tmp_path / "missing")) is None


def test_free_space_is_that_of_the_nearest_folder_that_exists(host, tmp_path):
    assert host.disk_free(str(tmp_path / "not" / "made" / "yet")) > 0


def test_a_path_that_no_disk_can_hold_has_no_free_space(host, tmp_path):
    assert host.disk_free(str(tmp_path / ("x" * 300) / "y")) is None


def test_other_systems_are_asked_in_their_own_way():
    assert LocalHost(platform="win32").system == "windows"
    assert LocalHost(platform="win32").architecture == os.environ.get("PROCESSOR_ARCHITECTURE", "")


def test_a_charge_is_a_ratio(host):
    battery = host.battery()
    assert battery is None or 0 <= battery.ratio <= 1


def test_this_machine_has_a_profile():
    found = profile_device(LocalHost(), disk_path=os.curdir)
    assert found.cpu.logical_cores >= 1
    assert 0 < found.memory.budget_bytes <= found.memory.total_bytes
    assert found.label


def test_a_fake_host_keeps_forbidden_files_visible_but_closed():
    fake = FakeHost(files={"/a/b": "text"}, forbidden=frozenset({"/a/b", "/a/c"}))
    assert fake.list_dir("/a") == ("b", "c")
    assert fake.exists("/a/c")
    assert fake.exists("/a")
    assert fake.read_text("/a/b") is None
    assert not fake.readable("/a/c")
