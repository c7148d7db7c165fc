from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from edgeinfer.accounting import LOCAL_LABEL, EnergyBook, compare_cost, cost_lines
from edgeinfer.cost.model import CostModel
from edgeinfer.cost.prices import DEFAULT_FRONTIER, load_prices
from edgeinfer.cost.tariffs import load_tariffs
from edgeinfer.energy.attribution import Work
from edgeinfer.energy.meter import EnergyMeter
from edgeinfer.energy.modelled import ModelledMeter, PowerModel
from edgeinfer.energy.reading import EnergyReading
from edgeinfer.metrics import EnergyUse
from edgeinfer.testing import ReplayMeter
from edgeinfer.usage import TokenUsage

NEVER_S = 3600.0

OpenBook = Callable[[EnergyMeter], EnergyBook]


def replay(*joules: float, step_s: float = 1.0, uncertainty: float = 0.0) -> ReplayMeter:
    """A meter that is read every `step_s`."""
    readings = [EnergyReading(index * step_s, value) for index, value in enumerate(joules)]
    return ReplayMeter(readings, uncertainty=uncertainty)


@pytest.fixture
def open_book() -> Iterator[OpenBook]:
    """Accounts that sample only when a request begins or ends."""
    with ExitStack() as stack:

        def open_book(meter: EnergyMeter) -> EnergyBook:
            book = EnergyBook(meter, interval_s=NEVER_S)
            stack.callback(book.close)
            return book

        yield open_book


@pytest.fixture(scope="module")
def cost_model() -> CostModel:
    frontier = load_prices().find(DEFAULT_FRONTIER)
    return CostModel(tariff=load_tariffs().default, like_for_like=None, frontier=frontier)


def test_what_was_used_before_a_request_is_not_charged_to_it(open_book: OpenBook) -> None:
    book = open_book(replay(0, 100, 107))
    book.begin("a")
    book.note_work({"a": Work(5, 5)})
    assert book.finish("a").joules == pytest.approx(7)


def test_concurrent_requests_share_all_that_the_meter_counted(open_book: OpenBook) -> None:
    book = open_book(replay(0, 10, 10, 10, 40, 65, 85))
    for name in "abc":
        book.begin(name)
    shares = []
    for name in "abc":
        book.note_work({other: Work(decode_tokens=3) for other in "abc" if other >= name})
        shares.append(book.finish(name).joules)
    assert shares == pytest.approx([10, 10 + 12.5, 10 + 12.5 + 20])
    assert book.total().joules == pytest.approx(sum(joules or 0 for joules in shares))


def test_a_request_too_short_for_the_meter_gets_no_joules(open_book: OpenBook) -> None:
    book = open_book(replay(0, 1, 2, step_s=0.001))
    book.begin("a")
    book.note_work({"a": Work(1, 1)})
    assert book.finish("a").joules is None


def test_a_modelled_value_has_its_range_and_a_measured_one_none(open_book: OpenBook) -> None:
    uses = []
    for uncertainty in (0.0, 0.5):
        book = open_book(replay(0, 0, 8, uncertainty=uncertainty))
        book.begin("a")
        book.note_work({"a": Work(1, 1)})
        uses.append(book.finish("a"))
    assert [(use.low_joules, use.high_joules) for use in uses] == [(None, None), (4.0, 12.0)]


def test_work_of_several_steps_adds_up(open_book: OpenBook) -> None:
    book = open_book(replay(0, 0, 0, 9))
    for name in "ab":
        book.begin(name)
    for _ in range(2):
        book.note_work({"a": Work(decode_tokens=1)})
    book.note_work({"b": Work(decode_tokens=1)})
    assert book.finish("a").joules == pytest.approx(6)


def test_power_is_unknown_before_the_first_reading(open_book: OpenBook) -> None:
    assert open_book(replay(0)).power_w is None


def test_power_is_a_mean_of_the_last_seconds(open_book: OpenBook) -> None:
    book = open_book(replay(0, 10, 20, 60))
    seen = []
    for name in "abc":
        book.begin(name)
        seen.append(book.power_w)
    assert seen == pytest.approx([10, 10, 25])


def test_power_does_not_jump_when_two_readings_are_close(open_book: OpenBook) -> None:
    times_s = (0.0, 1.0, 1.001, 2.0)
    joules = (0.0, 10.0, 15.0, 20.0)
    readings = [EnergyReading(*pair) for pair in zip(times_s, joules, strict=True)]
    book = open_book(ReplayMeter(readings))
    seen = []
    for name in "abc":
        book.begin(name)
        seen.append(book.power_w)
    assert seen == pytest.approx([10, 10, 10])


def test_a_sensor_that_cannot_be_read_for_a_while_loses_nothing(open_book: OpenBook) -> None:
    book = open_book(ReplayMeter([EnergyReading(0, 0), None, EnergyReading(2, 8)]))
    book.begin("a")
    book.note_work({"a": Work(1, 1)})
    assert book.finish("a").joules == pytest.approx(8)


def test_modelled_energy_never_falls_when_a_worker_is_replaced() -> None:
    busy_s = iter([0.0, 0.0, 50.0, 0.1, 1.1])
    now_s = iter([0.0, 0.0, 10.0, 11.0, 12.0])
    meter = ModelledMeter(
        PowerModel(idle_w=1.0, active_w=9.0, threads=8),
        clock=lambda: next(now_s, 12.0),
        busy_s=lambda: next(busy_s, 1.1),
    )
    readings = [meter.read().joules for _ in range(4)]
    assert readings == sorted(readings)
    assert readings[-1] - readings[-2] == pytest.approx(1 + 8 / 8)


def test_closing_closes_the_meter() -> None:
    meter = replay(0)
    EnergyBook(meter, interval_s=NEVER_S).close()
    assert meter.closed


def test_the_comparison_has_this_machine_first(cost_model: CostModel) -> None:
    energy = EnergyUse(100.0, "modelled", "model", "modelled", 50.0, 150.0)
    comparison = compare_cost(cost_model, TokenUsage(10, 0, 10), energy)
    lines = cost_lines(comparison)
    assert (lines[0].label, len(lines) > 1) == (LOCAL_LABEL, True)
    assert comparison.local_range_usd is not None


def test_a_measured_energy_gives_money_without_a_range(cost_model: CostModel) -> None:
    energy = EnergyUse(100.0, "measured", "rapl", "package")
    comparison = compare_cost(cost_model, TokenUsage(10, 0, 10), energy)
    assert not any("modelled" in text for text in comparison.assumptions)
