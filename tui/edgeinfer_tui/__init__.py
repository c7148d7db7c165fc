"""The terminal screen of edgeinfer."""

from edgeinfer_tui.app import build_app, run_screen
from edgeinfer_tui.source import Asker, SnapshotSource

__all__ = ["Asker", "SnapshotSource", "build_app", "run_screen"]
