"""Energy sensors as Linux lists them in sysfs, and who may read them."""

import re
from collections.abc import Iterator
from typing import Final

from edgeinfer.device.host import Host
from edgeinfer.device.profile import EnergySensor, Unknown
from edgeinfer.device.supplies import SUPPLIES, read_supply

POWERCAP: Final = "/sys/class/powercap"
HWMON: Final = "/sys/class/hwmon"
# Root-only since Linux 5.10 (CVE-2020-8694, "PLATYPUS": a reader can infer secrets of other
# processes from energy), so that the right is for the owner of the machine to give, never for us.
GRANT_RAPL: Final = f"sudo chmod a+r {POWERCAP}/*/energy_uj"
_GRANT_PMIC: Final = "sudo usermod -aG video $USER   # then log in again"
_INSTALL_PMIC: Final = "sudo apt install raspi-utils"
# The only boards whose power chip measures current (Raspberry Pi documentation, vcgencmd, 2026-11).
_PMIC_BOARDS: Final = re.compile(r"Raspberry Pi (5|500|Compute Module 5)\b")
# Zones that cover something whole; core and uncore are parts of their package.
_RAPL_ZONES: Final = re.compile(r"(package-.*|psys|dram)")
_GAUGES: Final = ("energy1_input", "power1_input", "power1_average", "curr1_input")


def list_sensors(host: Host) -> tuple[EnergySensor, ...]:
    """All that tells joules, watts or amperes; several of them may cover the same silicon."""
    return (*_list_rapl(host), *_list_batteries(host), *_list_hwmon(host), *_list_pmic(host))


def explain_sensors(found: tuple[EnergySensor, ...], machine: str | None) -> tuple[Unknown, ...]:
    """Why there is nothing to read, if there is nothing."""
    if found:
        return ()
    place = f" ({machine})" if machine else ""
    return (Unknown("energy", f"no sensor is visible here{place}, so that it has to be modelled"),)


def _list_rapl(host: Host) -> Iterator[EnergySensor]:
    """One sensor a zone: the "mmio" zones come first and mirror the registers of the others."""
    seen: set[tuple[str, str]] = set()
    for zone in host.list_dir(POWERCAP):
        folder = f"{POWERCAP}/{zone}"
        name, path = _read(host, folder, "name"), f"{folder}/energy_uj"
        domain = (zone.partition(":")[2], name)
        if _RAPL_ZONES.fullmatch(name) and domain not in seen and host.exists(path):
            seen.add(domain)
            readable = host.readable(path)
            yield EnergySensor(f"RAPL {name}", path, readable, None if readable else GRANT_RAPL)


def _list_batteries(host: Host) -> Iterator[EnergySensor]:
    for name in host.list_dir(SUPPLIES):
        for gauge in ("power_now", "current_now"):
            path = f"{SUPPLIES}/{name}/{gauge}"
            if read_supply(host, f"{SUPPLIES}/{name}", "type") == "Battery" and host.exists(path):
                yield _describe(host, f"battery {name}", path)
                break


def _list_hwmon(host: Host) -> Iterator[EnergySensor]:
    supplies = host.list_dir(SUPPLIES)
    for entry in host.list_dir(HWMON):
        folder = f"{HWMON}/{entry}"
        name = _read(host, folder, "name")
        gauges = (f"{folder}/{gauge}" for gauge in _GAUGES)
        path = next((gauge for gauge in gauges if host.exists(gauge)), None)
        # A battery appears here a second time, under its own name.
        if path and name not in supplies:
            yield _describe(host, f"hwmon {name}", path)


def _list_pmic(host: Host) -> Iterator[EnergySensor]:
    board = host.read_text("/proc/device-tree/model") or ""
    if not _PMIC_BOARDS.match(board):
        return
    command, device = "/usr/bin/vcgencmd", "/dev/vcio"
    installed = host.exists(command)
    readable = installed and host.readable(device)
    remedy = _GRANT_PMIC if installed else _INSTALL_PMIC
    yield EnergySensor("Raspberry Pi power chip", device, readable, None if readable else remedy)


def _describe(host: Host, name: str, path: str) -> EnergySensor:
    readable = host.readable(path)
    return EnergySensor(name, path, readable, None if readable else f"sudo chmod a+r {path}")


def _read(host: Host, folder: str, name: str) -> str:
    return (host.read_text(f"{folder}/{name}") or "").strip()
