"""The command `edgeinfer`: every way in which it can end becomes one sentence and an exit code."""

import contextlib
import errno
import importlib
import io
import os
import signal
import sys
from traceback import extract_tb
from types import FrameType
from typing import NoReturn

from edgeinfer.errors import EdgeinferError, StorageError

EXIT_FAULT = 1
EXIT_INTERRUPTED = 130
EXIT_CLOSED_OUTPUT = 141
TRACEBACK_VARIABLE = "EDGEINFER_TRACEBACK"

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_INTERRUPTED = "edgeinfer: Interrupted.\n"


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    _handle_signals()
    _prepare_streams()
    code = _run()
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    _settle_output()
    sys.exit(code)


def _run() -> int:
    try:
        # By name and in here, so that Ctrl-C during the imports is caught as well.
        commands = importlib.import_module("edgeinfer.cli.commands")
        code: int = commands.run_cli(sys.argv[1:])
        sys.stdout.flush()
    except EdgeinferError as error:
        return _fail(str(error), error.hint, error.exit_code)
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return EXIT_CLOSED_OUTPUT
    except OSError as error:
        return _fail(
            _explain(error),
            "Check the free space and the permission there.",
            StorageError.exit_code,
        )
    except Exception as error:
        if TRACEBACK_VARIABLE in os.environ:
            raise
        hint = f"Report it, with what {TRACEBACK_VARIABLE}=1 adds to it."
        return _fail(_confess(error), hint, EXIT_FAULT)
    return code


def _handle_signals() -> None:
    """One that the caller chose to ignore, as nohup does, stays ignored."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _catch_lost_interrupt


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """The first signal unwinds, so that the worker is ended; the second does not wait for that."""
    for number in _SIGNALS:
        signal.signal(number, _leave_now)
    raise KeyboardInterrupt


def _leave_now(_number: int, _frame: FrameType | None) -> NoReturn:
    # A worker notices that its socket is closed and ends by itself.
    with contextlib.suppress(OSError):
        os.write(2, _INTERRUPTED.encode())
    os._exit(EXIT_INTERRUPTED)


def _catch_lost_interrupt(lost: "sys.UnraisableHookArgs") -> None:
    """An interrupt that struck inside a finalizer, where Python drops exceptions, still counts."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _leave_now(signal.SIGINT, None)
    sys.__unraisablehook__(lost)


def _prepare_streams() -> None:
    """Fill closed standard streams, as a socket would take their numbers; let all text pass."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - its signature
    sys.stdin = sys.stdin or _open_null("r")
    sys.stdout = sys.stdout or _open_null("w")
    sys.stderr = sys.stderr or _open_null("w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _open_null(mode: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(os.devnull, mode), encoding="utf-8")


def _settle_output() -> None:
    """Leave nothing that the interpreter's last flush could complain of."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(sentence: str, hint: str | None, code: int) -> int:
    text = f"edgeinfer: {sentence}\n" + (f"  {hint}\n" if hint else "")
    with contextlib.suppress(OSError):  # nobody may be left to read it
        sys.stderr.write(text)
        sys.stderr.flush()
    return code


def _interrupted() -> int:
    with contextlib.suppress(OSError):
        sys.stderr.write(_INTERRUPTED)
        sys.stderr.flush()
    return EXIT_INTERRUPTED


def _explain(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"Cannot use {os.fsdecode(error.filename)}: {reason}."
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}:
        return f"Cannot write the output: {reason}."
    return f"The system refused a read or a write: {reason}."


def _confess(error: Exception) -> str:
    """A fault of ours in one line, with its place."""
    place = extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119 - only its last part
    return f"This is a fault of edgeinfer itself: {type(error).__name__}: {error} ({where})."
