"""With the real model: a lesson comes back when its task does in entirely other words, and without the model not."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.core.config import Config, EmbeddingConfig
from hivemind_cli.core.paths import Paths
from tests.app.talk import Talk
from tests.e2e.lessons import LESSONS, Lesson, shared_words

pytestmark = [pytest.mark.model, pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)]
WAIT_S = 60.0


@pytest.fixture
def opened(paths: Paths, exported_model: Path) -> Iterator[Callable[[str], OwnedHivemind]]:
    """Opens the owner with a runtime; the one before is closed."""
    shutil.copytree(exported_model, paths.models / exported_model.name)
    owners: list[OwnedHivemind] = []

    def of(runtime: str) -> OwnedHivemind:
        close()
        owners.append(Hivemind.own(paths, Config(embedding=EmbeddingConfig(runtime=runtime)), env=dict(os.environ)))
        return owners[0]

    def close() -> None:
        while owners:
            owners.pop().close()

    yield of
    close()


def test_the_same_task_in_other_words_brings_the_lesson_up(
    lesson: Lesson, opened: Callable[[str], OwnedHivemind], paths: Paths, tree: Path
) -> None:
    owner = opened("auto")
    _teach(lesson, owner, paths, tree)
    (skill,) = tree.glob(".claude/skills/*/SKILL.md")
    known = (lesson.prompt, lesson.command, lesson.said, skill.read_text("utf-8"))
    assert not shared_words(lesson.again, *known)
    _wait_until_embedded(owner)
    assert lesson.rule in _told(lesson.again, owner, tree), _why(lesson.again, owner, tree)
    for prompt in lesson.unrelated:
        assert not _told(prompt, owner, tree), _why(prompt, owner, tree)

    owner = opened("none")
    assert not _told(lesson.again, owner, tree), _why(lesson.again, owner, tree)
    assert lesson.rule in _told(lesson.near, owner, tree), _why(lesson.near, owner, tree)


def _teach(lesson: Lesson, owner: OwnedHivemind, paths: Paths, tree: Path) -> None:
    talk = Talk(paths, tree)
    talk.says(lesson.prompt)
    talk.runs(lesson.command)
    talk.replies()
    talk.says(lesson.said)
    talk.replies("Understood.")
    talk.ends()
    owner.settle()


def _wait_until_embedded(owner: OwnedHivemind) -> None:
    until = time.monotonic() + WAIT_S
    while not (owner.sidecars.vectors and owner.sidecars.vectors.count() and _ready(owner)):
        assert time.monotonic() < until, "the skill was never embedded"
        time.sleep(0.05)
        owner.work()


def _ready(owner: OwnedHivemind) -> bool:
    return owner.sidecars.meaning("is the model loaded?") is not None


def _asked(prompt: str, owner: OwnedHivemind, tree: Path) -> dict[str, object]:
    return dict(owner.call("recall", {"query": prompt, "cwd": str(tree)}))


def _told(prompt: str, owner: OwnedHivemind, tree: Path) -> str:
    return str(_asked(prompt, owner, tree)["text"])


def _why(prompt: str, owner: OwnedHivemind, tree: Path) -> str:
    return f"{prompt!r} -> {_asked(prompt, owner, tree)['candidates']}"
