"""One model served: requests in, text and receipts out."""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Protocol

from edgeinfer.accounting import EnergyBook, compare_cost, cost_lines
from edgeinfer.cost.model import CostModel
from edgeinfer.energy import attribution
from edgeinfer.errors import EdgeinferError
from edgeinfer.metrics import RequestMetrics, RequestState, ServiceState, Snapshot, TokenRate
from edgeinfer.usage import TokenUsage
from edgeinfer.worker.failures import to_error
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import Failed, Generate, Progress, Start, Work
from edgeinfer.worker.supervisor import Supervisor, WorkerState

RECENT_REQUESTS = 50


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of a request, with its token counts so far."""

    request_id: str
    text: str
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Receipt:
    """The end of a request: what it measured, which side is cheaper in one sentence, and what that assumes."""

    metrics: RequestMetrics
    verdict: str
    assumptions: tuple[str, ...]


Update = Delta | Receipt | EdgeinferError
UpdateListener = Callable[[Update], None]


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """The model that a service runs. `context_tokens` is per request; `created_s` is Unix time of the file."""

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
    created_s: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service is told of its place: the clock it uses, the device's label, and its URL if it has one."""

    clock: Callable[[], float]
    device: str
    endpoint: str | None = None


class ServiceLike(Protocol):
    """What a server or a screen needs of a service."""

    @property
    def info(self) -> ServiceInfo: ...

    def submit(self, request: Generate, listener: UpdateListener) -> None:
        """Queue a request; `listener` hears deltas and then one Receipt or one error, on another thread.

        Raises QueueFullError, QuarantinedError, or the load's error at once.
        """
        ...

    def cancel(self, request_id: str) -> None: ...

    def snapshot(self) -> Snapshot: ...


