#!/bin/sh
# Prints a Python of version 3.11 or newer: the one that .venv was made with, $PYTHON, or the newest known on the path.
fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    fits "$PYTHON" && { printf '%s\n' "$PYTHON"; exit 0; }
    echo "PYTHON=$PYTHON is not a Python of version 3.11 or newer." >&2
    exit 2
fi
made_with=$(sed -n 's/^executable = //p' .venv/pyvenv.cfg 2>/dev/null)
for candidate in "$made_with" python3.13 python3.12 python3.11 python3 python; do
    [ -n "$candidate" ] && fits "$candidate" && { printf '%s\n' "$candidate"; exit 0; }
done
cat >&2 <<'END'
edgeinfer needs Python 3.11 or newer, and none was found.
Install it, then run the same command again:
  Debian 12, Ubuntu 24.04  sudo apt-get install python3 python3-venv
  Fedora                   sudo dnf install python3
  macOS                    brew install python
  Windows                  winget install Python.Python.3.13
Or name one: make run PYTHON=/path/to/python3.11
END
exit 2
