import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from edgeinfer.accounting import EnergyBook
from edgeinfer.cost.model import CostModel
from edgeinfer.cost.prices import DEFAULT_FRONTIER, load_prices
from edgeinfer.cost.tariffs import load_tariffs
from edgeinfer.energy.reading import EnergyReading
from edgeinfer.errors import (
    EdgeinferError,
    InvalidRequestError,
    ModelFileError,
    QueueFullError,
    WorkerCrashedError,
)
from edgeinfer.service import Delta, Identity, Receipt, Service, Surroundings, Update, Watch
from edgeinfer.testing import ReplayMeter
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import Generate, Start
from edgeinfer.worker.supervisor import Supervisor
from tests.worker.conftest import SCRIPT
from tests.worker.talk import WAIT_S, request

IDENTITY = Identity("scripted-0.1b", "Scripted", "Answers by heart.", "Q4_K_M", 1_790_000_000)
AGAIN = WatchPolicy(backoff_s=(0.0,))
NEVER_AGAIN = WatchPolicy(backoff_s=(3600.0,))

Open = Callable[..., Service]


def cost_model() -> CostModel:
    frontier = load_prices().find(DEFAULT_FRONTIER)
    return CostModel(tariff=load_tariffs().default, like_for_like=None, frontier=frontier)


def energy_book(_supervisor: Supervisor) -> EnergyBook:
    """One joule more at every reading, a second after the last."""
    readings = [EnergyReading(float(second), float(second)) for second in range(1000)]
    return EnergyBook(ReplayMeter(readings), interval_s=3600.0)


@pytest.fixture
def open_service() -> Iterator[Open]:
    """A service whose worker is scripted_child.py in the given mode."""
    with ExitStack() as stack:

        def open_service(
            mode: str = "serve", *, policy: WatchPolicy = AGAIN, max_waiting: int = 8
        ) -> Service:
            start = Start(
                model_path="", cpu_library="", variant="", slots=2, max_waiting=max_waiting
            )
            seconds = itertools.count(100.0, 0.25)
            service = Service(
                start,
                IDENTITY,
                open_energy=energy_book,
                cost_model=cost_model(),
                surroundings=Surroundings(lambda: next(seconds), "a test", "http://here/v1"),
                watch=Watch(policy, (sys.executable, str(SCRIPT), mode)),
            )
            return stack.enter_context(service)

        yield open_service


@pytest.fixture
def service(open_service: Open) -> Service:
    """A service that answers."""
    service = open_service()
    service.wait_ready()
    return service


class Ear:
    """Collects what a listener hears."""

    def __init__(self) -> None:
        self._updates: SimpleQueue[Update] = SimpleQueue()
        self.listener = self._updates.put

    def next(self) -> Update:
        """The next update."""
        return self._updates.get(timeout=WAIT_S)

    def end(self) -> Receipt | EdgeinferError:
        """The last update."""
        while isinstance(update := self.next(), Delta):
            pass
        return update


def begin(service: Service, name: str) -> Ear:
    """Submit an endless request and wait for its first words."""
    ear = Ear()
    service.submit(request(name, endless=True), ear.listener)
    ear.next()
    return ear


def test_a_stream_is_deltas_and_then_a_receipt(service: Service) -> None:
    *deltas, receipt = service.stream(request("a"))
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == "hello"
    assert isinstance(receipt, Receipt)
    assert receipt.metrics.usage.completion_tokens == len("hello") + 1


def test_a_receipt_tells_time_energy_and_money(service: Service) -> None:
    *_, receipt = service.stream(request("a"))
    assert isinstance(receipt, Receipt)
    metrics = receipt.metrics
    assert (metrics.model, metrics.quantization, metrics.state) == (
        "scripted-0.1b",
        "Q4_K_M",
        "finished",
    )
    assert metrics.energy is not None
    assert (metrics.energy.joules, len(metrics.costs)) == (1.0, 2)
    assert (metrics.decode_tokens_per_s or 0) > 0


def test_the_loaded_model_is_described(service: Service) -> None:
    info = service.info
    assert (info.model_id, info.quantization, info.slots) == ("scripted-0.1b", "Q4_K_M", 2)


def test_a_crash_is_raised_from_the_stream_and_listed_as_failed(service: Service) -> None:
    with pytest.raises(WorkerCrashedError, match="SIGABRT"):
        list(service.stream(request("a", "die")))
    assert service.snapshot().requests[0].state == "failed"


