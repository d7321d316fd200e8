"""A codification that broke off goes on from the answers it has; none holds words of a forgotten session."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.pruning import prune_session
from hivemind_cli.app.reading import current_skills
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.core.clock import system_clock
from hivemind_cli.core.config import Config, LLMConfig
from hivemind_cli.core.errors import StoreError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import LLMCall, Record, SkillState
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.kept import AGE_S_MAX, Answers
from hivemind_cli.llm.meter import Metered
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.storage.daemon import DaemonStore
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.codify_player import drafted, verdicts
from tests.app.talk import Talk

WORD = "pnpm"
DRAFT = {
    "name": "use-pnpm-not-npm",
    "title": "Use pnpm, never npm.",
    "description": "Use when adding or installing packages here, or when about to run `npm install`.",
    "do": ["Always use `pnpm` here."],
    "reason": "The person named the package manager.",
}


class Dying(InMemoryStore):
    """Dies where the outcome of a batch would be stored, as often as it is told."""

    deaths = 0

    def commit(self, stage: str, outputs: Sequence[Record], *, cursor_from: int, cursor_to: int) -> int:
        if stage == "codify" and self.deaths:
            self.deaths -= 1
            raise StoreError("It died.")
        return super().commit(stage, outputs, cursor_from=cursor_from, cursor_to=cursor_to)


class Model:
    """Drafts, and finds every line carried; `before` is called when it is asked."""

    name = "scripted"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.before: Callable[[], object] = lambda: None

    def available(self) -> str:
        return ""

    def complete(self, request: Request) -> Reply:
        self.asked.append(request.purpose)
        self.before()
        answer = drafted(DRAFT, request) if request.purpose == "codify" else verdicts({}, request)
        return Scripted([answer]).complete(request)


@contextmanager
def owned(paths: Paths, store: InMemoryStore, model: Model) -> Iterator[OwnedHivemind]:
    """A daemon's whole life."""
    config = Config(llm=LLMConfig(allow=True, judge_calls_day_max=0))
    answers = Answers(paths.answers)
    metered = Metered(model, store, config.llm, system_clock, answers=answers)
    yield OwnedHivemind(
        paths=paths, config=config, store=store, sidecars=Sidecars(InMemoryIndex()), provider=metered, answers=answers
    )


def corrects(paths: Paths, tree: Path, session_id: str = "s1") -> None:
    talk = Talk(paths, tree, session_id)
    talk.says("add the date library")
    talk.runs("npm install dayjs", "added 1 package")
    talk.replies()
    talk.says(f"no, always use {WORD} here, never npm")


def files_with(word: str, root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and word in path.read_text("utf-8", "replace")]


def test_after_a_death_the_same_skill_comes_of_the_same_answers(paths: Paths, tree: Path) -> None:
    store, model = Dying(), Model()
    corrects(paths, tree)
    store.deaths = 2
    for _ in range(2):
        with owned(paths, store, model) as hive, pytest.raises(StoreError):
            hive.call("codify", {})
        assert files_with(WORD, paths.answers)
    with owned(paths, store, model) as hive:
        hive.call("codify", {})
    assert model.asked == ["codify", "check"]
    assert store.count(LLMCall) == 2
    (skill,) = current_skills(store)
    assert (skill.state, skill.version, skill.drafter.partition("/")[0]) == (SkillState.LIVE, 1, "scripted")
    assert not list(paths.answers.iterdir())


def test_what_grew_meanwhile_is_asked_anew(paths: Paths, tree: Path) -> None:
    store, model = Dying(), Model()
    corrects(paths, tree)
    store.deaths = 1
    with owned(paths, store, model) as hive, pytest.raises(StoreError):
        hive.call("codify", {})
    corrects(paths, tree, "s2")
    with owned(paths, store, model) as hive:
        hive.call("codify", {})
    assert model.asked.count("codify") == 2


def test_what_nobody_came_back_for_is_gone_after_a_day(paths: Paths, tree: Path) -> None:
    store, model = Dying(), Model()
    corrects(paths, tree)
    store.deaths = 1
    with owned(paths, store, model) as hive:
        with pytest.raises(StoreError):
            hive.call("codify", {})
        old = time.time() - AGE_S_MAX - 1
        for path in paths.answers.iterdir():
            os.utime(path, (old, old))
        hive.tick(datetime.now(UTC))
    assert not list(paths.answers.iterdir())


@pytest.mark.parametrize("door", ["command", "owner"])
def test_no_kept_answer_holds_a_word_of_a_pruned_session(paths: Paths, tree: Path, door: str) -> None:
    store, model = Dying(), Model()
    corrects(paths, tree)
    store.deaths = 1
    with owned(paths, store, model) as hive, pytest.raises(StoreError):
        hive.call("codify", {})
    assert files_with(WORD, paths.root)
    with owned(paths, store, model) as hive:
        if door == "command":
            prune_session(DaemonStore(hive.call), "claude", "s1", datetime.now(UTC))
        else:
            prune_session(store, "claude", "s1", datetime.now(UTC))
            hive.call("forget", {"host": "claude", "session_id": "s1"})
    assert not files_with(WORD, paths.root)


def test_an_answer_that_comes_after_the_pruning_is_not_kept(paths: Paths, tree: Path) -> None:
    store, model = Dying(), Model()
    corrects(paths, tree)
    store.deaths = 1
    with owned(paths, store, model) as hive:
        model.before = lambda: prune_session(DaemonStore(hive.call), "claude", "s1", datetime.now(UTC))
        with pytest.raises(StoreError):
            hive.call("codify", {})
    assert model.asked
    assert not files_with(WORD, paths.root)
