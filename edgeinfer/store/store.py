"""Finds the models on this disk: the guide in the package, and those in the models folder."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.resources import files
from itertools import chain
from pathlib import Path

from edgeinfer.catalog import Catalog, ModelManifest
from edgeinfer.catalog.catalog import PACKAGE
from edgeinfer.errors import EdgeinferError, ModelFileError, StorageError, UnknownModelError
from edgeinfer.paths import Paths
from edgeinfer.store.gguf import read_header
from edgeinfer.store.header import GgufHeader

SUFFIX = ".gguf"
LONGEST_ID = 128


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model file on this disk whose header can be believed.

    `id` is what a person and a program call it. `catalog_id` is the catalogue's model that the file
    belongs to, None for a stranger.
    """

    id: str
    path: Path
    header: GgufHeader
    name: str
    catalog_id: str | None
    embedded: bool

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.header.size_bytes

    @property
    def quantization(self) -> str:
        """Such as "Q4_K_M"."""
        return self.header.quantization

    @property
    def names(self) -> frozenset[str]:
        """Everything in small letters that this file may be called."""
        own = {self.id, self.name, self.path.name, self.path.stem}
        if self.catalog_id:
            own |= {self.catalog_id, f"{self.catalog_id}:{self.quantization}"}
        return frozenset(name.lower() for name in own)


@dataclass(frozen=True, slots=True)
class UnusableFile:
    """A model file that cannot be run, why, and the remedy."""

    path: Path
    reason: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is on this disk, largest model first."""

    models: tuple[StoredModel, ...]
    unusable: tuple[UnusableFile, ...]


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The models on this disk; every call looks again, as people copy files at any time."""

    paths: Paths
    catalog: Catalog
    embedded: Path

    @classmethod
    def open(cls, paths: Paths, catalog: Catalog) -> "ModelStore":
        """The store of an installation, with the guide that is part of the package."""
        return cls(paths, catalog, Path(str(files(PACKAGE))))

    def scan(self) -> Shelf:
        """Read the header of every model file; what cannot be read is listed with its reason."""
        read: list[StoredModel] = []
        unusable: list[UnusableFile] = []
        for path in chain.from_iterable(_walk_models(folder, unusable) for folder in self._folders):
            try:
                read.append(self._read(path))
            except (ModelFileError, StorageError) as error:
                unusable.append(UnusableFile(path, str(error), error.hint))
        ordered = sorted(read, key=_shelf_order)
        return Shelf(tuple(_name_apart(ordered)), tuple(unusable))

    def find(self, name: str) -> StoredModel | None:
        """The stored model of a name, the largest where several share it; None where there is none.

        A look-up only: the name is never taken for a path.
        """
        wanted = name.strip().lower()
        return next((model for model in self.scan().models if wanted in model.names), None)

    def resolve(self, name_or_path: str) -> StoredModel:
        """The model of an id, a file name, a catalogue id or a path.

        Raises UnknownModelError with the nearest names or with where to get the file, and
        ModelFileError or StorageError when the file is there but cannot be run.
        """
        shelf = self.scan()
        wanted = name_or_path.strip().lower()
        for model in shelf.models:
            if wanted in model.names:
                return model
        for file in shelf.unusable:
            if wanted in {file.path.name.lower(), file.path.stem.lower()}:
                raise ModelFileError(file.reason, hint=file.hint)
        return self._resolve_path(name_or_path, shelf)

    @property
    def _folders(self) -> tuple[Path, Path]:
        return self.embedded, self.paths.models

    def _resolve_path(self, name: str, shelf: Shelf) -> StoredModel:
        path = _find_file(name)
        if path is None:
            raise self._unknown(name, shelf)
        return self._read(path)

    def _unknown(self, name: str, shelf: Shelf) -> EdgeinferError:
        if name.lower().endswith(SUFFIX) or "\\" in name or name.startswith((".", "/", "~")):
            return UnknownModelError(
                f"There is no model file {name!r}.",
                hint="Check the path; edgeinfer models lists the files it knows.",
            )
        manifest = self.catalog.get(name)
        if manifest is not None:
            return self._absent(manifest)
        here = [model.id for model in shelf.models]
        near = dict.fromkeys(
            [*get_close_matches(name.lower(), here, n=3), *self.catalog.suggest(name)]
        )
        return UnknownModelError(
            f"There is no model named {name!r}.",
            hint=f"Did you mean {', '.join(list(near)[:3])}?"
            if near
            else f"On this disk: {', '.join(here) or 'none'}. edgeinfer models lists all.",
        )

    def _absent(self, manifest: ModelManifest) -> UnknownModelError:
        file = manifest.files[0]
        place = f"on a connected computer and copy it into {self.paths.models}"
        return UnknownModelError(
            f"{manifest.name} is in the catalogue, but not on this disk.",
            hint=f"Get {file.address} {place}."
            if file.repo
            else "It is part of edgeinfer, so this installation is not whole: install it again.",
        )

    def _read(self, path: Path) -> StoredModel:
        header, embedded = read_header(path), path.is_relative_to(self.embedded)
        known = self.catalog.file_named(path.name)
        manifest = known[0] if known and (embedded or _agrees(header, known[0])) else None
        return StoredModel(
            id=_slug(path.stem),
            path=path,
            header=header,
            name=manifest.name if manifest else header.name or path.stem,
            catalog_id=manifest.id if manifest else None,
            embedded=embedded,
        )


def _agrees(header: GgufHeader, manifest: ModelManifest) -> bool:
    """Whether a file holds the model that its name claims, as far as a header can show it."""
    own, claimed = header.architecture, manifest.architecture
    return (own.name, own.n_layer) == (claimed.name, claimed.n_layer)


def _shelf_order(model: StoredModel) -> tuple[int, int, str]:
    return -model.size_bytes, len(model.path.parts), model.path.as_posix()


def _walk_models(folder: Path, unusable: list[UnusableFile]) -> Iterator[Path]:
    """Model files of a folder and of the folders in it; notes what cannot be listed."""

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            reason = f"Cannot list {error.filename}: {error.strerror}."
            hint = "Grant read permission for the folder."
            unusable.append(UnusableFile(Path(error.filename), reason, hint))

    for top, folders, names in os.walk(folder, onerror=note, followlinks=True):
        folders.sort()
        if Path(top) != folder:
            folders.clear()
        yield from (Path(top, name) for name in sorted(names) if _is_model_name(name))


def _is_model_name(name: str) -> bool:
    return name.lower().endswith(SUFFIX) and not name.startswith(".")


def _find_file(name: str) -> Path | None:
    """The file of a path as a person types it; None for what is no path to a file."""
    try:
        path = Path(name).expanduser().absolute()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):  # too long, an unknown user's home, a zero byte
        return None


def _slug(text: str) -> str:
    """A name of small letters, digits and `._-`, as programs may send it."""
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    return cleaned[:LONGEST_ID] or "model"


def _name_apart(models: Iterable[StoredModel]) -> Iterable[StoredModel]:
    """A catalogue model's first file takes its id; equal ids get the folder, then a number."""
    taken: set[str] = set()
    for model in models:
        folder = f"{_slug(model.path.parent.name)}/{model.id}"
        wishes = (model.catalog_id or model.id, model.id, folder[:LONGEST_ID])
        name = next((wish for wish in wishes if wish not in taken), None)
        number = 2
        while name is None or name in taken:
            name, number = f"{model.id[: LONGEST_ID - 6]}-{number}", number + 1
        taken.add(name)
        yield replace(model, id=name)
