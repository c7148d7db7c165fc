"""Fakes that ship, so that every program built on edgeinfer can be tested without the hardware."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edgeinfer.device.host import BatteryReading, CoreCount, MemoryReading
from edgeinfer.energy.reading import EnergyReading
from edgeinfer.engine.runner import ModelFacts
from edgeinfer.engine.sequence import Batch, BatchItem, StepOutput
from edgeinfer.errors import EngineError


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

    The prompt's bytes are its tokens. A slot answers with `answers[prompt]` (or with the prompt itself), then token 0,
    which ends it. `batches` keeps what was run, `fails_on` names a prompt whose first step raises EngineError.
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
