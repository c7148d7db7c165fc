"""GPUs and NPUs as Linux lists them in sysfs, without any vendor's library."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from edgeinfer.device.host import Host
from edgeinfer.device.profile import Accelerator, Unknown

_PCI: Final = "/sys/bus/pci/devices"
# PCI base class 03 is a display controller; 12 is a processing accelerator, which AMD Instinct
# boards are, and Intel NPUs too (PCI code and ID assignment 1.16).
_DISPLAY, _PROCESSING = "0x03", "0x12"
_GPU_VENDORS: Final = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
# Drivers of GPUs that are part of a system-on-chip, not on PCI (Linux drivers/gpu/drm, 2026-11).
_SOC_GPUS: Final[Mapping[str, tuple[str, str]]] = {
    "v3d": ("Broadcom", "Broadcom VideoCore"),
    "panfrost": ("Arm", "Arm Mali"),
    "panthor": ("Arm", "Arm Mali"),
    "msm": ("Qualcomm", "Qualcomm Adreno"),
    "msm_dpu": ("Qualcomm", "Qualcomm Adreno"),
    "asahi": ("Apple", "Apple GPU"),
}
# Drivers under /sys/class/accel (Linux drivers/accel, 2026-11).
_NPUS: Final[Mapping[str, tuple[str, str]]] = {
    "intel_vpu": ("Intel", "Intel NPU"),
    "amdxdna": ("AMD", "AMD XDNA NPU"),
    "rocket": ("Rockchip", "Rockchip NPU"),
}
_JOIN_RENDER: Final = "sudo usermod -aG render $USER   # then log in again"


def list_accelerators(host: Host) -> tuple[Accelerator, ...]:
    """GPUs on PCI, GPUs on the chip, NPUs."""
    return (*_list_pci(host), *_list_soc(host), *_list_npus(host))


def explain_accelerators(host: Host, found: tuple[Accelerator, ...]) -> Iterator[Unknown]:
    """What the list leaves open, and devices that are there but closed to this user."""
    for device in found:
        yield from _explain_device(host, device)
    if found:
        yield from _explain_nodes(host, "/dev/dri")
        yield from _explain_nodes(host, "/dev/accel")
    elif host.exists("/dev/dxg"):
        yield Unknown("GPU", "WSL passes the GPU of Windows through /dev/dxg without naming it")


def _explain_device(host: Host, device: Accelerator) -> Iterator[Unknown]:
    if device.driver is None:
        yield Unknown(device.name, "no driver is loaded for it", "install its vendor's driver")
    elif device.vendor == "NVIDIA":
        yield Unknown(f"memory of {device.name}", "the NVIDIA driver does not list it in sysfs")
        if not host.exists("/dev/nvidiactl"):
            yield Unknown(
                device.name,
                "/dev/nvidiactl is missing",
                "in a container, start it with --gpus all; elsewhere, run nvidia-modprobe",
            )


def _explain_nodes(host: Host, folder: str) -> Iterator[Unknown]:
    for name in host.list_dir(folder):
        path = f"{folder}/{name}"
        if re.fullmatch(r"(renderD|accel)\d+", name) and not host.readable(path):
            yield Unknown(path, "this user may not open it", _JOIN_RENDER)


def _list_pci(host: Host) -> Iterator[Accelerator]:
    for slot in host.list_dir(_PCI):
        folder = f"{_PCI}/{slot}"
        kind = (host.read_text(f"{folder}/class") or "")[:4]
        if kind in (_DISPLAY, _PROCESSING):
            vendor = _GPU_VENDORS.get((host.read_text(f"{folder}/vendor") or "").strip())
            if vendor and (kind == _DISPLAY or vendor == "AMD"):
                yield _describe_pci(host, folder, vendor)


def _describe_pci(host: Host, folder: str, vendor: str) -> Accelerator:
    facts = _read_uevent(host, folder)
    name = _read_name(host, folder) or f"{vendor} GPU {facts.get('PCI_ID', '')}".strip()
    memory = (host.read_text(f"{folder}/mem_info_vram_total") or "").strip()
    return Accelerator(
        kind="gpu",
        vendor=vendor,
        name=name,
        driver=facts.get("DRIVER"),
        memory_bytes=int(memory) if memory.isdecimal() else None,
        shared_memory=_shares_memory(host, folder, vendor, name),
    )


def _read_name(host: Host, folder: str) -> str | None:
    """The marketing name; amdgpu tells it of server boards only."""
    slot = folder.rpartition("/")[2]
    for line in (host.read_text(f"/proc/driver/nvidia/gpus/{slot}/information") or "").splitlines():
        key, _, value = line.partition(":")
        if key == "Model":
            return value.strip()
    return (host.read_text(f"{folder}/product_name") or "").strip() or None


def _shares_memory(host: Host, folder: str, vendor: str, name: str) -> bool | None:
    if vendor == "Intel":
        # The integrated GPU has sat in slot 2 of the root bus on every Intel chip that has one.
        return folder.endswith("/0000:00:02.0")
    if vendor == "NVIDIA":
        # The GB10 chip is on PCI, but has one memory with its CPU.
        return "GB10" in name
    # The third byte is the format of the table: 1 on boards, 2 and 3 on APUs (checked 2026-11 in
    # Linux drivers/gpu/drm/amd/include/kgd_pp_interface.h).
    return {"\x01": False, "\x02": True, "\x03": True}.get(
        (host.read_text(f"{folder}/gpu_metrics") or "")[2:3]
    )


def _list_soc(host: Host) -> Iterator[Accelerator]:
    for card in host.list_dir("/sys/class/drm"):
        driver = _read_uevent(host, f"/sys/class/drm/{card}/device").get("DRIVER", "")
        if re.fullmatch(r"card\d+", card) and driver in _SOC_GPUS:
            vendor, name = _SOC_GPUS[driver]
            yield Accelerator("gpu", vendor, name, driver, None, shared_memory=True)


def _list_npus(host: Host) -> Iterator[Accelerator]:
    for name in host.list_dir("/sys/class/accel"):
        driver = _read_uevent(host, f"/sys/class/accel/{name}/device").get("DRIVER", "")
        if driver in _NPUS:
            vendor, title = _NPUS[driver]
            yield Accelerator("npu", vendor, title, driver, None, shared_memory=True)


def _read_uevent(host: Host, folder: str) -> dict[str, str]:
    lines = (host.read_text(f"{folder}/uevent") or "").splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}
