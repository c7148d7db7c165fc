"""Where the current comes from: power supplies of Linux, batteries of macOS and Windows."""

from typing import Final

from edgeinfer.device.host import Host
from edgeinfer.device.profile import Power, Unknown

SUPPLIES: Final = "/sys/class/power_supply"


def read_supplies(host: Host) -> Power:
    """From the supplies that feed the machine; those of mice and headsets are left out."""
    everything = [f"{SUPPLIES}/{name}" for name in host.list_dir(SUPPLIES)]
    peripherals = _select(host, everything, "scope", "Device")
    folders = [folder for folder in everything if folder not in peripherals]
    batteries = _select(host, folders, "type", "Battery")
    ratio = _read_charge(host, batteries)
    if _select(host, batteries, "status", "Discharging"):
        return Power("battery", ratio)
    if batteries or _select(host, folders, "online", "1"):
        return Power("mains", ratio)
    return Power("unknown", ratio)


def _select(host: Host, folders: list[str], name: str, value: str) -> list[str]:
    return [folder for folder in folders if read_supply(host, folder, name) == value]


def explain_power(power: Power) -> tuple[Unknown, ...]:
    """Why the source is not known, if it is not."""
    if power.source != "unknown":
        return ()
    return (Unknown("power source", "the system lists no power supply"),)


def _read_charge(host: Host, batteries: list[str]) -> float | None:
    """Two batteries count by their size where they tell it."""
    weighed = []
    for folder in batteries:
        percent = read_supply(host, folder, "capacity")
        size = read_supply(host, folder, "energy_full") or read_supply(host, folder, "charge_full")
        if percent.isdecimal():
            weighed.append((int(percent) / 100, int(size) if size.isdecimal() else 1))
    weight = sum(size for _, size in weighed)
    return sum(ratio * size for ratio, size in weighed) / weight if weight else None


def read_battery(host: Host) -> Power:
    """From the operating system's own sum; a machine without a battery tells no source."""
    battery = host.battery()
    if battery is None:
        return Power("unknown")
    if battery.plugged is None:
        return Power("unknown", battery.ratio)
    return Power("mains" if battery.plugged else "battery", battery.ratio)


def read_supply(host: Host, folder: str, name: str) -> str:
    """One attribute of one supply, empty when absent."""
    return (host.read_text(f"{folder}/{name}") or "").strip()
