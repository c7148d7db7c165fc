"""Reads a Windows machine from its registry by reg.exe, which starts in milliseconds."""

import re
from collections.abc import Iterator
from typing import Final, Literal

from edgeinfer.device import isa
from edgeinfer.device.host import Host
from edgeinfer.device.profile import Accelerator, Cpu, SystemFacts, Unknown
from edgeinfer.device.supplies import explain_power, read_battery

# The absolute path keeps a reg.exe in the current folder out.
REG: Final = r"C:\Windows\System32\reg.exe"
CPU_KEY: Final = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\0"
SYSTEM_KEY: Final = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_CLASSES: Final = r"HKLM\SYSTEM\CurrentControlSet\Control\Class"
# Setup classes "Display" and "ComputeAccelerator" (Microsoft Learn, checked 2026-11).
GPU_KEY: Final = _CLASSES + r"\{4d36e968-e325-11ce-bfc1-08002be10318}"
NPU_KEY: Final = _CLASSES + r"\{f01a9d53-3ff6-48d2-9f97-c8a7004be10c}"
_MAX_DEVICES: Final = 4
_FIRST_BUILD_OF_11: Final = 22_000


def read_system(host: Host) -> SystemFacts:
    """What the registry tells; no administrator is needed."""
    processor = _read_key(host, CPU_KEY)
    cpu = _describe_cpu(host, processor)
    power = read_battery(host)
    return SystemFacts(
        cpu=cpu,
        memory_limit=None,
        accelerators=(*_list_class(host, GPU_KEY, "gpu"), *_list_class(host, NPU_KEY, "npu")),
        power=power,
        energy_sensors=(),
        os_name=_name_system(host),
        machine=None,
        unknown=(*_explain(processor), *explain_power(power)),
    )


def _read_key(host: Host, key: str) -> dict[str, str]:
    """The values of one key; lines are "    name    REG_TYPE    value"."""
    lines = (host.run(REG, "query", key) or "").splitlines()
    fields = (re.fullmatch(r" {4}(\S.*?) {4}REG_\w+ {4}(.*)", line) for line in lines)
    return {match[1]: match[2].strip() for match in fields if match}


def _describe_cpu(host: Host, processor: dict[str, str]) -> Cpu:
    vendor = processor.get("VendorIdentifier", "")
    cores = host.cores()
    return Cpu(
        name=isa.shorten(processor.get("ProcessorNameString", "")) or "unknown CPU",
        vendor=isa.X86_VENDORS.get(vendor, vendor),
        architecture=isa.architecture(host.architecture),
        physical_cores=cores.physical,
        logical_cores=cores.logical,
        usable_cores=float(cores.usable),
        features=frozenset(),
        l3_cache_bytes=None,
    )


def _list_class(host: Host, key: str, kind: Literal["gpu", "npu"]) -> Iterator[Accelerator]:
    for index in range(_MAX_DEVICES):
        values = _read_key(host, rf"{key}\{index:04}")
        if not values:
            return
        name = isa.shorten(values.get("DriverDesc", ""))
        # Adapters of Microsoft itself stand in for a missing driver, or for a remote screen.
        if name and not name.startswith("Microsoft"):
            yield _describe_device(kind, name, values)


def _describe_device(kind: Literal["gpu", "npu"], name: str, values: dict[str, str]) -> Accelerator:
    memory = values.get("HardwareInformation.qwMemorySize", "")
    vendor = values.get("ProviderName", "")
    return Accelerator(
        kind=kind,
        vendor={"Advanced Micro Devices, Inc.": "AMD", "Intel Corporation": "Intel"}.get(
            vendor, vendor
        ),
        name=name,
        driver=values.get("DriverVersion"),
        memory_bytes=int(memory, 16) if re.fullmatch(r"0x[0-9a-f]+", memory) else None,
        shared_memory=True if kind == "npu" else None,
    )


def _name_system(host: Host) -> str:
    """Windows 11 still calls itself 10 in the registry; only its build number tells."""
    values = _read_key(host, SYSTEM_KEY)
    name, build = values.get("ProductName", "Windows"), values.get("CurrentBuild", "")
    if build.isdecimal() and int(build) >= _FIRST_BUILD_OF_11:
        name = name.replace("Windows 10", "Windows 11")
    return f"{name} (build {build or 'unknown'})"


def _explain(processor: dict[str, str]) -> Iterator[Unknown]:
    if not processor:
        yield Unknown("CPU", f"{REG} did not answer")
    yield Unknown("CPU features", "the registry of Windows does not list them")
    yield Unknown("energy", "the energy meters of Windows are not read, so that it is modelled")
    yield Unknown("container or virtual machine", "Windows is not asked for it")
