"""Reads the catalogue that is part of the package: one TOML file a model."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from edgeinfer.catalog.manifest import ModelFile, ModelManifest
from edgeinfer.catalog.quantization import find_quantization
from edgeinfer.errors import EdgeinferError, UnknownModelError

PACKAGE = "edgeinfer_models"


@dataclass(frozen=True, slots=True)
class Catalog:
    """The models that edgeinfer knows, smallest first."""

    models: tuple[ModelManifest, ...]

    @classmethod
    def load(cls, folder: Traversable | None = None) -> "Catalog":
        """Read every TOML file of a folder, by default the package's own.

        Raises EdgeinferError naming the file and the field that is wrong.
        """
        folder = folder or files(PACKAGE)
        names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
        models = [_read_manifest(folder.joinpath(name)) for name in names]
        return cls(tuple(sorted(models, key=lambda model: (model.parameters_total, model.id))))

    def get(self, name: str) -> ModelManifest | None:
        """The model of an id, display name, repository or file name; None where there is none."""
        wanted = name.strip().lower()
        return next((model for model in self.models if wanted in set(_aliases(model))), None)

    def find(self, name: str) -> ModelManifest:
        """Like `get`; raises UnknownModelError with similar names."""
        model = self.get(name)
        if model is None:
            near = ", ".join(self.suggest(name))
            raise UnknownModelError(
                f"The catalogue has no model named {name!r}.",
                hint=f"Did you mean {near}?" if near else "edgeinfer models lists all of them.",
            )
        return model

    def suggest(self, name: str) -> tuple[str, ...]:
        """Up to three ids that begin like a name or resemble it, best first."""
        wanted = name.strip().lower()
        owners = {alias: model.id for model in self.models for alias in _aliases(model)}
        begun = [model.id for model in self.models if wanted and model.id.startswith(wanted)]
        near = get_close_matches(wanted, owners, n=6, cutoff=0.55)
        return tuple(dict.fromkeys([*begun, *(owners[alias] for alias in near)]))[:3]

    def file_named(self, file_name: str) -> tuple[ModelManifest, ModelFile] | None:
        """The model and entry that a file on disk belongs to, by its name; None for a stranger."""
        wanted = file_name.lower()
        return next(
            (
                (model, file)
                for model in self.models
                for file in model.files
                if file.path.rpartition("/")[2].lower() == wanted
            ),
            None,
        )


def _aliases(model: ModelManifest) -> Iterator[str]:
    yield model.id
    yield model.name.lower()
    for file in model.files:
        yield file.path.rpartition("/")[2].lower()
        if file.repo is not None:
            yield file.repo.lower()


def _read_manifest(entry: Traversable) -> ModelManifest:
    try:
        manifest = msgspec.convert(tomllib.loads(entry.read_text("utf-8")), ModelManifest)
        _check_manifest(manifest, entry.name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as error:
        raise EdgeinferError(
            f"The catalogue entry {entry.name} is not valid: {error}.",
            hint="Install edgeinfer again; in a clone, correct the file.",
        ) from error
    return manifest


def _check_manifest(manifest: ModelManifest, file_name: str) -> None:
    """What the types cannot say; raises ValueError."""
    if file_name != f"{manifest.id}.toml":
        raise ValueError(f"the id {manifest.id!r} is not the name of the file")
    for file in manifest.files:
        if find_quantization(file.quantization) is None:
            raise ValueError(f"the quantization {file.quantization!r} is not known")
        if (file.repo is None) != (manifest.scope == "edgeinfer"):
            raise ValueError(f"{file.path} needs a repository, unless it is part of edgeinfer")
