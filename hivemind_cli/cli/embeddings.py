"""`hivemind embeddings`: the model that compares texts by meaning."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import counted, narration, note, print_json, quoted, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hivemind_cli.embedding import Setting
    from hivemind_cli.embedding.exported import Manifest

app = typer.Typer(
    help="The local model that compares texts by meaning: see it, export it, remove it.", invoke_without_command=True
)
RENEW_S = 20.0
"""So long a daemon may take to leave."""
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for programs.")]


@app.callback()
def overview(context: typer.Context, json: Json = False) -> None:
    """The local model that compares texts by meaning: see it, export it, remove it."""
    if not context.invoked_subcommand:
        status(json)


@app.command("status")
def status(json: Json = False) -> None:
    """Say which model runs and how, what is embedded and what waits, and what to do if there is no model."""
    from hivemind_cli.app import embeddings

    found = embeddings.status(setting_here(), Door.open().ask("index.state"))
    if json:
        print_json(found)
        return
    exported = {"whole": f"whole, {_megabytes(found.exported_bytes)}", "none": "none"}.get(found.exported)
    rows = {
        "runtime": f"{found.runtime}  ({found.reason})",
        "model": f"{found.name}, {found.dim} numbers" if found.name else "none: texts are compared by their words",
        "vectors": _vectors(found.index),
        "model from": found.folder or "nowhere",
        "exported": exported or found.exported,
        "source": found.source or "not on this machine",
    }
    for name, value in rows.items():
        say(f"  {name:<12}{quoted(value, 600)}", indent=14)
    if found.advice:
        note(quoted(found.advice, 300))


@app.command("export")
def export(
    model_folder: Annotated[
        Path | None, typer.Argument(help="A sentence-transformers folder; without it the model that is found.")
    ] = None,
    json: Json = False,
) -> None:
    """Make the quick form of the model (ONNX, 8 bits). Its vectors are compared with the model's before it is kept."""
    export_now(setting_here(), model_folder, json=json)


@app.command("install")
def install(json: Json = False) -> None:
    """Set the model up: say what to install, or export the model that is on this machine."""
    from hivemind_cli.app import embeddings

    setting = setting_here()
    if embeddings.check(setting):
        export_now(setting, json=json)
    elif json:
        print_json(embeddings.status(setting))
    else:
        tell_set_up(setting)


@app.command("uninstall")
def uninstall(json: Json = False) -> None:
    """Remove the exported model and all vectors. The model it was made from stays."""
    from hivemind_cli.app import embeddings
    from hivemind_cli.daemon import lock

    door = Door.open()
    folder, size = embeddings.uninstall(setting_here())
    _renew_daemon()
    with lock.acquire(door.paths, wait_s=RENEW_S):  # nobody has them open
        vectors = embeddings.remove_vectors(door.paths.vectors)
    if json:
        print_json({"folder": folder, "bytes": size, "vectors_bytes": vectors})
        return
    say(f"{quoted(str(folder), 300)} is gone, and its vectors; {_megabytes(size + vectors)} are free.")
    note("Recall and search go by words now. To have meaning again: hivemind embeddings install")


def _vectors(index: "Mapping[str, object]") -> str:
    """How many there are, and how many wait."""
    if not index["model"]:
        return f"none: {index['why']}"
    documents = f"{index['embedded']} of {counted(int(str(index['documents'])), 'skill or memo', 'skills and memos')}"
    waits = int(str(index["meaning_behind"]))
    told = f"for {documents}, and {counted(int(str(index['vectors'])), 'vector')} of texts"
    if index["fault"] or index["why"]:
        return f"{told}; {index['fault'] or index['why']}"
    return f"{told}; {counted(waits, 'record')} still to be read" if waits else told


def setting_here() -> "Setting":
    """What embedders are made of, as this environment and its settings say."""
    from hivemind_cli.app import embedding_setting

    door = Door.open()
    return embedding_setting(door.paths, door.config, os.environ)


def tell_set_up(setting: "Setting") -> None:
    """Say that there is nothing left to do."""
    from hivemind_cli.app import embeddings

    found = embeddings.status(setting)
    say(f"{quoted(found.name)} is set up already, in {quoted(found.folder, 300)}.")


def export_now(setting: "Setting", folder: Path | None = None, *, json: bool) -> None:
    """Export, renew the daemon, and tell what was made: on stdout, with `json` as one document. ModelError."""
    began = time.monotonic()
    manifest, target = export_quietly(setting, folder) if json else _export_with_bar(setting, folder)
    if json:
        print_json({"folder": target, "manifest": manifest})
        return
    _tell(manifest, target, time.monotonic() - began)
    if folder is not None:
        say(f"To use it: [bold]hivemind config set embedding.model {quoted(target.name)}[/]")


def export_quietly(
    setting: "Setting", folder: Path | None = None, progress: Callable[[str], object] | None = None
) -> tuple["Manifest", Path]:
    """Export and renew the daemon: it chooses its model when it opens. ModelError."""
    from hivemind_cli.app import embeddings

    made = embeddings.export(setting, folder, progress=progress)
    _renew_daemon()
    return made


def _export_with_bar(setting: "Setting", folder: Path | None) -> tuple["Manifest", Path]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=narration, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        return export_quietly(setting, folder, lambda step: bar.update(task, description=step))


def _renew_daemon() -> None:
    """A daemon chooses its model when it opens: the one that runs leaves, the next hook or command starts another."""
    client = Door.open().client
    if client.alive():
        client.stop()


def _tell(manifest: "Manifest", target: Path, seconds: float) -> None:
    size = sum(path.stat().st_size for path in target.iterdir())
    say(f"{quoted(manifest.name)} stands in {quoted(str(target), 300)}: {_megabytes(size)}, made in {seconds:.0f} s.")
    say(
        f"Its vectors agree with the model's: cosine {manifest.agreement_mean:.3f} on average, "
        f"{manifest.agreement_min:.3f} at least."
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
