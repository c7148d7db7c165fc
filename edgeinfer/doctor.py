"""Examines an installation: engine variants, sandbox, energy sensors, models and folders."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgeinfer.device.profile import DeviceProfile
from edgeinfer.energy.meter import explain_sensors
from edgeinfer.engine import native
from edgeinfer.errors import EdgeinferError, StorageError
from edgeinfer.paths import HOME_VARIABLE
from edgeinfer.runtime import LaunchOptions, Runtime
from edgeinfer.units import format_bytes

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; "note" works, but could be better."""

    what: str
    status: Status
    detail: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All findings; `chosen` is the variant in use, None when none works."""

    variants: tuple[native.Verdict, ...]
    chosen: str | None
    findings: tuple[Finding, ...]

    @property
    def works(self) -> bool:
        """Whether models can be run here."""
        return all(finding.status != "broken" for finding in self.findings)


def examine_installation(runtime: Runtime) -> Report:
    """Look at everything; takes some seconds, as every variant runs, and remembers the verdicts."""
    profile = runtime.profile()
    verdicts, engine = _examine_engine(runtime, profile)
    chosen = native.choose(verdicts).variant if engine.status == "ok" else None
    findings = [engine, _examine_folder(runtime.paths.home)]
    if chosen:
        findings.append(_examine_worker(runtime))
    findings += [*_examine_models(runtime), *_examine_sensors(), *_examine_profile(profile)]
    return Report(verdicts, chosen, tuple(findings))


def _examine_engine(
    runtime: Runtime, profile: DeviceProfile
) -> tuple[tuple[native.Verdict, ...], Finding]:
    verdicts: tuple[native.Verdict, ...] = ()
    try:
        store = runtime.variant_store(profile)
        verdicts = native.examine(native.cpu_libraries(store.folder))
        best = native.choose(verdicts)
        store.save(verdicts)
    except StorageError:
        return verdicts, Finding("engine", "ok", f"variant {best.variant} is used")
    except EdgeinferError as error:
        return verdicts, Finding("engine", "broken", str(error), error.hint)
    return verdicts, Finding("engine", "ok", f"variant {best.variant} is used")


def _examine_worker(runtime: Runtime) -> Finding:
    """Load the best model here in a real worker, and hear what its sandbox says."""
    try:
        model = runtime.choose_model()
        with runtime.open_service(model, LaunchOptions()) as service:
            sandbox = service.info.sandbox
    except EdgeinferError as error:
        return Finding("worker", "broken", str(error), error.hint)
    denied = "network denied" in sandbox
    return Finding("worker", "ok" if denied else "note", f"{model.id} loads; {sandbox}")


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself where it is not there yet."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _examine_folder(home: Path) -> Finding:
    if is_writable(home):
        return Finding("folder", "ok", str(home))
    return Finding(
        "folder",
        "note",
        f"{home} cannot be written: nothing is remembered, every start takes some seconds more.",
        f"Set {HOME_VARIABLE} to a folder that can be written.",
    )


def _examine_models(runtime: Runtime) -> list[Finding]:
    shelf = runtime.store.scan()
    findings = [
        Finding(
            "model", "ok", f"{model.id}, {model.quantization}, {format_bytes(model.size_bytes)}"
        )
        for model in shelf.models
    ]
    findings += [
        Finding("model", "note", f"{file.path}: {file.reason}", file.hint)
        for file in shelf.unusable
    ]
    return findings


def _examine_sensors() -> list[Finding]:
    return [
        Finding(
            "energy",
            "ok" if sensor.chosen else "note",
            f"{sensor.name}: {'used, ' if sensor.chosen else ''}{sensor.reason}",
            sensor.grant,
        )
        for sensor in explain_sensors()
    ]


def _examine_profile(profile: DeviceProfile) -> list[Finding]:
    """What the profile lacks; of energy the sensors' findings have told already."""
    return [
        Finding("profile", "note", f"{unknown.what} is not known: {unknown.why}", unknown.remedy)
        for unknown in profile.unknown
        if unknown.what != "energy"
    ]
