"""Reads a Mac by one call of sysctl."""

from collections.abc import Iterator, Mapping
from typing import Final

from edgeinfer.device import isa
from edgeinfer.device.host import Host
from edgeinfer.device.profile import Accelerator, Cpu, SystemFacts, Unknown
from edgeinfer.device.supplies import explain_power, read_battery

_KEYS: Final = (
    "kern.osproductversion",
    "kern.hv_vmm_present",
    "sysctl.proc_translated",
    "machdep.cpu.brand_string",
    "machdep.cpu.features",
    "machdep.cpu.leaf7_features",
    "hw.l3cachesize",
    *isa.MACOS_FLAGS,
)
# The absolute path keeps a program of that name elsewhere in PATH out; -i skips unknown names.
COMMAND: Final = ("/usr/sbin/sysctl", "-i", *_KEYS)


def read_system(host: Host) -> SystemFacts:
    """On Apple Silicon the GPU and the neural engine follow from the chip."""
    values = _read_values(host)
    cpu = _describe_cpu(host, values)
    machine = "virtual machine" if values.get("kern.hv_vmm_present") == "1" else None
    found = _list_accelerators(cpu, machine)
    power = read_battery(host)
    return SystemFacts(
        cpu=cpu,
        memory_limit=None,
        accelerators=found,
        power=power,
        energy_sensors=(),
        os_name=f"macOS {values.get('kern.osproductversion', '')}".strip(),
        machine=machine,
        unknown=(*_explain(cpu, found, values), *explain_power(power)),
    )


def _read_values(host: Host) -> dict[str, str]:
    lines = (host.run(*COMMAND) or "").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key: value.strip() for key, _, value in pairs}


def _describe_cpu(host: Host, values: Mapping[str, str]) -> Cpu:
    name = isa.shorten(values.get("machdep.cpu.brand_string", "")) or "unknown CPU"
    cores = host.cores()
    cache = values.get("hw.l3cachesize", "")
    return Cpu(
        name=name,
        vendor=name.partition(" ")[0] if name.startswith(("Apple", "Intel")) else "",
        architecture=isa.architecture(host.architecture),
        physical_cores=cores.physical,
        logical_cores=cores.logical,
        usable_cores=float(cores.usable),
        features=_read_features(values),
        l3_cache_bytes=int(cache) if cache.isdecimal() and cache != "0" else None,
    )


def _read_features(values: Mapping[str, str]) -> frozenset[str]:
    flags = isa.normalize((key for key, it in values.items() if it == "1"), isa.MACOS_FLAGS)
    lists = (values.get(f"machdep.cpu.{name}", "") for name in ("features", "leaf7_features"))
    return flags | isa.normalize(" ".join(lists).split(), isa.MACOS_NAMES)


def _list_accelerators(cpu: Cpu, machine: str | None) -> tuple[Accelerator, ...]:
    if cpu.vendor != "Apple" or machine:
        return ()
    gpu = Accelerator("gpu", "Apple", f"{cpu.name} GPU", "Metal", None, shared_memory=True)
    npu = Accelerator("npu", "Apple", "Apple Neural Engine", "Core ML", None, shared_memory=True)
    return gpu, npu


def _explain(
    cpu: Cpu, found: tuple[Accelerator, ...], values: Mapping[str, str]
) -> Iterator[Unknown]:
    yield Unknown("energy", "macOS has no documented energy counter; it has to be modelled")
    if not values:
        yield Unknown("CPU", f"{COMMAND[0]} did not answer")
    elif not cpu.features:
        yield Unknown("CPU features", "sysctl lists none that edgeinfer knows")
    if not found:
        yield Unknown("GPU", "it does not follow from the chip, and asking for it takes seconds")
    if values.get("sysctl.proc_translated") == "1":
        yield Unknown(
            "native CPU features",
            "this Python is an Intel program that Rosetta translates",
            "install a Python for Apple Silicon",
        )
