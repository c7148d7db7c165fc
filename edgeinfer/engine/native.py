"""Which build of the native library works here: chosen by a canary, never by CPUID alone.

Every candidate runs a small quantized model in a process of its own, must not crash and must agree with the plain
baseline variant. The fastest survivor is remembered for this CPU and this build.
"""

import hashlib
import importlib.util
import json
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import mul
from pathlib import Path
from typing import Literal

from edgeinfer.engine.canary import canary_model
from edgeinfer.errors import EngineError, StorageError
from edgeinfer.paths import write_atomically

VariantStatus = Literal["works", "unsupported", "crashed", "disagrees", "too slow"]

BASELINES = ("x64", "armv8.0_1", "apple_m1", "native")
MIN_AGREEMENT = 0.99
TRIAL_TIMEOUT_S = 60.0
# A variant that CPUID ranks lower must be this much faster before it is preferred: trials on a busy machine scatter.
LEAD_TO_PREFER = 1.15
# The first start tries so many of the candidates that CPUID ranks highest; `edgeinfer doctor` tries all.
QUICK_CANDIDATES = 3
_ACCELERATORS = ("cuda", "vulkan", "hip", "metal", "sycl", "opencl")
_CACHE_VERSION = 1

# What a trial's process is asked to do: run one variant, or only rank several by CPUID.
TRY, SCORE = "try", "score"


@dataclass(frozen=True, slots=True)
class NativeChoice:
    """The CPU library to load, and the accelerators' libraries of the same build."""

    variant: str
    cpu_library: Path
    accelerators: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the canary found of one variant.

    `score` is the variant's own CPUID rank (0: this CPU lacks an instruction set). Speeds are tokens per second of one
    thread on the canary's model, `agreement` the cosine similarity of its logits with the baseline's; None where it did not run.
    """

    variant: str
    status: VariantStatus
    score: int = 0
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    agreement: float | None = None
    detail: str = ""

    @property
    def speed(self) -> float:
        """Prefill and decode weighted alike: their geometric mean."""
        return math.sqrt((self.prefill_tokens_per_s or 0.0) * (self.decode_tokens_per_s or 0.0))


@dataclass(frozen=True, slots=True)
class Trial:
    """How a trial's process ended: its return code (negative: a signal; None: timed out) and what it printed."""

    returncode: int | None
    output: str


RunTrial = Callable[[tuple[str, ...]], Trial]


def library_folder() -> Path:
    """The folder of the installed engine's libraries; raises EngineError when it is not installed."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise EngineError(
            "The engine is not installed.", hint="Run `make run` in the clone to build it."
        )
    return Path(spec.origin).parent / "lib"


def cpu_libraries(folder: Path) -> dict[str, Path]:
    """CPU variants of the build by name; a build for one CPU has the single variant "native"."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*ggml-cpu*")):
        if path.suffix not in {".so", ".dll", ".dylib"}:
            continue
        name = path.stem.removeprefix("lib").removeprefix("ggml-cpu").removeprefix("-")
        found[name or "native"] = path
    if not found:
        raise EngineError(
            f"The engine in {folder} has no CPU library.",
            hint="Build it again: rm -rf .build, then `make run`.",
        )
    return found


def accelerator_libraries(folder: Path) -> tuple[Path, ...]:
    """Libraries of GPU backends that this build has."""
    return tuple(
        path
        for name in _ACCELERATORS
        for path in sorted(folder.glob(f"*ggml-{name}.*"))
        if path.suffix != ".py"
    )


def examine(
    variants: dict[str, Path],
    *,
    run_trial: RunTrial | None = None,
    quick: bool = False,
) -> tuple[Verdict, ...]:
    """Try the variants one after the other; `quick` tries only the baseline and those that CPUID ranks highest."""
    run = run_trial or run_in_child
    names = _quick_candidates(variants, run) if quick else tuple(variants)
    baseline = _baseline(variants)
    with tempfile.TemporaryDirectory(prefix="edgeinfer-canary-") as folder:
        model = Path(folder) / "canary.gguf"
        model.write_bytes(canary_model())

        def trial(name: str) -> Trial:
            return run((TRY, str(variants[name]), str(model)))

        reference = trial(baseline)
        others = ((name, trial(name)) for name in names if name != baseline)
        return tuple(
            _judge(name, result, reference) for name, result in ((baseline, reference), *others)
        )


