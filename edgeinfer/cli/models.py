"""`edgeinfer models`: the catalogue, and what is on this disk."""

from collections.abc import Iterator
from pathlib import Path

import click

from edgeinfer.catalog import ModelManifest
from edgeinfer.cli.options import json_option
from edgeinfer.cli.output import Row, emit_json, print_pairs, print_table, print_text
from edgeinfer.runtime import Runtime
from edgeinfer.store.store import Shelf, StoredModel
from edgeinfer.units import format_bytes

_PERMISSION = {"yes": "", "no": ", no commercial use", "conditions": ", with conditions"}


@click.command()
@click.argument("name", required=False)
@json_option("folder, stored, unusable and catalog")
def models(name: str | None, *, as_json: bool) -> None:
    """List the models on this disk and those of the catalogue.

    With NAME, say all that is known of one model, and where to get it.
    """
    runtime = Runtime.default()
    folder = runtime.paths.models
    shelf, manifests = _choose(runtime, name)
    if as_json:
        emit_json(
            {
                "folder": folder,
                "stored": [_stored_facts(model) for model in shelf.models],
                "unusable": shelf.unusable,
                "catalog": [_catalog_facts(manifest) for manifest in manifests],
            }
        )
    elif name is None:
        _print_shelf(shelf, folder)
        _print_catalog(manifests, {model.catalog_id for model in shelf.models})
    else:
        print_pairs(_details(shelf.models, manifests, folder))


def _choose(runtime: Runtime, name: str | None) -> tuple[Shelf, tuple[ModelManifest, ...]]:
    """All models, or those of a name; raises UnknownModelError for a name that means nothing."""
    if name is None:
        return runtime.store.scan(), runtime.catalog.models
    manifest = runtime.catalog.get(name)
    model = runtime.store.find(name) if manifest else runtime.store.resolve(name)
    if manifest is None and model and model.catalog_id:
        manifest = runtime.catalog.get(model.catalog_id)
    return Shelf((model,) if model else (), ()), (manifest,) if manifest else ()


def _print_shelf(shelf: Shelf, folder: Path) -> None:
    click.echo("On this disk\n")
    rows = [
        (m.id, m.quantization, format_bytes(m.size_bytes), _place(m, folder)) for m in shelf.models
    ]
    print_table(("Name", "Weights", "Size", "File"), rows)
    for file in shelf.unusable:
        print_text(f"Not usable: {file.path}: {file.reason} {file.hint or ''}")
    click.echo("")
    print_pairs([Row("Folder for .gguf files", str(folder))])


def _place(model: StoredModel, folder: Path) -> str:
    if model.embedded:
        return "part of edgeinfer"
    return str(model.path.relative_to(folder) if model.path.is_relative_to(folder) else model.path)


def _print_catalog(manifests: tuple[ModelManifest, ...], stored: set[str | None]) -> None:
    click.echo("\nIn the catalogue, to be fetched on a connected computer\n")
    rows = [
        (m.id, file.quantization, format_bytes(file.size_bytes), m.license)
        for m in manifests
        for file in m.files
        if m.id not in stored
    ]
    print_table(("Name", "Weights", "Size", "License"), rows)
    click.echo("\n  Where to get one: edgeinfer models NAME")
    click.echo("  Which run well here: edgeinfer fit")


def _details(
    stored: tuple[StoredModel, ...], manifests: tuple[ModelManifest, ...], folder: Path
) -> Iterator[Row]:
    for manifest in manifests:
        yield Row("Name", f"{manifest.name} ({manifest.id})")
        yield Row("", manifest.summary)
        yield Row("Parameters", f"{manifest.parameters_total:,}")
        yield Row("License", f"{manifest.license}{_PERMISSION[manifest.commercial_use]}")
        yield Row("Languages", ", ".join(manifest.languages))
    for model in stored:
        size, context = format_bytes(model.size_bytes), model.header.architecture.n_ctx_train
        yield Row("On this disk", f"{model.path}, {model.quantization}, {size}")
        yield Row("Context", f"up to {context:,} tokens")
        yield Row("Try it", f'edgeinfer run -m {model.id} "..."')
    if manifests and not stored:
        for file in manifests[0].files:
            size = format_bytes(file.size_bytes)
            yield Row("Get it", f"{file.address}, {file.quantization}, {size}")
        yield Row("Copy it to", str(folder))


def _stored_facts(model: StoredModel) -> dict[str, object]:
    return {
        "id": model.id,
        "name": model.name,
        "quantization": model.quantization,
        "size_bytes": model.size_bytes,
        "parameters": model.header.parameters,
        "context_tokens": model.header.architecture.n_ctx_train,
        "path": model.path,
        "embedded": model.embedded,
    }


def _catalog_facts(manifest: ModelManifest) -> dict[str, object]:
    return {
        "id": manifest.id,
        "name": manifest.name,
        "summary": manifest.summary,
        "license": manifest.license,
        "commercial_use": manifest.commercial_use,
        "languages": manifest.languages,
        "uses": manifest.uses,
        "files": [
            {"quantization": f.quantization, "size_bytes": f.size_bytes, "address": f.address}
            for f in manifest.files
        ],
    }
