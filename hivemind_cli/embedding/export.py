"""Export a sentence-transformers model once: the same model as an ONNX graph with int8 weights.

`export` runs it in a child process (`python -m hivemind_cli.embedding.export`), which writes aside, compares the
vectors of both, and only then is the result put in place.
"""

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hivemind_cli.core.child import bound, start
from hivemind_cli.core.errors import ModelError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.embedding import onnx
from hivemind_cli.embedding.base import EXTRA, sha256_of
from hivemind_cli.embedding.exported import MODEL, TOKENIZER, Manifest, read_manifest
from hivemind_cli.embedding.found import ModelFolder, is_model
from hivemind_cli.embedding.pipe import ChildEnd, Pipe, child_env

if TYPE_CHECKING:
    from hivemind_cli.embedding.sentence_transformers import SentenceTransformers

AGREEMENT_MIN = 0.95
"""Cosine between the export's vector and the source's, for every sentence below; 8-bit weights give .98."""
AGREEMENT_MEAN_MIN = 0.97
STEPS = ("loading the model", "writing its graph", "making its weights small", "comparing the vectors")
WALL_S = 900.0
_NEEDS = ("sentence_transformers", "torch", "onnxruntime", "tokenizers", "onnx")
_STALE_S = 3600
_SENTENCES = (
    "yes",
    "Where do the log files go?",
    "Not that folder, the other one, as I said before.",
    "THIS IS WRITTEN IN CAPITALS, AND QUITE ON PURPOSE!",
    "Could you have a look at the failing build and tell me what changed since last week?",
    "for row in rows: total += row.price * row.count",
    "TypeError: expected a string, found 42 (line 17 of the loader)",
    "Bitte lass die Überschriften so, wie sie waren.",
    "Le résultat n'est pas celui que j'attendais, recommence depuis le début.",
    "これはもう一度やり直してください。",
    "A garden in early spring: wet soil, a few crocuses, and a blackbird that will not be quiet.",
    "First fetch the list. Then sort it by date, drop what is older than a year, and write the rest to a table. " * 20,
)
"""Short and long, prose and code, several scripts: ours, so that no text of anyone else stands here."""


def missing() -> str:
    """ "" if a model can be exported; else what is missing, in words for the person."""
    absent = [name for name in _NEEDS if find_spec(name) is None]
    return f"{', '.join(absent)} not installed: {EXTRA}" if absent else ""


