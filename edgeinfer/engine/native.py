"""Which build of the native library works here: chosen by a canary, never by CPUID alone.

Every candidate runs a small quantized model in a process of its own, must not crash and must agree
with the plain baseline variant. The fastest survivor is remembered for this CPU and this build.
"""

import contextlib
import hashlib
import importlib.util
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Literal

import msgspec

from edgeinfer.engine.canary import canary_model
from edgeinfer.errors import EngineError, StorageError
from edgeinfer.paths import write_atomically

VariantStatus = Literal["works", "unsupported", "crashed", "disagrees", "too slow"]

BASELINES = ("x64", "armv8.0_1", "apple_m1", "native")
MIN_AGREEMENT = 0.99
TRIAL_TIMEOUT_S = 60.0
# A variant that CPUID ranks lower must be this much faster: trials on a busy machine scatter.
LEAD_TO_PREFER = 1.15
# The first start tries the candidates that CPUID ranks highest; `edgeinfer doctor` tries all.
QUICK_CANDIDATES = 3
_ACCELERATORS = ("cuda", "vulkan", "hip", "metal", "sycl", "opencl")
_LIBRARY_SUFFIXES = (".so", ".dll", ".dylib")
_CACHE_VERSION = 2
_REBUILD_HINT = "Build the engine again on this machine: rm -rf .build, then `make run`."

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

    `score` is the variant's own CPUID rank (0: this CPU lacks an instruction set). Speeds are
    tokens per second of one thread on the canary's model, `agreement` the cosine similarity of its
    logits with the baseline's; None where it did not run.
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
    """How a trial's process ended, and what it printed.

    `returncode` is negative for a signal, None when the time was up.
    """

    returncode: int | None
    output: str


RunTrial = Callable[[tuple[str, ...]], Trial]


class _Result(msgspec.Struct, frozen=True):
    """What a variant's trial prints; without logits this CPU cannot run it."""

    score: int
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    logits: tuple[float, ...] = ()


class _Stored(msgspec.Struct, frozen=True):
    """The file of remembered verdicts."""

    key: str
    verdicts: tuple[Verdict, ...]


