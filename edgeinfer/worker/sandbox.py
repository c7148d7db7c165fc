"""What the worker may not do: no network, no core dump, first to go when memory runs out.

Linux: a seccomp filter refuses socket() for every family but AF_UNIX with EPERM, for all threads
and for good. macOS has the same idea as `sandbox-exec` with `(deny network*)`, Windows as an
AppContainer without network capability; neither is set up by this module, and the label that it
returns says so.
"""

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

if sys.platform != "win32":
    import resource

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_DUMPABLE = 4
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1
_AF_UNIX = 1
_EPERM = 1

# (audit architecture, number of seccomp(2), of socket(2)): include/uapi/linux/audit.h, unistd.h.
_ARCHITECTURES = {
    "x86_64": (0xC000003E, 317, 41),
    "aarch64": (0xC00000B7, 277, 198),
    "riscv64": (0xC00000F3, 277, 198),
}
# io_uring can open sockets without socket(2); its set-up call has this number everywhere.
_IO_URING_SETUP = 425
# x32 system calls carry this bit and would pass a filter that compares plain numbers.
_X32_BIT = 0x40000000

_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | _EPERM, 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_FIRST_ARGUMENT = 0, 4, 16

OOM_SCORE_ADJUSTMENT = 500


def enter_sandbox() -> str:
    """Give up what the worker does not need; returns what holds, as a label."""
    parts = [_limit_core_dumps(), _raise_oom_score(), _deny_network()]
    return ", ".join(part for part in parts if part)


def _limit_core_dumps() -> str:
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return "no core dumps"
    return ""


def _raise_oom_score() -> str:
    try:
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJUSTMENT))
    except OSError:
        return ""
    return f"oom_score_adj {OOM_SCORE_ADJUSTMENT}"


def _deny_network() -> str:
    known = _ARCHITECTURES.get(platform.machine()) if sys.platform == "linux" else None
    if known is None:
        return f"network not denied by the kernel ({sys.platform} {platform.machine()})"
    audit_architecture, seccomp_number, socket_number = known
    program = _filter_program(audit_architecture, socket_number)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return f"network not denied by the kernel ({os.strerror(ctypes.get_errno())})"
    instructions = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    status = libc.syscall(
        seccomp_number,
        _SECCOMP_SET_MODE_FILTER,
        _SECCOMP_FILTER_FLAG_TSYNC,
        ctypes.c_char_p(header),
    )
    if status != 0:
        return f"network not denied by the kernel ({os.strerror(ctypes.get_errno())})"
    return "network denied by seccomp"


def _filter_program(audit_architecture: int, socket_number: int) -> bytes:
    """Classic BPF: foreign architectures die, x32 calls and network sockets are refused."""
    instructions = (
        (_LOAD, 0, 0, _OFFSET_ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, audit_architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
        (_JUMP_GREATER_EQUAL, 5, 0, _X32_BIT),
        (_JUMP_EQUAL, 4, 0, _IO_URING_SETUP),
        (_JUMP_EQUAL, 0, 2, socket_number),
        (_LOAD, 0, 0, _OFFSET_FIRST_ARGUMENT),
        (_JUMP_EQUAL, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    )
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