class Service:
    """Owns a supervised worker and its accounts; safe to use from any thread."""

    def __init__(  # noqa: PLR0913 - the parts that only the composition root puts together
        self,
        start: Start,
        identity: Identity,
        *,
        open_energy: Callable[[Supervisor], EnergyBook],
        cost_model: CostModel,
        surroundings: Surroundings,
        policy: WatchPolicy | None = None,
    ) -> None:
        self._identity = identity
        self._cost_model = cost_model
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self._opened_s = self._clock()
        self._rate = TokenRate(self._opened_s)
        self._lock = threading.Lock()
        self._active: dict[str, RequestMetrics] = {}
        self._recent: deque[RequestMetrics] = deque(maxlen=RECENT_REQUESTS)
        self._usage = TokenUsage()
        self._finished = 0
        self._supervisor = Supervisor(start, policy=policy, on_work=self._note_work)
        self._energy = open_energy(self._supervisor)

    @property
    def info(self) -> ServiceInfo:
        """The model as it was loaded; waits for the first load."""
        return self.wait_ready()

    def wait_ready(self) -> ServiceInfo:
        """Block until the model is loaded; raises the load's error."""
        ready = self._supervisor.ready or self._supervisor.wait_ready()
        identity = self._identity
        return ServiceInfo(
            model_id=identity.model_id,
            name=identity.name,
            description=identity.description,
            quantization=ready.quantization,
            parameters=ready.parameters,
            size_bytes=ready.size_bytes,
            context_tokens=ready.context_tokens,
            slots=ready.slots,
            threads=ready.threads,
            variant=ready.variant,
            sandbox=ready.sandbox,
            created_s=identity.created_s,
        )

    def submit(self, request: Generate, listener: UpdateListener) -> None:
        metrics = RequestMetrics(
            request_id=request.request_id,
            model=self.info.model_id,
            quantization=self.info.quantization,
            state="waiting",
            usage=TokenUsage(),
        )
        with self._lock:
            self._active[request.request_id] = metrics
        self._energy.begin(request.request_id)
        try:
            self._supervisor.submit(request, lambda message: self._hear(message, listener))
        except EdgeinferError:
            self._end(request.request_id, "failed")
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
            while not isinstance(update, Receipt | EdgeinferError):
                update = inbox.get()
                if isinstance(update, EdgeinferError):
                    raise update
                yield update
        finally:
            if not isinstance(update, Receipt | EdgeinferError):
                self.cancel(request.request_id)

    def snapshot(self) -> Snapshot:
        energy = self._energy.total()
        with self._lock:
            comparison = compare_cost(
                self._cost_model, self._usage, energy, requests=max(1, self._finished)
            )
            now = self._clock()
            active = sorted(self._active.values(), key=lambda m: m.state == "waiting")
            return Snapshot(
                state=_SERVICE_STATES[self._supervisor.state],
                model=self.info.name,
                quantization=self.info.quantization,
                endpoint=self._surroundings.endpoint,
                device=self._surroundings.device,
                uptime_s=now - self._opened_s,
                tokens_per_s=self._rate.current(now),
                history=self._rate.history(now),
                energy=energy,
                power_w=self._energy.power_w,
                usage=self._usage,
                costs=cost_lines(comparison),
                verdict=comparison.sentence,
                worker_restarts=self._supervisor.restarts,
                running=self._supervisor.num_running,
                waiting=self._supervisor.num_waiting,
                requests=(*active, *self._recent),
            )

    def _note_work(self, work: Work) -> None:
        """One step of the worker, on its reader's thread."""
        self._energy.note_work(
            {
                request_id: attribution.Work(prefill, decode)
                for request_id, prefill, decode in work.items
            }
        )
        with self._lock:
            self._rate.add(sum(decode for _, _, decode in work.items), self._clock())

    def close(self) -> None:
        """End the worker and the meter; running requests get a final error."""
        self._supervisor.close()
        self._energy.close()

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _hear(self, message: Progress | Failed, listener: UpdateListener) -> None:
        """One message of the worker, on its reader's thread."""
        if isinstance(message, Failed):
            self._end(message.request_id or "", "failed")
            listener(to_error(message))
            return
        if message.text:
            listener(Delta(message.request_id, message.text, message.usage))
        if message.finish_reason is None:
            with self._lock:
                before = self._active[message.request_id]
                self._active[message.request_id] = _advance(before, message)
            return
        listener(self._receipt(message))

    def _receipt(self, message: Progress) -> Receipt:
        state: RequestState = "cancelled" if message.finish_reason == "cancelled" else "finished"
        metrics = self._end(message.request_id, state, message)
        energy = metrics.energy or self._energy.total()
        comparison = compare_cost(self._cost_model, metrics.usage, energy)
        return Receipt(
            replace(metrics, costs=cost_lines(comparison)),
            comparison.sentence,
            comparison.assumptions,
        )

    def _end(
        self, request_id: str, state: RequestState, message: Progress | None = None
    ) -> RequestMetrics:
        energy = self._energy.finish(request_id)
        with self._lock:
            metrics = self._active.pop(request_id)
            if message:
                metrics = _advance(metrics, message)
            metrics = replace(metrics, state=state, energy=energy)
            self._recent.appendleft(metrics)
            self._usage += metrics.usage
            self._finished += 1
        return metrics


_SERVICE_STATES: dict[WorkerState, ServiceState] = {
    WorkerState.LOADING: "loading",
    WorkerState.READY: "ready",
    WorkerState.RESTARTING: "restarting",
    WorkerState.FAILED: "failed",
    WorkerState.CLOSED: "failed",
}


def _advance(metrics: RequestMetrics, message: Progress) -> RequestMetrics:
    return replace(
        metrics,
        state="running",
        usage=message.usage,
        queue_s=message.queue_s,
        ttft_s=message.ttft_s,
        prefill_s=message.ttft_s - message.queue_s,
        decode_s=message.elapsed_s - message.ttft_s,
        finish_reason=message.finish_reason,
    )


def new_request_id() -> str:
    """An id that no other request has."""
    return uuid.uuid4().hex