def test_leaving_a_stream_cancels_it(service: Service) -> None:
    stream = service.stream(request("a", endless=True))
    next(stream)
    stream.close()
    list(service.stream(request("b")))
    states = {metrics.request_id: metrics.state for metrics in service.snapshot().requests}
    assert states == {"a": "cancelled", "b": "finished"}


def test_a_cancelled_request_gets_a_receipt(service: Service) -> None:
    ear = begin(service, "a")
    service.cancel("a")
    receipt = ear.end()
    assert isinstance(receipt, Receipt)
    assert (receipt.metrics.state, receipt.metrics.finish_reason) == ("cancelled", "cancelled")


def test_a_snapshot_shows_who_runs_and_who_waits(service: Service) -> None:
    for name in "ab":
        begin(service, name)
    service.submit(request("c"), Ear().listener)
    snapshot = service.snapshot()
    assert (snapshot.running, snapshot.waiting, snapshot.state) == (2, 1, "ready")
    assert [metrics.state for metrics in snapshot.requests] == ["running", "running", "waiting"]


def test_a_snapshot_sums_up_what_was_done(service: Service) -> None:
    for name in "ab":
        list(service.stream(request(name)))
    snapshot = service.snapshot()
    assert snapshot.usage.completion_tokens == 2 * (len("hello") + 1)
    assert (snapshot.energy.joules or 0) >= 2
    assert (snapshot.endpoint, snapshot.device) == ("http://here/v1", "a test")


def test_tokens_a_second_are_counted_by_the_clock(service: Service) -> None:
    list(service.stream(request("a")))
    for _ in range(8):
        snapshot = service.snapshot()
    assert sum(snapshot.history) == len("hello")


def test_a_snapshot_never_waits_for_a_load(open_service: Open) -> None:
    snapshot = open_service("load").snapshot()
    assert (snapshot.state, snapshot.model, snapshot.quantization) == (
        "loading",
        "Scripted",
        "Q4_K_M",
    )


def test_a_model_that_cannot_be_loaded_is_the_error_of_everything(open_service: Open) -> None:
    service = open_service("refuse", policy=NEVER_AGAIN)
    for attempt in (service.wait_ready, lambda: service.info, lambda: submit(service)):
        with pytest.raises(ModelFileError, match="damaged"):
            attempt()
    assert service.snapshot().state == "failed"


def submit(service: Service) -> None:
    service.submit(Generate(prompt="hello"), Ear().listener)


def test_a_refused_request_leaves_no_trace(open_service: Open) -> None:
    service = open_service("load", max_waiting=1)
    submit(service)
    with pytest.raises(QueueFullError):
        submit(service)
    assert len(service.snapshot().requests) == 1


def test_two_requests_under_way_cannot_have_one_id(service: Service) -> None:
    ear = begin(service, "a")
    with pytest.raises(InvalidRequestError, match="under way"):
        service.submit(request("a"), Ear().listener)
    service.cancel("a")
    assert isinstance(ear.end(), Receipt)


def test_a_listener_that_raises_leaves_the_accounts_in_order(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    def fall_over(_update: Update) -> None:
        raise ZeroDivisionError

    service.submit(request("a"), fall_over)
    list(service.stream(request("b", "a longer prompt")))
    assert [metrics.state for metrics in service.snapshot().requests] == ["finished"] * 2
    assert "A listener failed." in caplog.text


def test_closing_gives_running_requests_their_error(open_service: Open) -> None:
    service = open_service()
    service.wait_ready()
    ear = begin(service, "a")
    service.close()
    assert "shut down" in str(ear.end())


def test_a_meter_that_cannot_be_opened_leaves_no_worker_behind() -> None:
    seen: list[int] = []

    def refuse(supervisor: Supervisor) -> EnergyBook:
        seen.append(supervisor.process_id)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Service(
            Start(model_path="", cpu_library="", variant=""),
            IDENTITY,
            open_energy=refuse,
            cost_model=cost_model(),
            surroundings=Surroundings(lambda: 0.0, "a test"),
            watch=Watch(command=(sys.executable, str(SCRIPT), "load")),
        )
    assert not Path(f"/proc/{seen[0]}").exists()
