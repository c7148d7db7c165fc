"""Sets up the project folder: environment, engine, libraries; called by the Makefile."""

import sys

# Whoever calls this by hand may have an older Python, which could not even read the imports below.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("edgeinfer needs Python 3.11 or newer.")

import argparse
import os
import signal
from pathlib import Path
from types import FrameType

from edgeinfer_build.errors import SetupError, StoppedError
from edgeinfer_build.flow import Setup
from edgeinfer_build.place import Place


def stop(number: int, _frame: FrameType | None) -> None:
    """Unwind through every `finally`, so that compilers end with us."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if name in signal.Signals.__members__:
            signal.signal(signal.Signals[name], signal.SIG_IGN)
    raise StoppedError(number)


def main() -> int:
    """Run the setup and say in one block what stopped it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also install what the tests need")
    parser.add_argument("--wheel", action="store_true", help="then put our wheel into dist/")
    parser.add_argument("--key", action="store_true", help="print the name of the engine build")
    options = parser.parse_args()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if name in signal.Signals.__members__:
            signal.signal(signal.Signals[name], stop)
    setup = Setup(Place(Path(__file__).resolve().parents[2]), os.environ, sys.stdout)
    try:
        if options.key:
            sys.stdout.write(f"{setup.find_key().name}\n")
        else:
            setup.ensure(dev=options.dev)
            if options.wheel:
                setup.make_wheel()
    except SetupError as error:
        sys.stderr.write(f"{error}\n" + (f"{error.hint}\n" if error.hint else ""))
        return error.exit_code
    except StoppedError as stopped:
        sys.stderr.write("\nStopped; the next call sets up what is missing.\n")
        return stopped.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
