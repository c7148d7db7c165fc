"""`edgeinfer profile`: what this machine is."""

import click

from edgeinfer.cli.options import json_option
from edgeinfer.cli.output import Row, emit_json, print_pairs
from edgeinfer.device.profile import DeviceProfile
from edgeinfer.runtime import Runtime
from edgeinfer.units import format_bytes


@click.command()
@json_option(
    "cpu, memory, accelerators, power, energy_sensors, disk_free_bytes, os_name, machine, unknown"
)
def profile(*, as_json: bool) -> None:
    """Show what this machine is, and what could not be read."""
    found = Runtime.default().profile(bandwidth=True)
    if as_json:
        emit_json(found)
    else:
        print_profile(found)


def print_profile(profile: DeviceProfile) -> None:
    """The profile as a table, then what could not be read."""
    print_pairs([*_rows(profile), *_unknown_rows(profile)])


def _rows(profile: DeviceProfile) -> list[Row]:
    cpu, memory = profile.cpu, profile.memory
    rows = [
        Row("System", " in ".join(part for part in (profile.os_name, profile.machine) if part)),
        Row("CPU", f"{cpu.name}, {cpu.cores_label}, {cpu.isa_label or cpu.architecture}"),
        Row(
            "Memory",
            f"{format_bytes(memory.budget_bytes)} free of {format_bytes(memory.capacity_bytes)}",
        ),
        Row("Bandwidth", _bandwidth(profile)),
        Row("Power", _power(profile)),
        Row("Disk", f"{format_bytes(profile.disk_free_bytes)} free"),
    ]
    rows += [
        Row(unit.kind.upper(), f"{unit.vendor} {unit.name}, {format_bytes(unit.memory_bytes)}")
        for unit in profile.accelerators
    ]
    rows += [
        Row(
            "Sensor",
            sensor.name if sensor.readable else f"{sensor.name}, not readable: {sensor.remedy}",
        )
        for sensor in profile.energy_sensors
    ]
    return rows


def _unknown_rows(profile: DeviceProfile) -> list[Row]:
    return [
        Row(
            "Not known",
            f"{unknown.what}: {unknown.why}{f'. {unknown.remedy}' if unknown.remedy else ''}",
        )
        for unknown in profile.unknown
    ]


def _bandwidth(profile: DeviceProfile) -> str:
    speed = profile.memory.bandwidth_bytes_per_s
    if speed is None:
        return profile.memory.bandwidth_basis
    basis = profile.memory.bandwidth_basis
    return f"{speed / 1e9:.1f} GB/s read, {'measured now' if basis == 'probe' else basis}"


def _power(profile: DeviceProfile) -> str:
    ratio = profile.power.battery_ratio
    return profile.power.source if ratio is None else f"{profile.power.source}, battery {ratio:.0%}"
