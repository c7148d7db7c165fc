"""What is this machine?  Everything is read through a Host, so that any machine can be replayed."""

from edgeinfer.device.bandwidth import measure_bandwidth, working_set
from edgeinfer.device.host import BatteryReading, CoreCount, Host, LocalHost, MemoryReading
from edgeinfer.device.probe import profile_device
from edgeinfer.device.profile import (
    Accelerator,
    Cpu,
    DeviceProfile,
    EnergySensor,
    Memory,
    Power,
    Unknown,
)

__all__ = [
    "Accelerator",
    "BatteryReading",
    "CoreCount",
    "Cpu",
    "DeviceProfile",
    "EnergySensor",
    "Host",
    "LocalHost",
    "Memory",
    "MemoryReading",
    "Power",
    "Unknown",
    "measure_bandwidth",
    "profile_device",
    "working_set",
]
