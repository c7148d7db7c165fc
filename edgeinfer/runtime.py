"""The composition root: turns this machine, its disk and a choice of model into a service."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from edgeinfer.accounting import EnergyBook
from edgeinfer.catalog import Catalog, Use
from edgeinfer.cost.hosted import default_like_for_like
from edgeinfer.cost.model import CostModel
from edgeinfer.cost.prices import DEFAULT_FRONTIER, load_prices
from edgeinfer.cost.tariffs import Tariff, load_tariffs
from edgeinfer.device.bandwidth import measure_bandwidth, working_set
from edgeinfer.device.host import Host, LocalHost
from edgeinfer.device.probe import profile_device
from edgeinfer.device.profile import DeviceProfile
from edgeinfer.energy.meter import EnergyMeter, open_meter
from edgeinfer.energy.modelled import (
    PROCESS_CLOCK_RESOLUTION_S,
    PowerModel,
    processes_busy_s,
)
from edgeinfer.engine import native
from edgeinfer.errors import CapacityError, UnknownModelError
from edgeinfer.fit import Candidate, FitEntry, FitPlan, Resources, Serving, plan_fit
from edgeinfer.paths import Paths, default_paths
from edgeinfer.service import Identity, Service, Surroundings, Watch
from edgeinfer.store.store import ModelStore, StoredModel
from edgeinfer.worker.policy import WatchPolicy
from edgeinfer.worker.protocol import Start
from edgeinfer.worker.supervisor import Supervisor

DEFAULT_CONTEXT_TOKENS = 8192
SERVE_SLOTS = 4
ALL_GPU_LAYERS = 999
ONE_THREAD_PARAMETERS = 20_000_000


@dataclass(frozen=True, slots=True)
class Money:
    """What electricity costs here: a country, and the user's own price of a kWh in US dollars."""

    country: str | None = None
    tariff_usd_per_kwh: str | None = None


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How to run a model; None leaves the choice to the fit plan and the machine."""

    context_tokens: int | None = None
    slots: int = 1
    money: Money = field(default_factory=Money)
    endpoint: str | None = None
    policy: WatchPolicy | None = None


class Runtime:
    """Knows every layer, so that no other module has to."""

    def __init__(self, paths: Paths, host: Host) -> None:
        self.paths = paths
        self.host = host

    @classmethod
    def default(cls, environ: Mapping[str, str] = os.environ) -> "Runtime":
        """This machine, with the folders that the environment names."""
        return cls(default_paths(environ), LocalHost())

    @cached_property
    def catalog(self) -> Catalog:
        """The models that edgeinfer knows by name."""
        return Catalog.load()

    @cached_property
    def store(self) -> ModelStore:
        """The models on this disk."""
        return ModelStore.open(self.paths, self.catalog)

    def profile(self, *, bandwidth: bool = False) -> DeviceProfile:
        """What this machine is; measuring its memory bandwidth takes a third of a second more."""
        found = profile_device(self.host, disk_path=str(self._existing(self.paths.home)))
        if not bandwidth:
            return found
        cores = count_threads(found)
        size = working_set(found.cpu, found.memory, cores=cores)
        speed = measure_bandwidth(cores=cores, working_set_bytes=size)
        memory = replace(found.memory, bandwidth_bytes_per_s=speed, bandwidth_basis="probe")
        return replace(found, memory=memory)

    def plan(
        self,
        profile: DeviceProfile,
        *,
        use: Use = "chat",
        context_tokens: int | None = None,
        slots: int = 1,
    ) -> FitPlan:
        """Every model of the catalogue and of this disk, ranked for this machine."""
        return plan_fit(
            [*self._stored_candidates(), *self._catalogue_candidates()],
            Resources.from_profile(profile),
            context_tokens=context_tokens or DEFAULT_CONTEXT_TOKENS,
            use=use,
            serving=Serving(slots=slots),
        )

    def choose_model(self, name: str | None = None) -> StoredModel:
        """The named model, or the best of those on this disk.

        Where none of several fits it is the smallest, so that loading it tells what is missing.
        Raises UnknownModelError or ModelFileError.
        """
        if name is not None:
            return self.store.resolve(name)
        models = self.store.scan().models
        if not models:
            raise UnknownModelError(
                "There is no model on this disk, not even the one that comes with edgeinfer.",
                hint="Install edgeinfer again; `edgeinfer models` lists what it finds.",
            )
        if len(models) == 1:
            return models[0]
        best = self.plan(self.profile()).best_on_disk
        best_id = best.candidate.stored_id if best else None
        return next((model for model in models if model.id == best_id), models[-1])

    def native_choice(self, profile: DeviceProfile) -> native.NativeChoice:
        """The CPU variant for this machine, found by the canary on the first call."""
        return native.native_choice(self.variant_store(profile))

    def variant_store(self, profile: DeviceProfile) -> native.VariantStore:
        """Where the canary's verdicts of this machine are kept."""
        cpu = profile.cpu
        key = " ".join((cpu.name, cpu.architecture, *sorted(cpu.features)))
        return native.VariantStore(self.paths.state / "native.json", key, native.library_folder())

    def open_service(self, model: StoredModel, options: LaunchOptions | None = None) -> Service:
        """Load a model in a worker of its own and wait until it can answer.

        Raises InsufficientMemoryError before anything is loaded that would not fit, and the load's
        own errors.
        """
        options = options or LaunchOptions()
        profile = self.profile()
        entry = self._fit(model, profile, options)
        known = self.catalog.get(model.catalog_id) if model.catalog_id else None
        cost_model = self.cost_model(
            options.money, model.header.parameters, known.hosted_price if known else None
        )
        start = self._start(model, entry, profile, options)
        service = Service(
            start,
            self._identify(model),
            open_energy=lambda supervisor: EnergyBook(_open_meter(profile, supervisor)),
            cost_model=cost_model,
            surroundings=Surroundings(time.monotonic, profile.label, options.endpoint),
            watch=Watch(options.policy),
        )
        try:
            service.wait_ready()
        except BaseException:
            service.close()
            raise
        return service

    def cost_model(
        self, money: Money, parameters: int, hosted_price: str | None = None
    ) -> CostModel:
        """Tariff and cloud prices to compare a model by.

        Like for like is the price that the catalogue names, or else the hosted model nearest in
        size. Raises UsageError for an unknown country.
        """
        prices = load_prices()
        return CostModel(
            tariff=self.tariff(money),
            like_for_like=prices.find(hosted_price or default_like_for_like(parameters)),
            frontier=prices.find(DEFAULT_FRONTIER),
            parameters=parameters,
        )

    def tariff(self, money: Money) -> Tariff:
        """The tariff of a country, or the world average; raises UsageError for unknown ones."""
        table = load_tariffs()
        tariff = table.find(money.country) if money.country else table.default
        if money.tariff_usd_per_kwh is None:
            return tariff
        return tariff.with_price(money.tariff_usd_per_kwh)

    def _stored_candidates(self) -> list[Candidate]:
        return [self.candidate(model) for model in self.store.scan().models]

    def _catalogue_candidates(self) -> list[Candidate]:
        stored = {(model.catalog_id, model.quantization) for model in self.store.scan().models}
        return [
            Candidate.from_manifest(manifest, file)
            for manifest in self.catalog.models
            for file in manifest.files
            if (manifest.id, file.quantization) not in stored
        ]

    def candidate(self, model: StoredModel) -> Candidate:
        """A stored file by the numbers of its own header, rated by the catalogue if it knows it."""
        header = model.header
        manifest = self.catalog.get(model.catalog_id) if model.catalog_id else None
        return Candidate(
            model_id=model.catalog_id or model.id,
            name=model.name,
            quantization=model.quantization,
            architecture=header.architecture,
            weights_bytes=header.weights_bytes,
            read_bytes=header.read_bytes,
            parameters_total=header.parameters,
            parameters_active=header.parameters_active,
            tiers={use: quality.tier for use, quality in manifest.quality.items()}
            if manifest
            else {},
            scope=manifest.scope if manifest else "general",
            stored_id=model.id,
        )

    def _fit(self, model: StoredModel, profile: DeviceProfile, options: LaunchOptions) -> FitEntry:
        plan = plan_fit(
            [self.candidate(model)],
            Resources.from_profile(profile),
            context_tokens=options.context_tokens or DEFAULT_CONTEXT_TOKENS,
            serving=Serving(slots=options.slots),
        )
        entry = plan.require(model.id)
        if entry.context_tokens < (options.context_tokens or 0):
            raise _refuse_context(entry, model)
        return entry

    def _start(
        self, model: StoredModel, entry: FitEntry, profile: DeviceProfile, options: LaunchOptions
    ) -> Start:
        choice = self.native_choice(profile)
        return Start(
            model_path=str(model.path),
            cpu_library=str(choice.cpu_library),
            variant=choice.variant,
            accelerators=tuple(str(path) for path in choice.accelerators),
            gpu_layers=ALL_GPU_LAYERS if choice.accelerators else 0,
            slots=options.slots,
            context_tokens=entry.context_tokens,
            kv_type=entry.kv_type,
            threads=count_threads(profile, model.header.parameters),
        )

    def _identify(self, model: StoredModel) -> Identity:
        manifest = self.catalog.get(model.catalog_id) if model.catalog_id else None
        return Identity(
            model_id=model.id,
            name=model.name,
            description=manifest.summary if manifest else "",
            quantization=model.quantization,
            created_s=int(model.path.stat().st_mtime),
        )

    @staticmethod
    def _existing(path: Path) -> Path:
        return next(parent for parent in (path, *path.parents) if parent.exists())


