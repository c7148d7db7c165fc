import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgeinfer.paths import HOME_VARIABLE
from edgeinfer.units import MIB
from tests.e2e.installation import runtime

pytestmark = pytest.mark.model

SCRIPT = Path(__file__).with_name("offline_script.py")
# A namespace without any interface but a loopback, which is brought up as a machine has it.
NAMESPACE = ("unshare", "-rn", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$0" "$@"')
MAX_SERVICE_BYTES = 90 * MIB
MAX_WORKER_BYTES = 150 * MIB


def run_script(*prefix: str) -> dict[str, Any]:
    """What the script reports."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [*prefix, sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, HOME_VARIABLE: str(runtime().paths.home)},
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def can_unshare() -> bool:
    command = shutil.which("unshare")
    return bool(command) and not subprocess.run([command, "-rn", "true"], check=False).returncode  # noqa: S603


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return run_script()


def test_an_answer_needs_no_network(report: dict[str, Any]) -> None:
    if not can_unshare():
        pytest.skip("this system makes no network namespace")
    alone = run_script(*NAMESPACE)
    assert (alone["finished"], alone["text"]) == (True, report["text"])


def test_the_serving_process_has_no_engine_and_no_client_of_a_network(
    report: dict[str, Any],
) -> None:
    assert report["forbidden"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_both_processes_stay_small(report: dict[str, Any]) -> None:
    assert 0 < report["service_bytes"] <= MAX_SERVICE_BYTES
    assert 0 < report["worker_bytes"] <= MAX_WORKER_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_the_worker_cannot_open_a_network_socket(report: dict[str, Any]) -> None:
    assert "network denied by seccomp" in report["sandbox"]
