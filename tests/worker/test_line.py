import pytest

from edgeinfer.errors import QuarantinedError, QueueFullError
from edgeinfer.worker.line import Line, Ticket, fingerprint
from tests.worker.talk import request


def ticket(name: str, prompt: str = "hello") -> Ticket:
    made = request(name, prompt)
    return Ticket(made, lambda _message: None, fingerprint(made), taken_s=10.0)


def make_line(*names: str, slots: int = 2, max_waiting: int = 8) -> Line:
    line = Line(slots=slots, max_waiting=max_waiting)
    for name in names:
        line.add(ticket(name, name))
    return line


def admitted(line: Line) -> list[str]:
    names = []
    while found := line.admit(12.5):
        names.append(found.request.request_id)
    return names


def test_as_many_are_admitted_as_there_are_slots_in_order_of_arrival() -> None:
    line = make_line("a", "b", "c")
    assert (admitted(line), line.num_running, line.num_waiting) == (["a", "b"], 2, 1)


def test_a_finished_request_makes_room() -> None:
    line = make_line("a", "b", "c")
    admitted(line)
    line.finish("a", harmless=True)
    assert admitted(line) == ["c"]


def test_the_wait_is_counted_up_to_the_sending() -> None:
    line = make_line("a")
    found = line.admit(12.5)
    assert found is not None
    assert found.waited_s == 2.5


def test_who_still_waits_has_waited_nothing_yet() -> None:
    assert ticket("a").waited_s == 0


def test_a_full_line_is_refused_with_a_time_to_come_back() -> None:
    with pytest.raises(QueueFullError) as caught:
        make_line("a", "b", max_waiting=1)
    assert caught.value.retry_after_s > 0


def test_a_waiting_request_can_be_withdrawn_once() -> None:
    line = make_line("a", "b")
    found = line.withdraw("b")
    assert found is not None
    assert (line.num_waiting, line.withdraw("b")) == (1, None)


def test_a_suspect_waits_until_it_is_alone() -> None:
    line = make_line("bad")
    admitted(line)
    line.lose_running()
    for name in ("good", "bad", "late"):
        line.add(ticket(name, name))
    assert admitted(line) == ["good"]
    line.finish("good", harmless=True)
    assert admitted(line) == ["bad"]


def test_an_answer_clears_a_suspect() -> None:
    line = make_line("bad")
    admitted(line)
    line.lose_running()
    line.add(ticket("bad", "bad"))
    admitted(line)
    line.finish("bad", harmless=True)
    for name in ("x", "y"):
        line.add(ticket(name, "bad"))
    assert admitted(line) == ["x", "y"]


def test_a_cancellation_clears_nobody() -> None:
    line = make_line("bad")
    admitted(line)
    line.lose_running()
    line.add(ticket("bad", "bad"))
    admitted(line)
    line.finish("bad", harmless=False)
    for name in ("x", "y"):
        line.add(ticket(name, "bad"))
    assert admitted(line) == ["x"]


def test_the_third_time_is_refused_whatever_the_id() -> None:
    line = make_line()
    for name in ("first", "second"):
        line.add(ticket(name, "bad"))
        admitted(line)
        line.lose_running()
    with pytest.raises(QuarantinedError):
        line.add(ticket("third", "bad"))


def test_the_line_can_be_dismissed() -> None:
    line = make_line("a", "b", "c")
    admitted(line)
    dismissed = [found.request.request_id for found in line.dismiss_waiting()]
    assert (dismissed, line.num_waiting) == (["c"], 0)


def test_the_fingerprint_is_of_the_content_alone() -> None:
    assert fingerprint(request("a")) == fingerprint(request("b")) != fingerprint(request("a", "x"))