def export(
    source: ModelFolder,
    target: Path,
    *,
    env: Mapping[str, str],
    work: Path,
    progress: Callable[[str], object] | None = None,
    wall_s: float = WALL_S,
) -> Manifest:
    """Export `source` to the folder `target`, replacing an older export; `progress` is told each of STEPS.

    ModelError: something is missing, or the export's vectors differ too much. Then `target` is as it was.
    """
    absent = missing()
    if absent:
        raise ModelError("No model can be exported.", why=f"{absent}.")
    if not is_model(source.path):
        raise ModelError(
            f"{source.path} is no sentence-transformers model.",
            fix="Give a folder with modules.json, config_sentence_transformers.json and model.safetensors.",
        )
    try:
        target.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _sweep(target)
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            _in_child(source, aside, env, work, progress, wall_s)
            manifest = read_manifest(aside)
            _put_in_place(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as exc:
        raise ModelError(f"{target} cannot be written.", why=f"{exc}.", fix="Check its folder and the disk.") from exc
    return manifest


def remove(target: Path) -> int:
    """Delete an exported folder; the bytes freed. ModelError: it holds no export, or cannot be deleted."""
    read_manifest(target)
    try:
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        shutil.rmtree(target)
    except OSError as exc:
        raise ModelError(f"{target} cannot be deleted.", why=f"{exc}.", fix="Check its permissions.") from exc
    return size


def _in_child(
    source: ModelFolder,
    aside: Path,
    env: Mapping[str, str],
    work: Path,
    progress: Callable[[str], object] | None,
    wall_s: float,
) -> None:
    deadline = time.monotonic() + wall_s
    pipe = Pipe(start([sys.executable, "-P", "-m", "hivemind_cli.embedding.export"], env=child_env(env), cwd=work))
    try:
        pipe.send(
            {"source": str(source.path.absolute()), "name": source.name, "aside": str(aside.absolute())}, deadline
        )
        while True:
            said, _ = pipe.receive(deadline)
            if "step" in said and progress:
                progress(str(said["step"]))
            if "error" in said:
                raise ModelError(**{key: str(said["error"].get(key, "")) for key in ("what", "why", "fix")})
            if said.get("done"):
                return
    except TimeoutError as exc:
        raise ModelError(f"The export of {source.name} was stopped after {wall_s:.0f} s.") from exc
    except EOFError as exc:
        raise ModelError(f"The export of {source.name} broke off.", why=pipe.last_words()) from exc
    finally:
        pipe.close()


def _put_in_place(aside: Path, target: Path) -> None:
    """A reader sees the old export, none for a moment, or the new."""
    aside.chmod(FOLDER_MODE)
    for path in aside.iterdir():
        path.chmod(FILE_MODE)
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    with contextlib.suppress(FileNotFoundError):
        target.rename(old / "old")
    aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _sweep(target: Path) -> None:
    """What an export that was killed left aside."""
    for path in target.parent.glob(f".{target.name}.*"):
        if time.time() - path.stat().st_mtime > _STALE_S:
            shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    """Export what the one frame on stdin names; tell each step, then `done` or the error."""
    ends = ChildEnd()
    bound(None, int(WALL_S))
    asked = ends.receive()
    if asked is None:
        return
    try:
        _export(Path(asked[0]["source"]), str(asked[0]["name"]), Path(asked[0]["aside"]), ends)
        ends.send({"done": True})
    except ModelError as exc:
        ends.send({"error": {"what": exc.what, "why": exc.why, "fix": exc.fix}})
    except Exception as exc:  # noqa: BLE001  the child's door: the parent tells the person
        why = f"{type(exc).__name__}: {str(exc)[:300]}"
        ends.send({"error": {"what": "The model could not be exported.", "why": why}})


def _export(source: Path, name: str, aside: Path, ends: ChildEnd) -> None:
    ends.send({"step": STEPS[0]})
    from hivemind_cli.embedding.sentence_transformers import SentenceTransformers

    model = SentenceTransformers(source, name=name, device="cpu")
    ends.send({"step": STEPS[1]})
    graph = aside / "float.onnx"
    inputs = model.write_graph(graph)
    model.write_tokenizer(aside / TOKENIZER)
    manifest = Manifest(
        name=f"{name}/{onnx.SUFFIX}",
        model=name,
        dim=model.dim,
        tokens_max=model.tokens_max,
        pooling=model.pooling(),
        inputs=inputs,
        source_sha256=sha256_of(source / "model.safetensors"),
        agreement_min=0,
        agreement_mean=0,
    )
    for narrow in (False, True):
        ends.send({"step": STEPS[2]})
        onnx.quantize(graph, aside / MODEL, narrow=narrow)
        ends.send({"step": STEPS[3]})
        manifest = _compared(aside, manifest, model)
        if manifest.agreement_min >= AGREEMENT_MIN and manifest.agreement_mean >= AGREEMENT_MEAN_MIN:
            break
    else:
        raise ModelError(
            f"The export of {name} was not kept: its vectors differ too much from the model's.",
            why=f"Cosine {manifest.agreement_min:.3f} for one sentence, {manifest.agreement_mean:.3f} on average.",
            fix="Use the model as it is: `hivemind config set embedding.runtime sentence_transformers`.",
        )
    for path in aside.iterdir():
        if path.name not in (*manifest.files, "manifest.json"):
            path.unlink()


def _compared(aside: Path, manifest: Manifest, model: "SentenceTransformers") -> Manifest:
    """The manifest with the files' sums and how the export agrees with the model, written."""
    files = {file: sha256_of(aside / file) for file in (MODEL, TOKENIZER)}
    replace(manifest, files=files).write(aside)
    cosines = (onnx.Onnx(aside).embed(_SENTENCES) * model.embed(_SENTENCES)).sum(axis=1)
    done = replace(manifest, files=files, agreement_min=float(cosines.min()), agreement_mean=float(cosines.mean()))
    done.write(aside)
    return done


if __name__ == "__main__":
    main()