def choose(verdicts: Sequence[Verdict]) -> Verdict:
    """The survivor that CPUID ranks highest, unless another is clearly faster; raises EngineError without one."""
    working = sorted((v for v in verdicts if v.status == "works"), key=lambda v: -v.score)
    if not working:
        reasons = "; ".join(f"{v.variant}: {v.status}" for v in verdicts)
        raise EngineError(
            f"No variant of the engine works on this CPU ({reasons}).",
            hint="Build the engine again on this machine: rm -rf .build, then `make run`.",
        )
    best = working[0]
    for verdict in working[1:]:
        if verdict.speed > best.speed * LEAD_TO_PREFER:
            best = verdict
    return best


@dataclass(frozen=True, slots=True)
class VariantStore:
    """Remembers the verdicts of this CPU and this build in `file`; a damaged or foreign file counts as absent."""

    file: Path
    cpu_key: str
    folder: Path

    def load(self) -> tuple[Verdict, ...]:
        try:
            stored = json.loads(self.file.read_bytes())
            if stored["key"] != self._key():
                return ()
            return tuple(Verdict(**verdict) for verdict in stored["verdicts"])
        except (OSError, ValueError, TypeError, KeyError):
            return ()

    def save(self, verdicts: Sequence[Verdict]) -> None:
        """Raises StorageError when the folder cannot be written."""
        content = {"key": self._key(), "verdicts": [asdict(verdict) for verdict in verdicts]}
        write_atomically(self.file, json.dumps(content, indent=1).encode())

    def _key(self) -> str:
        parts = [str(_CACHE_VERSION), self.cpu_key]
        for name, path in cpu_libraries(self.folder).items():
            status = path.stat()
            parts.append(f"{name} {status.st_size} {status.st_mtime_ns}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def native_choice(store: VariantStore, *, run_trial: RunTrial | None = None) -> NativeChoice:
    """The variant to load here: remembered, or found by a quick examination now (some seconds, once)."""
    variants = cpu_libraries(store.folder)
    verdicts = store.load()
    if not verdicts:
        verdicts = examine(variants, run_trial=run_trial, quick=True)
        try:
            store.save(verdicts)
        except StorageError:
            # A read-only home costs the same examination next time, nothing else.
            pass
    best = choose(verdicts)
    return NativeChoice(best.variant, variants[best.variant], accelerator_libraries(store.folder))


def run_in_child(arguments: tuple[str, ...]) -> Trial:
    """One trial in a process of its own."""
    command = [sys.executable, "-m", "edgeinfer.engine.backends.trial", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, text=True, timeout=TRIAL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Trial(None, "")
    return Trial(done.returncode, done.stdout if done.returncode == 0 else done.stderr)


def _baseline(variants: dict[str, Path]) -> str:
    return next((name for name in BASELINES if name in variants), next(iter(variants)))


def _quick_candidates(variants: dict[str, Path], run: RunTrial) -> tuple[str, ...]:
    trial = run((SCORE, *(str(path) for path in variants.values())))
    if trial.returncode != 0:
        return tuple(variants)
    scores = dict(zip(variants, json.loads(trial.output), strict=True))
    ranked = sorted((name for name in variants if scores[name]), key=lambda name: -scores[name])
    return tuple(ranked[:QUICK_CANDIDATES])


def _judge(variant: str, trial: Trial, reference: Trial) -> Verdict:
    if trial.returncode is None:
        return Verdict(variant, "too slow", detail=f"no result within {TRIAL_TIMEOUT_S:.0f} s")
    if trial.returncode != 0:
        return Verdict(variant, "crashed", detail=_ending(trial))
    result = json.loads(trial.output)
    if result["score"] == 0:
        return Verdict(variant, "unsupported", detail="this CPU lacks an instruction set")
    agreement = _agreement(result["logits"], reference)
    return Verdict(
        variant,
        "disagrees" if agreement is not None and agreement < MIN_AGREEMENT else "works",
        result["score"],
        result["prefill_tokens_per_s"],
        result["decode_tokens_per_s"],
        agreement,
    )


def _ending(trial: Trial) -> str:
    code = trial.returncode or 0
    if code < 0:
        return signal.Signals(-code).name
    lines = trial.output.strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"


def _agreement(logits: list[float], reference: Trial) -> float | None:
    """Cosine similarity; None when the baseline itself did not run."""
    if reference.returncode != 0:
        return None
    expected: list[float] = json.loads(reference.output)["logits"]
    norm = math.hypot(*logits) * math.hypot(*expected)
    product = sum(map(mul, logits, expected))
    return product / norm if math.isfinite(norm) and norm else 0.0
