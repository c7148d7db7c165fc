import io

import pytest

from edgeinfer_build.progress import Progress, format_remaining, is_live, parse_step


class Clock:
    """A clock that the test moves."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        """Seconds, as time.monotonic."""
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def out():
    return io.StringIO()


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("  [1/330] /usr/bin/g++ -DGGML_BACKEND_DL -c ggml.cpp\n", (1, 330)),
        ("  [330/330] : && /usr/bin/g++ -fPIC -O3\n", (330, 330)),
        ("[ 45%] Building CXX object ops.cpp.o\n", (45, 100)),
        ("  -- Configuring done\n", None),
        ("   5946 |   return (__m256d) a[1/2] ((__v8df) __A,\n", None),
        ("  [7/3] nonsense\n", None),
        ("  [0/0] nonsense\n", None),
        ("", None),
    ],
)
def test_a_step_is_read_from_a_line_of_ninja_or_make(line, step):
    assert parse_step(line) == step


@pytest.mark.parametrize(
    ("elapsed_s", "done", "total", "text"),
    [
        (130, 128, 330, "about 3 min left"),
        (400, 320, 330, "less than a minute left"),
        (10, 2, 330, None),
        (400, 330, 330, None),
    ],
)
def test_the_forecast_is_modest(elapsed_s, done, total, text):
    assert format_remaining(elapsed_s, done, total) == text


def test_a_terminal_sees_one_line_rewritten(clock, out):
    progress = Progress("engine", out, live=True, clock=clock)
    progress.feed("  [1/330] g++\n")
    clock.now_s += 130
    progress.feed("  [128/330] g++\n")
    assert "\n" not in out.getvalue()
    assert out.getvalue().endswith("\r\x1b[Kengine 128/330, 2:10, about 3 min left")


def test_silence_moves_the_time_on_a_terminal(clock, out):
    progress = Progress("libraries", out, live=True, clock=clock)
    clock.now_s += 12
    progress.feed("")
    assert out.getvalue().endswith("libraries, 0:12")


def test_a_terminal_is_not_flooded(clock, out):
    progress = Progress("engine", out, live=True, clock=clock)
    for done in range(1, 100):
        progress.feed(f"[{done}/330] g++\n")
    assert out.getvalue().count("\r") == 1


def test_a_pipe_gets_a_line_every_tenth(clock, out):
    progress = Progress("engine", out, live=False, clock=clock)
    for done in range(1, 331):
        progress.feed(f"  [{done}/330] g++\n")
    lines = out.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == [f"engine {n * 33}/330" for n in range(1, 11)]


def test_the_time_of_downloads_does_not_spoil_the_forecast(clock, out):
    progress = Progress("engine", out, live=False, clock=clock)
    clock.now_s += 600
    progress.feed("[1/100] g++")
    clock.now_s += 60
    progress.feed("[50/100] g++")
    assert progress.text() == "engine 50/100, 11:00, about 1 min left"


def test_the_outcome_replaces_the_line(clock, out):
    Progress("engine", out, live=True, clock=clock).finish("done in 7:46")
    assert out.getvalue() == "\r\x1b[Kengine: done in 7:46\n"


def test_a_pipe_is_no_live_place(out):
    assert not is_live(out, "xterm")