def library_folder() -> Path:
    """The folder of the installed engine's libraries; raises EngineError when there is none."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise EngineError(
            "The engine is not installed.", hint="Run `make run` in the clone to build it."
        )
    return Path(spec.origin).parent / "lib"


def cpu_libraries(folder: Path) -> dict[str, Path]:
    """CPU variants of the build by name; a build for one CPU has the single variant "native".

    Raises EngineError when there is none.
    """
    found: dict[str, Path] = {}
    for path in _libraries(folder, "*ggml-cpu*"):
        name = path.stem.removeprefix("lib").removeprefix("ggml-cpu").removeprefix("-")
        found[name or "native"] = path
    if not found:
        raise EngineError(f"The engine in {folder} has no CPU library.", hint=_REBUILD_HINT)
    return found


def accelerator_libraries(folder: Path) -> tuple[Path, ...]:
    """Libraries of GPU backends that this build has."""
    return tuple(path for name in _ACCELERATORS for path in _libraries(folder, f"*ggml-{name}.*"))


def examine(
    variants: Mapping[str, Path], *, run_trial: RunTrial | None = None, quick: bool = False
) -> tuple[Verdict, ...]:
    """Try the variants one after the other, the baseline first.

    `quick` tries only the baseline and those that CPUID ranks highest.
    """
    run = run_trial or run_in_child
    names = _quick_candidates(variants, run) if quick else tuple(variants)
    baseline = _baseline(variants)
    with tempfile.TemporaryDirectory(prefix="edgeinfer-canary-") as folder:
        model = Path(folder) / "canary.gguf"
        model.write_bytes(canary_model())
        trials = {
            name: run((TRY, str(variants[name]), str(model)))
            for name in (baseline, *(name for name in names if name != baseline))
        }
    expected = _parse(trials[baseline])
    return tuple(_judge(name, trial, expected) for name, trial in trials.items())


def choose(verdicts: Sequence[Verdict]) -> Verdict:
    """The survivor that CPUID ranks highest, unless another is clearly faster.

    Raises EngineError without a survivor.
    """
    working = sorted((v for v in verdicts if v.status == "works"), key=lambda v: -v.score)
    if not working:
        reasons = "; ".join(f"{v.variant}: {v.status} {v.detail}".rstrip() for v in verdicts)
        raise EngineError(
            f"No variant of the engine works on this CPU ({reasons}).", hint=_REBUILD_HINT
        )
    best = working[0]
    for verdict in working[1:]:
        if verdict.speed > best.speed * LEAD_TO_PREFER:
            best = verdict
    return best


@dataclass(frozen=True, slots=True)
class VariantStore:
    """Remembers the verdicts of this CPU and this build in `file`."""

    file: Path
    cpu_key: str
    folder: Path

    def load(self) -> tuple[Verdict, ...]:
        """What is remembered; nothing when the file is absent, damaged or of another machine."""
        try:
            stored = msgspec.json.decode(self.file.read_bytes(), type=_Stored)
        except (OSError, ValueError):
            return ()
        return stored.verdicts if stored.key == self._key() else ()

    def save(self, verdicts: Sequence[Verdict]) -> None:
        """Raises StorageError when the folder cannot be written."""
        content = msgspec.json.encode(_Stored(self._key(), tuple(verdicts)))
        write_atomically(self.file, msgspec.json.format(content, indent=1))

    def _key(self) -> str:
        parts = [str(_CACHE_VERSION), self.cpu_key]
        for name, path in cpu_libraries(self.folder).items():
            status = path.stat()
            parts.append(f"{name} {status.st_size} {status.st_mtime_ns}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def native_choice(store: VariantStore, *, run_trial: RunTrial | None = None) -> NativeChoice:
    """The variant to load here: remembered, or found by a quick examination now (seconds, once).

    Raises EngineError when no variant works; that is not remembered, as the next start may find the
    machine less busy.
    """
    variants = cpu_libraries(store.folder)
    verdicts = tuple(v for v in store.load() if v.variant in variants and v.status == "works")
    if not verdicts:
        verdicts = examine(variants, run_trial=run_trial, quick=True)
        choose(verdicts)
        # A home that cannot be written costs the same examination next time, nothing else.
        with contextlib.suppress(StorageError):
            store.save(verdicts)
    best = choose(verdicts)
    return NativeChoice(best.variant, variants[best.variant], accelerator_libraries(store.folder))


def run_in_child(arguments: tuple[str, ...]) -> Trial:
    """One trial in a process of its own."""
    # -P: `-m` alone puts the current folder first, and what is planted there would run.
    command = [sys.executable, "-P", "-m", "edgeinfer.engine.backends.trial", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, capture_output=True, text=True, timeout=TRIAL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Trial(None, "")
    return Trial(done.returncode, done.stdout if done.returncode == 0 else done.stderr)


def _libraries(folder: Path, pattern: str) -> Iterator[Path]:
    return (path for path in sorted(folder.glob(pattern)) if path.suffix in _LIBRARY_SUFFIXES)


def _baseline(variants: Mapping[str, Path]) -> str:
    return next((name for name in BASELINES if name in variants), next(iter(variants)))


def _quick_candidates(variants: Mapping[str, Path], run: RunTrial) -> tuple[str, ...]:
    """The variants that CPUID ranks highest; all of them when not even asking works."""
    trial = run((SCORE, *(str(path) for path in variants.values())))
    try:
        scores = msgspec.json.decode(trial.output, type=list[int])
    except msgspec.MsgspecError:
        scores = []
    if trial.returncode != 0 or len(scores) != len(variants):
        return tuple(variants)
    ranked = sorted(zip(scores, variants, strict=True), key=lambda pair: -pair[0])
    return tuple(name for score, name in ranked[:QUICK_CANDIDATES] if score)


def _parse(trial: Trial) -> _Result | None:
    """What a trial found; None when it crashed or printed something else."""
    if trial.returncode != 0:
        return None
    try:
        return msgspec.json.decode(trial.output, type=_Result)
    except msgspec.MsgspecError:
        return None


def _judge(variant: str, trial: Trial, expected: _Result | None) -> Verdict:
    if trial.returncode is None:
        return Verdict(variant, "too slow", detail=f"no result within {TRIAL_TIMEOUT_S:.0f} s")
    result = _parse(trial)
    if result is None:
        return Verdict(variant, "crashed", detail=_ending(trial))
    if result.score == 0:
        return Verdict(variant, "unsupported", detail="this CPU lacks an instruction set")
    agreement = _cosine(result.logits, expected.logits) if expected else None
    return Verdict(
        variant,
        "disagrees" if agreement is not None and agreement < MIN_AGREEMENT else "works",
        result.score,
        result.prefill_tokens_per_s,
        result.decode_tokens_per_s,
        agreement,
    )


def _ending(trial: Trial) -> str:
    code = trial.returncode or 0
    if code < 0:
        known = {number.value: number.name for number in signal.Signals}
        return known.get(-code, f"signal {-code}")
    lines = trial.output.strip().splitlines()
    return lines[-1] if lines and code else f"exit code {code} without a result"


def _cosine(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Cosine similarity; 0 when either is no finite direction."""
    norm = math.hypot(*ours) * math.hypot(*theirs)
    return sum(map(mul, ours, theirs)) / norm if math.isfinite(norm) and norm else 0.0
