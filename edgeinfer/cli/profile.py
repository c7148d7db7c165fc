"""`edgeinfer profile`: what this machine is."""

import click

from edgeinfer.cli.output import emit_json, print_pairs
from edgeinfer.device.profile import DeviceProfile
from edgeinfer.runtime import Runtime
from edgeinfer.units import format_bytes


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def profile(as_json: bool) -> None:  # noqa: FBT001 - click passes by name
    """Show what this machine is, and what could not be read."""
    found = Runtime.default().profile()
    if as_json:
        emit_json(found)
        return
    print_profile(found)


def print_profile(profile: DeviceProfile) -> None:
    """The profile as a table, then what could not be read."""
    print_pairs(_rows(profile))
    for unknown in profile.unknown:
        click.echo(f"  not known: {unknown.what} ({unknown.why})")
        if unknown.remedy:
            click.echo(f"    {unknown.remedy}")


def _rows(profile: DeviceProfile) -> list[tuple[str, str]]:
    cpu, memory = profile.cpu, profile.memory
    rows = [
        ("System", " in ".join(part for part in (profile.os_name, profile.machine) if part)),
        ("CPU", f"{cpu.name}, {cpu.cores_label}, {cpu.isa_label or cpu.architecture}"),
        (
            "Memory",
            f"{format_bytes(memory.budget_bytes)} free of {format_bytes(memory.capacity_bytes)}",
        ),
        ("Bandwidth", _bandwidth(profile)),
        ("Power", _power(profile)),
        ("Disk", f"{format_bytes(profile.disk_free_bytes)} free"),
    ]
    rows += [
        (unit.kind.upper(), f"{unit.vendor} {unit.name}, {format_bytes(unit.memory_bytes)}")
        for unit in profile.accelerators
    ]
    rows += [
        (
            "Sensor",
            sensor.name if sensor.readable else f"{sensor.name}, not readable: {sensor.remedy}",
        )
        for sensor in profile.energy_sensors
    ]
    return rows


def _bandwidth(profile: DeviceProfile) -> str:
    speed = profile.memory.bandwidth_bytes_per_s
    if speed is None:
        return profile.memory.bandwidth_basis
    return f"{speed / 1e9:.1f} GB/s read ({profile.memory.bandwidth_basis})"


def _power(profile: DeviceProfile) -> str:
    ratio = profile.power.battery_ratio
    return profile.power.source if ratio is None else f"{profile.power.source}, battery {ratio:.0%}"
