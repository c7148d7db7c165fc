"""Fakes that ship, so that every program built on edgeinfer can be tested without the hardware."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from queue import SimpleQueue
from typing import Literal

from edgeinfer.device.host import BatteryReading, CoreCount, MemoryReading
from edgeinfer.energy.reading import EnergyReading
from edgeinfer.engine.runner import ModelFacts
from edgeinfer.engine.sequence import Batch, BatchItem, StepOutput
from edgeinfer.errors import EdgeinferError, EngineError
from edgeinfer.metrics import CostLine, EnergyUse, RequestMetrics, ServiceState, Snapshot
from edgeinfer.service import Delta, Receipt, ServiceInfo, UpdateListener
from edgeinfer.usage import TokenUsage
from edgeinfer.worker.protocol import FinishReason, Generate


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeHost:
    """A recorded machine: a Host whose files, commands and counts are data.

    `files` maps a path to its text. Paths in `forbidden` exist, but may not be read. `commands`
    maps a command, its words joined by blanks, to its output; any other command fails.
    """

    system: str = "linux"
    architecture: str = "x86_64"
    files: Mapping[str, str] = field(default_factory=dict)
    forbidden: frozenset[str] = frozenset()
    commands: Mapping[str, str] = field(default_factory=dict)
    logical: int = 4
    physical: int | None = 4
    allowed: int | None = None
    total_bytes: int = 8 * 1024**3
    available_bytes: int = 6 * 1024**3
    swap_bytes: int = 0
    disk_bytes: int | None = 100 * 1024**3
    battery_reading: BatteryReading | None = None

    def read_text(self, path: str) -> str | None:
        """The recorded text."""
        return self.files.get(path) if self.readable(path) else None

    def readable(self, path: str) -> bool:
        """Recorded and not forbidden."""
        return path in self.files and path not in self.forbidden

    def exists(self, path: str) -> bool:
        """Recorded as a file, as a folder of one, or as forbidden."""
        return path in self.files or path in self.forbidden or bool(self.list_dir(path))

    def list_dir(self, path: str) -> tuple[str, ...]:
        """The next component of all recorded paths below this one."""
        prefix = path.rstrip("/") + "/"
        below = (
            it[len(prefix) :] for it in (*self.files, *self.forbidden) if it.startswith(prefix)
        )
        return tuple(sorted({name.partition("/")[0] for name in below}))

    def run(self, *command: str, timeout_s: float = 2.0) -> str | None:  # noqa: ARG002
        """The recorded output; no command takes time."""
        return self.commands.get(" ".join(command))

    def cores(self) -> CoreCount:
        """As recorded; all are usable when nothing else was."""
        usable = self.logical if self.allowed is None else self.allowed
        return CoreCount(self.logical, usable, self.physical)

    def memory(self) -> MemoryReading:
        """As recorded."""
        return MemoryReading(self.total_bytes, self.available_bytes, self.swap_bytes)

    def disk_free(self, path: str) -> int | None:  # noqa: ARG002
        """The same for every path."""
        return self.disk_bytes

    def battery(self) -> BatteryReading | None:
        """As recorded."""
        return self.battery_reading


class ReplayMeter:
    """A recorded EnergyMeter: each read gives the next reading, the last one again and again.

    A None in the recording is a moment at which the sensor could not be read.
    """

    def __init__(
        self,
        readings: Sequence[EnergyReading | None],
        *,
        name: str = "replay",
        source: Literal["measured", "modelled"] = "measured",
        uncertainty: float = 0.0,
        resolution_s: float = 0.001,
    ) -> None:
        self._readings = tuple(readings)
        self._next = 0
        self.name = name
        self.source = source
        self.coverage = "package" if source == "measured" else "modelled"
        self.uncertainty = uncertainty
        self.resolution_s = resolution_s
        self.closed = False

    def read(self) -> EnergyReading:
        """The next recorded reading; raises OSError where the recording has none."""
        reading = self._readings[min(self._next, len(self._readings) - 1)]
        self._next += 1
        if reading is None:
            raise OSError(f"{self.name} could not be read")
        return reading

    def close(self) -> None:
        """Remember that the meter was closed."""
        self.closed = True


class ScriptedRunner:
    """A ModelRunner without a model: a token is a byte, and answers follow a script.

    The prompt's bytes are its tokens. A slot answers with `answers[prompt]` (or with the prompt
    itself), then token 0, which ends it. `batches` keeps what was run, `fails_on` names a prompt
    whose first step raises EngineError.
    """

    def __init__(
        self,
        answers: Mapping[bytes, bytes] | None = None,
        *,
        slots: int = 2,
        context_tokens: int = 64,
        fails_on: bytes | None = None,
    ) -> None:
        self._answers = dict(answers or {})
        self._fails_on = fails_on
        self._prompts: dict[int, bytes] = {}
        self.cells: dict[int, list[int]] = {}
        self.batches: list[Batch] = []
        self.closed = False
        self.facts = ModelFacts(
            name="scripted",
            quantization="none",
            parameters=0,
            size_bytes=0,
            context_tokens=context_tokens,
            trained_context_tokens=context_tokens,
            slots=slots,
            chat_template=None,
            bos_text="",
            eos_text="",
            variant="none",
            threads=1,
        )
        self.end_tokens = frozenset({0})
        self.special_texts: tuple[str, ...] = ("<|end|>",)
        self.reuses_prefixes = True

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """The text's bytes; control tokens and special texts do not exist here."""
        del add_special, parse_special
        return list(text.encode())

    def token_piece(self, token: int) -> bytes:
        """The byte; nothing for the token that ends."""
        return bytes([token]) if token else b""

    def run(self, batch: Batch) -> StepOutput:
        """Follow the script; raises EngineError for the prompt that fails."""
        self.batches.append(batch)
        for admission in batch.admissions:
            self._prompts[admission.slot] = bytes(admission.prompt_tokens)
            del self.cells.setdefault(admission.slot, [])[admission.keep_tokens :]
        for item in batch.items:
            self._compute(item)
        return StepOutput(tuple(self._next_token(item) for item in batch.items if item.samples))

    def reset(self) -> None:
        """Drop every cell."""
        self.cells.clear()

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _compute(self, item: BatchItem) -> None:
        if self._prompts[item.slot] == self._fails_on:
            raise EngineError("The script says that this step fails.")
        cells = self.cells[item.slot]
        if item.start != len(cells):
            raise ValueError(f"slot {item.slot} holds {len(cells)} cells, not {item.start}")
        cells.extend(item.tokens)

    def _next_token(self, item: BatchItem) -> int:
        prompt = self._prompts[item.slot]
        answer = self._answers.get(prompt, prompt)
        position = len(self.cells[item.slot]) - len(prompt)
        return answer[position] if position < len(answer) else 0