def count_threads(profile: DeviceProfile, parameters: int | None = None) -> int:
    """One thread a physical core that this process may use: more only wait for the same memory.

    A model so small that a step takes less time than waking a second thread gets one.
    """
    cpu = profile.cpu
    if parameters is not None and parameters < ONE_THREAD_PARAMETERS:
        return 1
    return max(1, min(cpu.physical_cores or cpu.logical_cores, int(cpu.usable_cores)))


def _refuse_context(entry: FitEntry, model: StoredModel) -> CapacityError:
    """What was asked for by name is not silently made smaller."""
    trained = model.header.architecture.n_ctx_train
    limit = f"{entry.context_tokens:,} tokens of context"
    sentence = (
        f"{model.name} was trained for {limit} and can have no more."
        if entry.context_tokens >= trained
        else f"In the memory that is free, {model.name} can have {limit}."
    )
    return CapacityError(sentence, hint=f"Use --context {entry.context_tokens}, or leave it out.")


def _open_meter(profile: DeviceProfile, supervisor: Supervisor) -> EnergyMeter:
    """The best energy meter here; a model, if it comes to that, counts our own processes' work."""
    cpu = profile.cpu
    return open_meter(
        power_model=PowerModel.for_cpu(logical=cpu.logical_cores, physical=cpu.physical_cores),
        clock=time.monotonic,
        busy_s=lambda: processes_busy_s((os.getpid(), supervisor.process_id)),
        resolution_s=PROCESS_CLOCK_RESOLUTION_S,
    )
