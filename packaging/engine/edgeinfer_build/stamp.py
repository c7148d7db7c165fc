"""What an environment should hold, what it holds, and what follows from the difference."""

import enum
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edgeinfer_build.errors import SetupError
from edgeinfer_build.place import Place
from edgeinfer_build.recipe import EngineKey


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a finished environment was made from."""

    python: str
    root: str
    engine: str
    libraries: str
    metadata: str
    dev: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What this clone asks for now; `libraries` are the sets that serve, best first."""

    python: str
    root: str
    engine: EngineKey
    libraries: tuple[str, ...]
    metadata: str
    dev: bool


class State(enum.Enum):
    """What has to happen to an environment."""

    COMPLETE = "complete"
    UPDATE = "update"
    CREATE = "create"


def read_stamp(path: Path) -> Stamp | None:
    """The stamp there; None when there is none or it cannot be understood."""
    try:
        return Stamp(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Put the stamp there in one step."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(stamp), indent=1), "utf-8")
    temporary.replace(path)


def fulfills(stamp: Stamp, wish: Wish) -> bool:
    """Whether an environment with this stamp serves as it is."""
    return (
        (stamp.python, stamp.root, stamp.metadata) == (wish.python, wish.root, wish.metadata)
        and wish.engine.accepts(stamp.engine)
        and stamp.libraries in wish.libraries
        and stamp.dev >= wish.dev
    )


def judge(place: Place, wish: Wish) -> State:
    """What has to happen here.

    Raises SetupError for an environment that somebody else made with another Python.
    """
    if place.unfinished.exists() or not place.venv.exists():
        return State.CREATE
    stamp = read_stamp(place.stamp)
    if stamp is None:
        return _judge_foreign(place, wish)
    if (stamp.python, stamp.root) != (wish.python, wish.root) or not place.python.exists():
        return State.CREATE
    return State.COMPLETE if fulfills(stamp, wish) else State.UPDATE


def _judge_foreign(place: Place, wish: Wish) -> State:
    if any((place.venv / "lib").glob(f"{wish.python.replace('cpython-', 'python')}/site-packages")):
        return State.UPDATE
    raise SetupError(
        f"{place.venv} was not made by this setup and is not for {wish.python}.",
        hint="Rename or remove that folder and run the same command again.",
    )