SCRIPTED_MODEL = ServiceInfo(
    model_id="scripted-0.1b",
    name="Scripted 0.1B",
    description="Answers by heart.",
    quantization="Q4_K_M",
    parameters=100_000_000,
    size_bytes=60_000_000,
    context_tokens=2048,
    slots=2,
    threads=2,
    variant="x64",
    sandbox="none",
    created_s=1_790_000_000,
)
SCRIPTED_ENERGY = EnergyUse(6.0, "measured", "replay", "package")

ScriptStep = str | EdgeinferError | threading.Event


class ScriptedService:
    """A ServiceLike without a model: a script answers every request, on a thread of its own.

    A step is text of one token, an error that ends the answer, or an event to wait for. What
    arrives can be taken from `submitted` and `cancelled`. `refusal` is raised by submit().
    """

    def __init__(
        self,
        script: Sequence[ScriptStep] = ("Hello", " world"),
        *,
        refusal: EdgeinferError | None = None,
        state: ServiceState = "ready",
        finish_reason: FinishReason = "stop",
    ) -> None:
        self.info = SCRIPTED_MODEL
        self.submitted: SimpleQueue[Generate] = SimpleQueue()
        self.cancelled: SimpleQueue[str] = SimpleQueue()
        self._script = tuple(script)
        self._refusal = refusal
        self._state = state
        self._finish_reason = finish_reason
        self._listeners: dict[str, UpdateListener] = {}

    def submit(self, request: Generate, listener: UpdateListener) -> None:
        """Start the script."""
        if self._refusal:
            raise self._refusal
        self._listeners[request.request_id] = listener
        threading.Thread(target=self._play, args=(request.request_id,), daemon=True).start()
        self.submitted.put(request)

    def cancel(self, request_id: str) -> None:
        """End the script with a receipt that says "cancelled"."""
        self._finish(request_id, scripted_receipt(request_id, TokenUsage(7, 2, 0), "cancelled"))
        self.cancelled.put(request_id)

    def snapshot(self) -> Snapshot:
        """An idle service in the given state."""
        return Snapshot(
            state=self._state,
            model=self.info.name,
            quantization=self.info.quantization,
            endpoint=None,
            device="a test",
            uptime_s=60.0,
            tokens_per_s=0.0,
            history=(),
            energy=SCRIPTED_ENERGY,
            power_w=None,
            usage=TokenUsage(),
            costs=(),
            verdict="",
            worker_restarts=0,
            running=0,
            waiting=0,
            requests=(),
        )

    def _play(self, request_id: str) -> None:
        usage = TokenUsage(prompt_tokens=7, cached_tokens=2)
        for step in self._script:
            if isinstance(step, EdgeinferError):
                self._finish(request_id, step)
            elif isinstance(step, threading.Event):
                step.wait()
            elif listener := self._listeners.get(request_id):
                usage += TokenUsage(completion_tokens=1)
                listener(Delta(request_id, step, usage))
        self._finish(request_id, scripted_receipt(request_id, usage, self._finish_reason))

    def _finish(self, request_id: str, end: Receipt | EdgeinferError) -> None:
        if listener := self._listeners.pop(request_id, None):
            listener(end)


def scripted_receipt(request_id: str, usage: TokenUsage, finish_reason: FinishReason) -> Receipt:
    """The receipt that a ScriptedService hands out: 6 J measured, 50 ms to the first token."""
    metrics = RequestMetrics(
        request_id=request_id,
        model=SCRIPTED_MODEL.model_id,
        quantization=SCRIPTED_MODEL.quantization,
        state="cancelled" if finish_reason == "cancelled" else "finished",
        usage=usage,
        queue_s=0.01,
        ttft_s=0.05,
        prefill_s=0.04,
        decode_s=0.1,
        finish_reason=finish_reason,
        energy=SCRIPTED_ENERGY,
        costs=(CostLine("this machine", Decimal("0.0000005"), "6 J at $0.30 a kWh"),),
    )
    return Receipt(metrics, "This machine is cheaper.", ("electricity at $0.30 a kWh",))
