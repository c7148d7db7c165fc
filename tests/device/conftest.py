import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.device import BatteryReading, DeviceProfile, profile_device
from edgeinfer.device.macos import COMMAND
from edgeinfer.device.windows import REG
from edgeinfer.testing import FakeHost

HOSTS = Path(__file__).parent / "hosts"


def read_recording(name: str) -> dict[str, Any]:
    table = tomllib.loads((HOSTS / f"{name}.toml").read_text(encoding="utf-8"))
    commands = {f"{REG} query {key}": text for key, text in table.pop("registry", {}).items()}
    if "sysctl" in table:
        commands[" ".join(COMMAND)] = table.pop("sysctl")
    if "battery" in table:
        table["battery_reading"] = BatteryReading(**table.pop("battery"))
    return {**table, "commands": commands, "forbidden": frozenset(table.get("forbidden", ()))}


@pytest.fixture
def record() -> Callable[..., FakeHost]:
    """Replay a recorded machine, with other files laid over its own."""

    def build(name: str, **files: str) -> FakeHost:
        recording = read_recording(name)
        return FakeHost(**{**recording, "files": {**recording.get("files", {}), **files}})

    return build


@pytest.fixture
def profile(record: Callable[..., FakeHost]) -> Callable[..., DeviceProfile]:
    """The profile of a recorded machine."""

    def build(name: str, **files: str) -> DeviceProfile:
        return profile_device(record(name, **files), disk_path="/data")

    return build
