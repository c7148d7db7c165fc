import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeinfer.paths import HOME_VARIABLE
from tests.cli.shell import home


@pytest.fixture(autouse=True, scope="session")
def _signals_as_on_a_terminal() -> Iterator[None]:
    """A suite that runs in the background or under nohup hands ignored signals to its children."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_IGN
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command finds the folder where the engine was examined already, on 80 columns."""
    monkeypatch.setenv(HOME_VARIABLE, str(home()))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("EDGEINFER_COUNTRY", "EDGEINFER_TARIFF", "EDGEINFER_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def new_home(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where nothing was examined yet."""
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "new"))
    return tmp_path / "new"
