"""With the real model: a lesson comes back when its task does in entirely other words, and without the model not."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import Hivemind, OwnedHivemind
from hivemind_cli.core.config import Config, EmbeddingConfig
from hivemind_cli.core.paths import Paths
from tests.app.talk import Talk
from tests.e2e.lessons import LESSONS, LOGIN, Lesson, shared_words

pytestmark = pytest.mark.model
WAIT_S = 60.0
AS_MEMOS = [lesson for lesson in LESSONS if lesson is not LOGIN]
"""Not the least like of them: cosine .42 to its task is too little, until a skill says its rule in plain words."""


def each(lessons: Sequence[Lesson]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("lesson", lessons, ids=lambda lesson: lesson.name)


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


@each(LESSONS)
def test_the_same_task_in_other_words_brings_the_lesson_up(
    lesson: Lesson, opened: Callable[[str], OwnedHivemind], paths: Paths, tree: Path
) -> None:
    owner = opened("auto")
    _correct(lesson, paths, tree).ends()
    owner.settle()
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


@each(AS_MEMOS)
def test_a_correction_is_found_in_other_words_before_it_is_a_skill(
    lesson: Lesson, opened: Callable[[str], OwnedHivemind], paths: Paths, tree: Path
) -> None:
    owner = opened("auto")
    _correct(lesson, paths, tree)
    owner.settle()
    assert not list(tree.glob(".claude/skills/*"))
    _wait_until_embedded(owner)
    assert lesson.rule in _told(lesson.again, owner, tree), _why(lesson.again, owner, tree)
    for prompt in lesson.unrelated:
        assert not _told(prompt, owner, tree), _why(prompt, owner, tree)


def _correct(lesson: Lesson, paths: Paths, tree: Path) -> Talk:
    talk = Talk(paths, tree)
    talk.says(lesson.prompt)
    talk.runs(lesson.command)
    talk.replies()
    talk.says(lesson.said)
    talk.replies("Understood.")
    return talk


def _wait_until_embedded(owner: OwnedHivemind) -> None:
    until = time.monotonic() + WAIT_S
    while not _embedded(owner.call("index.state", {})):
        assert time.monotonic() < until, owner.call("index.state", {})
        time.sleep(0.05)


def _embedded(state: dict[str, Any]) -> bool:
    return bool(state["ready"] and state["documents"] and state["embedded"] == state["documents"])


def _asked(prompt: str, owner: OwnedHivemind, tree: Path) -> dict[str, object]:
    return dict(owner.call("recall", {"query": prompt, "cwd": str(tree)}))


def _told(prompt: str, owner: OwnedHivemind, tree: Path) -> str:
    return str(_asked(prompt, owner, tree)["text"])


def _why(prompt: str, owner: OwnedHivemind, tree: Path) -> str:
    return f"{prompt!r} -> {_asked(prompt, owner, tree)['candidates']}"
