"""`kill -9` of the daemon while it learns, publishes, indexes and recalls: all or nothing of each, nothing twice."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.app import Hivemind
from hivemind_cli.core.config import Config
from hivemind_cli.core.fence import OPEN
from hivemind_cli.core.records import Correction, Event, EventKind, SkillRevision, SkillState
from hivemind_cli.daemon import lock, spawn
from hivemind_cli.skills.format import parse
from tests.app.conftest import make_tree
from tests.crash.lesson import ASKED, RULE, correct, payload, published
from tests.crash.wired import Wired

KINDS = [
    EventKind.SESSION_START,
    EventKind.PROMPT,
    EventKind.TOOL_CALL,
    EventKind.TOOL_RESULT,
    EventKind.REPLY,
    EventKind.PROMPT,
    EventKind.REPLY,
    EventKind.SESSION_END,
]
LONGEST_LIFE_S = 1.2
"""Covers the start, the session, the codification after it and the publishing."""


@pytest.fixture
def wired() -> Iterator[Wired]:
    wired = Wired.install()
    yield wired
    wired.client.stop(30)
    assert lock.holder(wired.paths) is None


def kill(wired: Wired) -> bool:
    pid = lock.holder(wired.paths)
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(pid)


def check_files(wired: Wired, tree: Path) -> None:
    """Whatever stands on disk at this moment is whole."""
    for skill in tree.glob(".claude/skills/*/SKILL.md"):
        assert RULE in skill.read_text()
        parse(skill.read_text())
        assert skill.read_text().endswith("\n")
    if wired.paths.snapshot.exists():
        with contextlib.closing(sqlite3.connect(f"{wired.paths.snapshot.as_uri()}?mode=ro", uri=True)) as snapshot:
            assert snapshot.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "rounds", [2, pytest.param(8, marks=pytest.mark.thorough), pytest.param(200, marks=pytest.mark.slow)]
)
def test_a_daemon_killed_while_it_learns_leaves_one_whole_skill(wired: Wired, own_home: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    tree = make_tree(own_home / "app")
    kills = 0
    for number in range(rounds):
        spawn.spawn(wired.paths, os.environ)
        session = threading.Thread(target=correct, args=(wired, tree, f"session {number:04}"))
        session.start()
        time.sleep(chance.uniform(0, LONGEST_LIFE_S))
        kills += kill(wired)
        check_files(wired, tree)
        session.join()
    wired.drained()
    published(tree)
    for number in range(rounds):
        rows = wired.find(Event, session_id=f"session {number:04}")
        kinds = [row.record.kind for row in sorted(rows, key=lambda row: row.seq)]
        assert [kind for kind in kinds if kind is not EventKind.INJECTION] == KINDS, number
    corrections = [row.record for row in wired.find(Correction) if RULE in row.record.quote]
    assert len(corrections) == len({one.reaction_event_id for one in corrections})
    assert len({one.session_id for one in corrections}) >= 1
    deadline = time.monotonic() + 30
    while not (told := wired.hook("UserPromptSubmit", asks(tree, chance.random()), cwd=tree).text):
        assert time.monotonic() < deadline, "recall does not answer"
    assert RULE in told
    assert told.count(OPEN) == 1
    assert wired.client.call("daemon")["failing"] == []
    assert not list(wired.paths.quarantine.iterdir())
    wired.client.stop(30)
    check_files(wired, tree)
    check_owner(wired, tree)
    print(f"{kills} kills in {rounds} rounds")
    assert kills > rounds / 2


def asks(tree: Path, n: float) -> dict[str, object]:
    return payload(tree, f"asks {n}", hook_event_name="UserPromptSubmit", prompt=ASKED, prompt_id="p")


def check_owner(wired: Wired, tree: Path) -> None:
    """One live skill in the store, in the index and on disk, and nothing left beside any of them."""
    owner = Hivemind.own(wired.paths, Config(), env={})
    try:
        owner.settle()
        newest = {row.record.skill_id: row.record for row in owner.store.find(SkillRevision)}
        live = [revision for revision in newest.values() if revision.state is SkillState.LIVE]
        assert [revision.name for revision in live] == [published(tree).parent.name]
        skills = [document.id for document in owner.index.all() if document.kind == "skill"]
        assert skills == [revision.skill_id for revision in live]
    finally:
        owner.close()
    assert [path.name for path in published(tree).parent.iterdir()] == ["SKILL.md"]
    assert not [path for path in wired.paths.index.iterdir() if path.name not in ("skills", "texts", "snapshot.sqlite")]
    assert not list(wired.paths.spool_tmp.iterdir())


def test_the_hooks_pipes_end_while_the_real_daemon_it_started_lives_on(wired: Wired, own_home: Path) -> None:
    tree = make_tree(own_home / "app")
    told = asks(tree, 0)
    assert wired.hook("UserPromptSubmit", told, cwd=tree).answer == {}  # returns only when all pipes have ended
    deadline = time.monotonic() + 20
    while not wired.client.alive():
        assert time.monotonic() < deadline, "the hook started no daemon"
        time.sleep(0.02)
    pid = lock.holder(wired.paths)
    assert pid
    assert os.getsid(pid) != os.getsid(0)
    if sys.platform == "linux":
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert (
        subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True).stdout.strip()
        != str(os.getpid()).encode()
    )
    wired.drained()
    assert len(wired.find(Event)) == 1
