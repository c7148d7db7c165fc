import subprocess
import sys

import pytest

from edgeinfer.worker.sandbox import OOM_SCORE_ADJUSTMENT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")


def in_sandbox(code: str) -> str:
    """What the code prints in a process that entered the sandbox first."""
    program = f"from edgeinfer.worker.sandbox import enter_sandbox\nlabel = enter_sandbox()\n{code}"
    return printed_by(program)


def printed_by(program: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"])
def test_no_network_socket_can_be_opened(family: str) -> None:
    code = (
        "import socket\n"
        f"kind = socket.SOCK_RAW if '{family}' == 'AF_PACKET' else socket.SOCK_DGRAM\n"
        f"try: socket.socket(socket.{family}, kind)\n"
        "except PermissionError: print('refused')\n"
    )
    assert in_sandbox(code) == "refused"


def test_threads_that_come_later_are_bound_too() -> None:
    code = (
        "import socket, threading\n"
        "def attempt():\n"
        "    try: socket.socket()\n"
        "    except PermissionError: print('refused')\n"
        "thread = threading.Thread(target=attempt); thread.start(); thread.join()\n"
    )
    assert in_sandbox(code) == "refused"


def test_sockets_of_this_machine_still_work() -> None:
    code = "import socket\na, b = socket.socketpair()\na.send(b'x')\nprint(b.recv(1).decode())"
    assert in_sandbox(code) == "x"


def test_without_the_sandbox_the_same_socket_opens() -> None:
    assert printed_by("import socket; socket.socket(); print('opened')") == "opened"


def test_no_core_dump_and_first_to_go_when_memory_runs_out() -> None:
    code = (
        "import resource\n"
        "score = open('/proc/self/oom_score_adj').read().strip()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), score)"
    )
    assert in_sandbox(code) == f"(0, 0) {OOM_SCORE_ADJUSTMENT}"


def test_the_label_says_what_holds() -> None:
    assert "network denied by seccomp" in in_sandbox("print(label)")
