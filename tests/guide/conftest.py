"""Makes the modules of models/guide importable; only those that need nothing but Python."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "guide"))
