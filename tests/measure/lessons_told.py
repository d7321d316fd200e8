"""The lessons of tests/app/next_time.jsonl as the ranking sees them: each prompt beside each skill."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.core.config import Config
from hivemind_cli.core.match import Weights
from hivemind_cli.core.paths import Paths
from hivemind_cli.embedding.base import Embedder
from hivemind_cli.index.base import Document, Place, Scope
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.index.inmemory_vectors import InMemoryVectors
from hivemind_cli.index.parts import digest, of_document
from hivemind_cli.index.ranking import Ranker
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.next_time import CLEAN, LESSONS, taught


@dataclass(frozen=True)
class Prompted:
    """One prompt, with what the ranking knows of each skill."""

    prompt: str
    split: str
    """tune or held, as in the file; of clean prompts the first half are tune."""
    kind: str
    """natural, next or clean."""
    names: tuple[str, ...]
    figures: tuple[dict[str, float], ...]
    right: tuple[bool, ...]


def prompted(embedder: Embedder) -> list[Prompted]:
    """All prompts of all lessons, and the clean ones, beside the skills made of the lessons without a model."""
    with _skills() as (documents, lesson_of):
        index = InMemoryIndex()
        index.update(documents, [], cursor=1)
        ranker = Ranker(index, _vectors(documents, embedder))
        scope = Scope(documents[0].workspace_id, documents[0].project_id)
        asked = [
            (prompt, lesson["split"], kind, lesson["id"])
            for lesson in LESSONS
            for kind in ("natural", "next")
            for prompt in lesson[kind]
        ]
        asked += [(prompt, ("tune", "held")[n % 2], "clean", "") for n, prompt in enumerate(CLEAN)]
        meanings = embedder.embed([prompt for prompt, *_ in asked])
        found = []
        for (prompt, split, kind, lesson), meaning in zip(asked, meanings, strict=True):
            of = ranker.candidates(prompt, scope, Weights(), meaning=np.asarray(meaning))
            ids = [one.document.id for one in of]
            right = tuple(bool(lesson) and lesson_of.get(id) == lesson for id in ids)
            figures = tuple(dict(one.figures) for one in of)
            found.append(Prompted(prompt, split, kind, tuple(lesson_of[id] for id in ids), figures, right))
        return found


def _vectors(documents: Sequence[Document], embedder: Embedder) -> InMemoryVectors:
    parts = [(document, part, text) for document in documents for part, text in of_document(document)]
    places = [
        Place(
            id=document.id,
            part=part,
            digest=digest(part, text),
            workspace_id=document.workspace_id,
            project_id=document.project_id,
        )
        for document, part, text in parts
    ]
    vectors = InMemoryVectors(model="m")
    vectors.update(places, embedder.embed([text for *_, text in parts]), [], cursor=1)
    return vectors


@contextmanager
def _skills() -> Iterator[tuple[list[Document], dict[str, str]]]:
    """The live skills' documents, and the lesson that each is of."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as home:
        env = {"HOME": home, "HIVEMIND_HOME": f"{home}/hive", "PATH": os.environ.get("PATH", "")}
        paths = Paths.from_env(env)
        paths.make()
        tree = Path(home) / "work" / "app"
        tree.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", str(tree)], check=True)
        index = InMemoryIndex()
        owner = OwnedHivemind(paths=paths, config=Config(), store=InMemoryStore(), sidecars=Sidecars(index))
        try:
            skills = taught(owner, paths, tree)
            while owner.drain() or owner.work():
                pass
            lesson_of = {skill.skill_id: lesson for lesson, skill in skills.items()}
            yield [one for one in index.all() if one.id in lesson_of], lesson_of
        finally:
            owner.close()
