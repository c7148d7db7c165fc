"""What goes into a plan: models, the machine, and how the engine will run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edgeinfer.catalog import Architecture, ModelFile, ModelManifest, Scope, Tier, Use
from edgeinfer.catalog.quantization import find_quantization
from edgeinfer.device import DeviceProfile
from edgeinfer.fit.memory import KvType
from edgeinfer.fit.throughput import Roofline
from edgeinfer.units import MIB

RESERVE_BYTES: Final = 512 * MIB
RESERVE_PERCENT: Final = 8
# Prefill operations per second and core of llama.cpp with Q4_K_M, 2026 public measurements: Ryzen
# 7840HS, Core Ultra 155H, Raspberry Pi 5 (the last from an unclear source).
PREFILL_FLOPS: Final = (("avx512_vnni", 1.4e11), ("avx2", 3.3e10), ("dotprod", 2.5e10))
# Kernels that keep a second form of Q6_K weights: measured on AMX, read in the sources for Arm.
REPACKING: Final = frozenset({"amx_int8", "dotprod", "i8mm"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One file of one model, whether it is on this disk or not.

    `stored_id` is its name in the model store, None when it has to be fetched. `read_bytes` are the
    weights read for one token. `tiers` is empty for a model that the catalogue does not know.
    """

    model_id: str
    name: str
    quantization: str
    architecture: Architecture
    weights_bytes: int
    read_bytes: int
    parameters_total: int
    parameters_active: int
    tiers: Mapping[Use, Tier] = field(default_factory=dict)
    scope: Scope = "general"
    stored_id: str | None = None

    @classmethod
    def from_manifest(cls, manifest: ModelManifest, file: ModelFile) -> "Candidate":
        """A file of the catalogue, by the catalogue's numbers."""
        architecture = manifest.architecture
        active = file.size_bytes * manifest.parameters_active // manifest.parameters_total
        # An embedding table of its own is only looked up.
        looked_up = 0 if architecture.tied_embeddings else _table_bytes(architecture, file)
        return cls(
            model_id=manifest.id,
            name=manifest.name,
            quantization=file.quantization,
            architecture=architecture,
            weights_bytes=file.size_bytes,
            read_bytes=max(active - looked_up, active // 2),
            parameters_total=manifest.parameters_total,
            parameters_active=manifest.parameters_active,
            tiers={use: quality.tier for use, quality in manifest.quality.items()},
            scope=manifest.scope,
        )

    @property
    def label(self) -> str:
        """Such as "Qwen3 8B Q4_K_M"."""
        return f"{self.name} {self.quantization}"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a machine has for a model now; the budget is before the reserve, None is not known."""

    budget_bytes: int
    total_bytes: int
    bandwidth_bytes_per_s: float | None = None
    bandwidth_basis: str = "not measured"
    cores: float = 1
    prefill_flops_per_core: float | None = None
    repacks: bool = False

    @classmethod
    def from_profile(cls, profile: DeviceProfile) -> "Resources":
        """The part of a device profile that decides what fits."""
        memory, cpu = profile.memory, profile.cpu
        rates = (rate for feature, rate in PREFILL_FLOPS if feature in cpu.features)
        return cls(
            budget_bytes=memory.budget_bytes,
            total_bytes=memory.capacity_bytes,
            bandwidth_bytes_per_s=memory.bandwidth_bytes_per_s,
            bandwidth_basis=memory.bandwidth_basis,
            cores=min(cpu.usable_cores, cpu.physical_cores or cpu.usable_cores),
            prefill_flops_per_core=next(rates, None),
            repacks=bool(REPACKING & cpu.features),
        )

    @property
    def reserve_bytes(self) -> int:
        """What is left to everything else on the machine."""
        return max(RESERVE_BYTES, self.total_bytes * RESERVE_PERCENT // 100)

    @property
    def usable_bytes(self) -> int:
        """The budget without the reserve."""
        return max(0, self.budget_bytes - self.reserve_bytes)

    @property
    def roofline(self) -> Roofline:
        """What bounds the speed."""
        rate = self.prefill_flops_per_core
        flops = None if rate is None else rate * self.cores
        return Roofline(self.bandwidth_bytes_per_s, self.bandwidth_basis, flops)


@dataclass(frozen=True, slots=True)
class Serving:
    """How the engine will run: parallel sequences, tokens a step, and KV types it may use.

    The first KV type is the one wanted; the last is taken where memory is short.
    """

    slots: int = 1
    step_tokens: int = 256
    kv_types: tuple[KvType, ...] = ("f16", "q8_0")


def _table_bytes(architecture: Architecture, file: ModelFile) -> int:
    kind = find_quantization(file.quantization)
    bits = kind.bits_per_weight if kind else 0
    return int(architecture.n_vocab * architecture.n_embd * bits / 8)
