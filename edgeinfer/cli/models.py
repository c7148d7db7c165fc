"""`edgeinfer models`: the catalogue, and what is on this disk."""

import click

from edgeinfer.catalog import ModelManifest
from edgeinfer.cli.options import json_option
from edgeinfer.cli.output import emit_json, print_table
from edgeinfer.runtime import Runtime
from edgeinfer.store.store import Shelf, StoredModel
from edgeinfer.units import format_bytes


@click.command()
@json_option
def models(*, as_json: bool) -> None:
    """List the models on this disk and the catalogue, and say where the models folder is."""
    runtime = Runtime.default()
    shelf = runtime.store.scan()
    if as_json:
        emit_json(
            {
                "folder": runtime.paths.models,
                "stored": [_stored_facts(model) for model in shelf.models],
                "unusable": shelf.unusable,
                "catalog": [_catalog_facts(manifest) for manifest in runtime.catalog.models],
            }
        )
        return
    _print_shelf(shelf)
    click.echo(f"\nModels folder: {runtime.paths.models} (copy .gguf files here)")
    stored = {model.catalog_id for model in shelf.models}
    _print_catalog([m for m in runtime.catalog.models if m.id not in stored])


def _print_shelf(shelf: Shelf) -> None:
    click.echo("On this disk:")
    rows = [(m.id, m.quantization, format_bytes(m.size_bytes), str(m.path)) for m in shelf.models]
    print_table(("Name", "Quantization", "Size", "File"), rows)
    for file in shelf.unusable:
        click.echo(f"  not usable: {file.path}: {file.reason}")
        if file.hint:
            click.echo(f"    {file.hint}")


def _print_catalog(manifests: list[ModelManifest]) -> None:
    click.echo("\nIn the catalogue, to be fetched on a connected computer:")
    rows = [
        (m.id, file.quantization, format_bytes(file.size_bytes), m.license, file.address)
        for m in manifests
        for file in m.files
    ]
    print_table(("Name", "Quantization", "Size", "License", "File"), rows)


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
