"""One model served: requests in, text and receipts out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Protocol, Self

from edgeinfer.accounting import EnergyBook, RequestBook, compare_cost, cost_lines
from edgeinfer.cost.model import CostModel
from edgeinfer.energy import attribution
from edgeinfer.errors import EdgeinferError
from edgeinfer.metrics import (
    EnergyUse,
    RequestMetrics,
    RequestState,
    ServiceState,
    Snapshot,
)
from edgeinfer.usage import TokenUsage
from edgeinfer.worker.failures import to_error
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.process import WORKER_COMMAND
from edgeinfer.worker.protocol import (
    Failed,
    Generate,
    Progress,
    Start,
    Work,
    new_request_id,
)
from edgeinfer.worker.supervisor import Supervisor, WorkerState

# Whoever submits a request needs an id for it, and has no other business with the wire format.
__all__ = [
    "Delta",
    "Identity",
    "Receipt",
    "Service",
    "ServiceInfo",
    "ServiceLike",
    "Surroundings",
    "Update",
    "UpdateListener",
    "Watch",
    "new_request_id",
]


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of a request, with its token counts so far."""

    request_id: str
    text: str
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Receipt:
    """The end of a request: what it measured, which side is cheaper, and what that assumes."""

    metrics: RequestMetrics
    verdict: str
    assumptions: tuple[str, ...]


Update = Delta | Receipt | EdgeinferError
UpdateListener = Callable[[Update], None]


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """The model that a service runs; `created_s` is Unix time of its file.

    `context_tokens` is what one request may fill.
    """

    model_id: str
    name: str
    description: str
    quantization: str
    parameters: int
    size_bytes: int
    context_tokens: int
    slots: int
    threads: int
    variant: str
    sandbox: str
    created_s: int


@dataclass(frozen=True, slots=True)
class Identity:
    """What the store and the catalogue say of a model; `created_s` is Unix time of its file."""

    model_id: str
    name: str
    description: str
    quantization: str
    created_s: int


@dataclass(frozen=True, slots=True)
class Watch:
    """How the worker is started and watched; the defaults are for everybody but tests."""

    policy: WatchPolicy | None = None
    command: tuple[str, ...] = WORKER_COMMAND


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service is told of its place: a clock, the device's label, its URL if it has one."""

    clock: Callable[[], float]
    device: str
    endpoint: str | None = None


class ServiceLike(Protocol):
    """What a server or a screen needs of a service."""

    @property
    def info(self) -> ServiceInfo:
        """The model as it was loaded."""
        ...

    def submit(self, request: Generate, listener: UpdateListener) -> None:
        """Queue a request; `listener` hears deltas and then one Receipt or one error.

        It is called on another thread. Raises QueueFullError, QuarantinedError, or the load's error
        at once.
        """
        ...

    def cancel(self, request_id: str) -> None:
        """Stop a request; unknown ids are ignored."""
        ...

    def snapshot(self) -> Snapshot:
        """Everything that a screen shows, at this instant."""
        ...


