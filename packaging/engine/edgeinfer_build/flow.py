"""The steps of the setup, each of which leaves either nothing or something complete."""

import contextlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from edgeinfer_build import checks, recipe
from edgeinfer_build.errors import CommandError, SetupError
from edgeinfer_build.failure import explain
from edgeinfer_build.place import Place
from edgeinfer_build.process import run_logged
from edgeinfer_build.progress import Progress, is_live
from edgeinfer_build.stamp import Stamp, State, Wish, judge, read_stamp, write_stamp

if sys.platform != "win32":
    import fcntl

# hatchling asks for it when it makes an editable wheel.
EDITABLE = "editables"


@dataclass(frozen=True, slots=True)
class Setup:
    """One run of the setup in one place."""

    place: Place
    environ: Mapping[str, str]
    out: TextIO

    def ensure(self, *, dev: bool) -> None:
        """Bring the environment to what the sources ask for; quick when it already is."""
        wish = self.make_wish(dev=dev)
        if judge(self.place, wish) is State.COMPLETE:
            return
        checks.require_writable(self.place)
        with self.alone():
            state = judge(self.place, wish)
            if state is not State.COMPLETE:
                self.place.log.write_text("", "utf-8")
                self.change(wish, state)

    def make_wish(self, *, dev: bool) -> Wish:
        """What the sources, the compiler and this interpreter ask for."""
        old = read_stamp(self.place.stamp)
        dev = dev or (old is not None and old.dev)
        sets = [recipe.libraries_key(self.place, dev=True)]
        if not dev:
            sets.insert(0, recipe.libraries_key(self.place, dev=False))
        return Wish(
            python=recipe.python_series(),
            root=str(self.place.root),
            engine=self.find_key(),
            libraries=tuple(sets),
            metadata=recipe.metadata_key(self.place),
            dev=dev,
        )

    def find_key(self) -> recipe.EngineKey:
        """The key of the engine build that belongs to these sources on this machine."""
        version = checks.compiler_version(self.environ)
        return recipe.engine_key(self.place, self.environ, version)

    def change(self, wish: Wish, state: State) -> None:
        """Create or update the environment; the stamp comes last."""
        engine = find_wheel(self.place.engines, wish.engine)
        if engine is None:
            checks.require_programs(self.environ)
        self.require_room(checks.BUILD_BYTES if engine is None else checks.INSTALL_BYTES)
        old = read_stamp(self.place.stamp)
        if state is State.CREATE or old is not None:
            # Only what the setup made itself may be cleared after an interruption.
            self.place.unfinished.touch()
        self.place.stamp.unlink(missing_ok=True)
        if state is State.CREATE:
            old = None
            self.create_venv()
        engine = engine or self.build_engine(wish.engine)
        libraries = self.fetch_libraries(wish, engine)
        self.install(engine, libraries, wish, old)
        name = engine.parent.name
        made = Stamp(wish.python, wish.root, name, libraries.name, wish.metadata, dev=wish.dev)
        write_stamp(self.place.stamp, made)
        self.place.unfinished.unlink(missing_ok=True)

    def require_room(self, needed_bytes: int) -> None:
        """Look at the disks that the setup writes to."""
        for folder in (self.place.root, Path(tempfile.gettempdir())):
            checks.require_room(folder, needed_bytes)

    def create_venv(self) -> None:
        """An empty virtual environment, in place of one that was not finished."""
        checks.require_venv()
        self.place.venv.mkdir(exist_ok=True)
        command: list[str | Path] = [sys.executable, "-m", "venv", "--clear", self.place.venv]
        self.run("environment", command)

    def build_engine(self, key: recipe.EngineKey) -> Path:
        """Build llama.cpp and its bindings from source; minutes on two cores."""
        pin = recipe.read_pin(self.place.constraints)
        flags = (self.place.sources / "engine.cmake").as_posix()
        self.out.write(f"engine: {pin} is built from source, once; this takes minutes\n")
        if extra := self.environ.get("CMAKE_ARGS"):
            self.out.write(f"engine: with your CMAKE_ARGS, {extra}\n")
        with self.half_made(self.place.engines / key.name) as folder:
            self.pip(
                "engine",
                *("wheel", "-v", "--no-deps", "--no-cache-dir", "--wheel-dir", folder),
                *("--no-binary", recipe.ENGINE_PROJECT, pin),
                f"--config-settings=cmake.define.CMAKE_PROJECT_llama_cpp_INCLUDE={flags}",
            )
        return only_wheel(self.place.engines / key.name)

    def fetch_libraries(self, wish: Wish, engine: Path) -> Path:
        """The folder with all other libraries, downloaded once."""
        for name in wish.libraries:
            if (self.place.wheels / name).is_dir():
                return self.place.wheels / name
        project = recipe.read_project(self.place)
        asked = recipe.requirements(project, dev=wish.dev)
        asked += [*project["build-system"]["requires"], EDITABLE]
        target = self.place.wheels / wish.libraries[0]
        with self.half_made(target) as folder:
            pinned = ("--constraint", self.place.constraints)
            self.pip("libraries", "wheel", "--wheel-dir", folder, *pinned, engine, *asked)
            (folder / engine.name).unlink()
        return target

    def install(self, engine: Path, libraries: Path, wish: Wish, old: Stamp | None) -> None:
        """Install from the two folders alone; the project itself stays editable."""
        offline = ("install", "--no-index", "--find-links", libraries)
        if old is None or old.engine != engine.parent.name:
            self.pip("engine install", *offline, "--no-deps", "--force-reinstall", engine)
        asked = recipe.requirements(recipe.read_project(self.place), dev=wish.dev)
        pinned = ("--constraint", self.place.constraints)
        self.pip("install", *offline, *pinned, "--editable", self.place.root, *asked)

    def make_wheel(self) -> None:
        """Put the project's own wheel into dist/, offline where the libraries are kept."""
        stamp = read_stamp(self.place.stamp)
        kept = self.place.wheels / (stamp.libraries if stamp else "")
        source = ("--no-index", "--find-links", kept) if kept.is_dir() else ()
        target = self.place.root / "dist"
        self.pip("wheel", "wheel", *source, "--no-deps", "--wheel-dir", target, self.place.root)

    def pip(self, label: str, *arguments: str | Path) -> None:
        """Run the environment's pip."""
        self.run(label, [self.place.python, "-m", "pip", *arguments])

    def run(self, label: str, command: list[str | Path]) -> None:
        """Run one command with its progress on one line.

        Raises SetupError with a sentence instead of the command's output.
        """
        progress = Progress(label, self.out, live=is_live(self.out))
        if not is_live(self.out):
            self.out.write(f"{label} ...\n")
            self.out.flush()
        with tempfile.TemporaryDirectory(prefix="edgeinfer-") as temporary:
            env = command_environment(self.environ, self.place, temporary)
            try:
                run_logged(
                    command, log=self.place.log, cwd=self.place.root, env=env, on_line=progress.feed
                )
            except CommandError as error:
                progress.finish("failed")
                raise explain(error, step=f"the step “{label}”", log=self.place.log) from error
        progress.finish(f"done in {progress.elapsed}")

    @contextlib.contextmanager
    def half_made(self, target: Path) -> Iterator[Path]:
        """A folder beside `target` that becomes `target` when the block ends well."""
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.glob("unfinished-*"):
            shutil.rmtree(old)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="unfinished-") as outer:
            folder = Path(outer, "content")
            folder.mkdir()
            yield folder
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other setup works in this folder."""
        with (self.place.build / "lock").open("w") as file:
            if sys.platform != "win32":
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self.out.write("Another setup is running in this folder; waiting for it.\n")
                    self.out.flush()
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield


def find_wheel(engines: Path, key: recipe.EngineKey) -> Path | None:
    """The wheel of a build that serves, made here or copied from an identical machine."""
    for folder in sorted(engines.glob(f"{key.prefix}*"), reverse=True):
        wheels = [path for path in folder.glob("*.whl") if zipfile.is_zipfile(path)]
        if key.accepts(folder.name) and wheels:
            return wheels[0]
    return None


def only_wheel(folder: Path) -> Path:
    """The wheel that pip left there."""
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SetupError(f"The build left {len(wheels)} wheels in {folder} instead of one.")
    return wheels[0]


def command_environment(environ: Mapping[str, str], place: Place, temporary: str) -> dict[str, str]:
    """The caller's environment, with pip quiet and pinned and all temporary files in one folder.

    The constraints are named relative to the project folder, as pip splits these at blanks.
    """
    pinned = os.path.relpath(place.constraints, place.root)
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PYTHONUNBUFFERED": "1"}
    settled = {
        name: value for name, value in environ.items() if name not in {"PYTHONHOME", "PYTHONPATH"}
    }
    return {
        "PIP_RETRIES": "2",
        **settled,
        **quiet,
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_CONSTRAINT": pinned,
        "PIP_BUILD_CONSTRAINT": pinned,
        "CMAKE_BUILD_PARALLEL_LEVEL": checks.choose_jobs(environ),
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary),
    }
