import pytest

from edgeinfer.worker.policy import WatchPolicy


@pytest.mark.parametrize(("failures", "pause_s"), [(0, 0.0), (1, 1.0), (2, 2.0), (99, 60.0)])
def test_the_pause_grows_to_a_minute(failures: int, pause_s: float) -> None:
    assert WatchPolicy().pause_s(failures) == pause_s


def test_a_stopped_worker_is_found_in_time_for_an_answer_within_a_second() -> None:
    policy = WatchPolicy()
    assert policy.stopped_s + 2 * policy.interval_s < 1