class Service:
    """Owns a supervised worker and its accounts; safe to use from any thread."""

    def __init__(
        self,
        start: Start,
        identity: Identity,
        *,
        open_energy: Callable[[Supervisor], EnergyBook],
        cost_model: CostModel,
        surroundings: Surroundings,
        watch: Watch | None = None,
    ) -> None:
        watch = watch or Watch()
        self._identity = identity
        self._cost_model = cost_model
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self._opened_s = self._clock()
        self._requests = RequestBook(identity.model_id, identity.quantization, self._clock)
        self._supervisor = Supervisor(
            start, policy=watch.policy, on_work=self._note_work, command=watch.command
        )
        try:
            self._energy = open_energy(self._supervisor)
        except BaseException:
            self._supervisor.close()
            raise

    @property
    def info(self) -> ServiceInfo:
        """The model as it was loaded; waits for the first load and raises its error."""
        ready = self._supervisor.ready or self._supervisor.wait_ready()
        identity = self._identity
        return ServiceInfo(
            model_id=identity.model_id,
            name=identity.name,
            description=identity.description,
            quantization=identity.quantization,
            parameters=ready.parameters,
            size_bytes=ready.size_bytes,
            context_tokens=ready.context_tokens,
            slots=ready.slots,
            threads=ready.threads,
            variant=ready.variant,
            sandbox=ready.sandbox,
            created_s=identity.created_s,
        )

    @property
    def process_id(self) -> int:
        """The worker's process; another one after each restart."""
        return self._supervisor.process_id

    def wait_ready(self) -> ServiceInfo:
        """Block until the model is loaded; raises the load's error."""
        self._supervisor.wait_ready()
        return self.info

    def submit(self, request: Generate, listener: UpdateListener) -> None:
        """Queue a request; `listener` hears deltas and then one Receipt or one error.

        It is called on another thread and must not wait. Raises InvalidRequestError,
        QueueFullError, QuarantinedError, or the load's error at once.
        """
        self._requests.begin(request.request_id)
        self._energy.begin(request.request_id)
        try:
            self._supervisor.submit(request, lambda message: self._hear(message, listener))
        except EdgeinferError:
            self._energy.finish(request.request_id)
            self._requests.take_back(request.request_id)
            raise

    def cancel(self, request_id: str) -> None:
        """Stop a request; its listener hears a receipt with finish reason "cancelled"."""
        self._supervisor.cancel(request_id)

    def stream(self, request: Generate) -> Iterator[Delta | Receipt]:
        """A request as an iterator; leaving it early cancels. Raises the request's error."""
        inbox: SimpleQueue[Update] = SimpleQueue()
        self.submit(request, inbox.put)
        update: Update | None = None
        try:
            while not isinstance(update, Receipt):
                update = inbox.get()
                if isinstance(update, EdgeinferError):
                    raise update
                yield update
        finally:
            if not isinstance(update, Receipt | EdgeinferError):
                self.cancel(request.request_id)

    def snapshot(self) -> Snapshot:
        """Everything that a screen shows, at this instant; never waits."""
        energy, totals = self._energy.total(), self._requests.totals()
        comparison = compare_cost(
            self._cost_model, totals.usage, energy, requests=max(1, totals.ended)
        )
        return Snapshot(
            state=_SERVICE_STATES[self._supervisor.state],
            model=self._identity.name,
            quantization=self._identity.quantization,
            endpoint=self._surroundings.endpoint,
            device=self._surroundings.device,
            uptime_s=self._clock() - self._opened_s,
            tokens_per_s=totals.tokens_per_s,
            history=totals.history,
            energy=energy,
            power_w=self._energy.power_w,
            usage=totals.usage,
            costs=cost_lines(comparison),
            verdict=comparison.sentence,
            worker_restarts=self._supervisor.restarts,
            running=self._supervisor.num_running,
            waiting=self._supervisor.num_waiting,
            requests=totals.requests,
        )

    def close(self) -> None:
        """End the worker and the meter; running requests get a final error."""
        self._supervisor.close()
        self._energy.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _note_work(self, work: Work) -> None:
        """One step of the worker, on its reader's thread."""
        self._energy.note_work(
            {
                request_id: attribution.Work(prefill, decode)
                for request_id, prefill, decode in work.items
            }
        )
        self._requests.note_tokens(sum(decode for _, _, decode in work.items))

    def _hear(self, message: Progress | Failed, listener: UpdateListener) -> None:
        """One message of the worker, on its reader's thread."""
        if isinstance(message, Failed):
            self._end(message.request_id or "", "failed")
            listener(to_error(message))
            return
        # The accounts first: what a listener raises must not leave a request in them for good.
        self._requests.advance(message)
        receipt = self._receipt(message) if message.finish_reason else None
        if message.text:
            listener(Delta(message.request_id, message.text, message.usage))
        if receipt:
            listener(receipt)

    def _receipt(self, message: Progress) -> Receipt:
        state: RequestState = "cancelled" if message.finish_reason == "cancelled" else "finished"
        metrics, energy = self._end(message.request_id, state)
        comparison = compare_cost(self._cost_model, metrics.usage, energy)
        return Receipt(
            replace(metrics, costs=cost_lines(comparison)),
            comparison.sentence,
            comparison.assumptions,
        )

    def _end(self, request_id: str, state: RequestState) -> tuple[RequestMetrics, EnergyUse]:
        energy = self._energy.finish(request_id)
        return self._requests.end(request_id, state, energy), energy


_SERVICE_STATES: dict[WorkerState, ServiceState] = {
    WorkerState.LOADING: "loading",
    WorkerState.READY: "ready",
    WorkerState.RESTARTING: "restarting",
    WorkerState.FAILED: "failed",
    WorkerState.CLOSED: "failed",
}
