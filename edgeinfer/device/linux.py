"""Reads a Linux machine from /proc and /sys."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from edgeinfer.device import accelerators, cgroup, isa, sensors, supplies
from edgeinfer.device.host import Host
from edgeinfer.device.profile import Cpu, SystemFacts, Unknown
from edgeinfer.units import KIB, MIB

_IMPLEMENTERS: Final = {
    "0x41": "Arm",
    "0x4e": "NVIDIA",
    "0x51": "Qualcomm",
    "0x61": "Apple",
    "0xc0": "Ampere",
}
# Linux arch/arm64/include/asm/cputype.h, checked 2026-11.
_ARM_PARTS: Final[Mapping[str, str]] = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
    "0xd4d": "Cortex-A715",
    "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2",
    "0xd80": "Cortex-A520",
    "0xd81": "Cortex-A720",
    "0xd82": "Cortex-X4",
    "0xd84": "Neoverse-V3",
    "0xd85": "Cortex-X925",
    "0xd87": "Cortex-A725",
    "0xd8e": "Neoverse-N3",
}
_CONTAINER_FILES: Final = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman"}
_CONTAINER_GROUPS: Final = {"kubepods": "Kubernetes", "docker": "Docker", "lxc": "LXC"}
# What firmware calls the machine, in lower case (systemd src/basic/virt.c, checked 2026-11).
_HYPERVISORS: Final[Mapping[str, str]] = {
    "kvm": "KVM",
    "qemu": "QEMU",
    "vmware": "VMware",
    "virtualbox": "VirtualBox",
    "microsoft corporation virtual machine": "Hyper-V",
    "google compute engine": "Google Compute Engine",
    "amazon ec2": "Amazon EC2",
    "parallels": "Parallels",
    "xen": "Xen",
}


def read_system(host: Host) -> SystemFacts:
    """Everything that files tell; no command is run."""
    processors = _read_processors(host)
    limits = cgroup.read_limits(host)
    cpu = _describe_cpu(host, processors, limits.cpu_cores)
    machine = _name_machine(host, processors)
    found = accelerators.list_accelerators(host)
    energy = sensors.list_sensors(host)
    power = supplies.read_supplies(host)
    return SystemFacts(
        cpu=cpu,
        memory_limit=limits.memory,
        accelerators=found,
        power=power,
        energy_sensors=energy,
        os_name=_name_system(host),
        machine=machine,
        unknown=(
            *_explain_cpu(cpu),
            *accelerators.explain_accelerators(host, found),
            *sensors.explain_sensors(energy, machine),
            *supplies.explain_power(power),
        ),
    )


def _read_processors(host: Host) -> list[dict[str, str]]:
    """The paragraphs of /proc/cpuinfo; on some boards the last one describes the board."""
    paragraphs = (host.read_text("/proc/cpuinfo") or "").strip().split("\n\n")
    split = ([line.partition(":") for line in text.splitlines()] for text in paragraphs)
    return [{key.strip(): value.strip() for key, _, value in lines} for lines in split]


def _describe_cpu(host: Host, processors: list[dict[str, str]], quota: float | None) -> Cpu:
    first = processors[0]
    cores = host.cores()
    vendor, implementer = first.get("vendor_id", ""), first.get("CPU implementer", "")
    words = first.get("flags") or first.get("Features") or ""
    return Cpu(
        name=_name_cpu(host, processors),
        vendor=isa.X86_VENDORS.get(vendor, vendor) or _IMPLEMENTERS.get(implementer, ""),
        architecture=isa.architecture(host.architecture),
        physical_cores=cores.physical,
        logical_cores=cores.logical,
        usable_cores=float(min(cores.usable, quota or cores.usable)),
        features=isa.normalize(words.split(), isa.LINUX_NAMES),
        l3_cache_bytes=_read_l3(host),
    )


def _name_cpu(host: Host, processors: list[dict[str, str]]) -> str:
    """The model on x86; on ARM the board and its kinds of core, in the order of the kernel."""
    name = processors[0].get("model name", "")
    if name:
        return isa.shorten(name)
    parts = dict.fromkeys(_ARM_PARTS.get(it.get("CPU part", ""), "") for it in processors)
    cores = " + ".join(part for part in parts if part)
    board = (host.read_text("/proc/device-tree/model") or "").rstrip("\0\n")
    board = re.sub(r" (Model|Rev).*", "", board)
    return f"{board} ({cores})" if board and cores else board or cores or "unknown CPU"


def _read_l3(host: Host) -> int | None:
    folder = "/sys/devices/system/cpu/cpu0/cache"
    for index in host.list_dir(folder):
        if (host.read_text(f"{folder}/{index}/level") or "").strip() == "3":
            size = re.fullmatch(r"(\d+)([KM])\s*", host.read_text(f"{folder}/{index}/size") or "")
            return int(size[1]) * (KIB if size[2] == "K" else MIB) if size else None
    return None


def _name_system(host: Host) -> str:
    release = host.read_text("/etc/os-release") or host.read_text("/usr/lib/os-release") or ""
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', release, re.MULTILINE)
    kernel = (host.read_text("/proc/sys/kernel/osrelease") or "").strip()
    return f"{name[1] if name else host.system.capitalize()} (kernel {kernel or 'unknown'})"


def _name_machine(host: Host, processors: list[dict[str, str]]) -> str | None:
    """A container, then what it runs on: WSL or a virtual machine."""
    layers = (_name_container(host), _name_hypervisor(host, processors))
    return ", ".join(layer for layer in layers if layer) or None


def _name_container(host: Host) -> str | None:
    for path, name in _CONTAINER_FILES.items():
        if host.exists(path):
            return f"{name} container"
    groups = host.read_text("/proc/1/cgroup") or ""
    for word, name in _CONTAINER_GROUPS.items():
        if word in groups:
            return f"{name} container"
    manager = (host.read_text("/run/systemd/container") or "").strip()
    return f"{manager} container" if manager and manager != "wsl" else None


def _name_hypervisor(host: Host, processors: list[dict[str, str]]) -> str | None:
    if "microsoft" in (host.read_text("/proc/sys/kernel/osrelease") or "").lower():
        return "WSL virtual machine"
    files = ("/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name")
    firmware = " ".join((host.read_text(path) or "").strip() for path in files).lower()
    # A rented bare machine carries the name of its cloud, but no hypervisor.
    if ".metal" not in firmware:
        for word, name in _HYPERVISORS.items():
            if word in firmware:
                return f"{name} virtual machine"
    return "virtual machine" if "hypervisor" in processors[0].get("flags", "").split() else None


def _explain_cpu(cpu: Cpu) -> Iterator[Unknown]:
    if not cpu.features:
        yield Unknown("CPU features", "/proc/cpuinfo lists none that edgeinfer knows")
    if cpu.physical_cores is None:
        yield Unknown("physical cores", "the system hides which cores are hyper-threads")
