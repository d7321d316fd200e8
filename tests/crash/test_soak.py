"""A soak: synthetic sessions through real hook processes, several at once, and one daemon that must not grow."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Event, Project
from hivemind_cli.daemon import lock
from hivemind_cli.storage.daemon import DaemonStore
from tests.crash.wired import Wired

AT_ONCE = 4
CALLS = 5
"""Tool calls before the second prompt."""
CORRECTED_EVERY = 7
"""Sessions, of which one is put right."""
RULES = (
    "No, do not call ./deploy with --fast here. Always pass --check to ./deploy.",
    "Don't edit generated/schema.txt by hand, run ./schema instead.",
    "That is wrong: never use ./build --all, build one part with ./build --part.",
)
QUIET_S = 1.0
LAST_BREATH_S = 20.0
"""A daemon that has given up its lock still has an interpreter to take down."""
FDS_SLACK = 4
THREADS_SLACK = 2
RSS_SLACK_MB = 25
"""Allocators and DuckDB's buffers breathe; a leak of 40 KB a session would exceed it."""


@pytest.fixture
def wired() -> Iterator[Wired]:
    wired = Wired.install()
    yield wired
    wired.client.stop(30)
    assert lock.holder(wired.paths) is None
    deadline = time.monotonic() + LAST_BREATH_S
    while processes(wired.paths.root):
        assert time.monotonic() < deadline, processes(wired.paths.root)
        time.sleep(0.1)


@dataclass(frozen=True)
class Weight:
    """What the daemon holds once nothing is left to do."""

    sessions: int
    rss_mb: float
    anon_mb: float
    """Of it what is no file: files that are mapped are the system's to take back."""
    fds: int
    threads: int
    workers: int
    injected: int


def processes(root: Path) -> list[int]:
    """Those whose command line names the home."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
                environment = (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(root).encode() in line or f"HIVEMIND_HOME={root}\0".encode() in environment:
                found.append(int(folder.name))
    return found


def weigh(wired: Wired, sessions: int) -> Weight:
    wired.drained(120)
    settled(wired)
    pid = int(wired.client.call("daemon")["pid"])
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    return Weight(
        sessions=sessions,
        rss_mb=int(status["VmRSS"].split()[0]) / 1024,
        anon_mb=int(status["RssAnon"].split()[0]) / 1024,
        fds=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(status["Threads"]),
        workers=len(children(pid)),
        injected=len(list(wired.paths.injected.iterdir())),
    )


def settled(wired: Wired, within_s: float = 120.0) -> None:
    """Until every stage has read all, and a moment longer for what follows on threads of their own."""
    deadline = time.monotonic() + within_s
    store = DaemonStore(wired.client.call)
    last = store.find(Event, newest_first=True, limit=1)[0].seq
    while store.cursor("detect") < last:
        assert time.monotonic() < deadline, wired.client.call("daemon")
        time.sleep(0.2)
    time.sleep(QUIET_S)


def children(pid: int) -> list[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


def session_events(session: int, tree: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    common: dict[str, Any] = {
        "session_id": f"{session:08}-0000-4000-8000-00000000504b",
        "cwd": str(tree),
        "permission_mode": "default",
    }
    yield "SessionStart", {**common, "source": "startup"}
    common["prompt_id"] = f"{session:08}-0001-4000-8000-000000000000"
    yield "UserPromptSubmit", {**common, "prompt": f"list the parts that section {session} of the report needs"}
    yield from (one for n in range(CALLS) for one in call(common, session, n))
    second = RULES[session // CORRECTED_EVERY % len(RULES)] if session % CORRECTED_EVERY == 0 else "go on with the rest"
    common["prompt_id"] = f"{session:08}-0002-4000-8000-000000000000"
    yield "UserPromptSubmit", {**common, "prompt": second}
    yield from call(common, session, CALLS)
    yield "Stop", {**common, "last_assistant_message": f"section {session} is done"}
    yield "SessionEnd", {**common, "reason": "other"}


def call(common: dict[str, Any], session: int, n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    command = ("./deploy --fast", "./build --all", "cat generated/schema.txt")[(session + n) % 3]
    told = {
        **common,
        "tool_name": "Bash",
        "tool_input": {"command": f"{command} {session}"},
        "tool_use_id": f"toolu_{session:06}{n:04}",
    }
    yield "PreToolUse", told
    yield "PostToolUse", {**told, "tool_response": {"stdout": f"{n} done\n" * 60, "stderr": "", "interrupted": False}}


EVENTS = 2 * CALLS + 7


def play(wired: Wired, sessions: range, tree: Path, failures: list[BaseException]) -> None:
    try:
        for session in sessions:
            for event, told in session_events(session, tree):
                wired.hook(event, {**told, "hook_event_name": event}, cwd=tree).answer  # noqa: B018  it checks
    except BaseException as exc:  # noqa: BLE001  raised in the test's own thread
        failures.append(exc)


def run(wired: Wired, marks: tuple[int, ...]) -> list[Weight]:
    """Sessions up to each of `marks`, and what the daemon weighs there."""
    tree = wired.paths.home / "work" / "app"
    for name in ("objects", "refs"):
        (tree / ".git" / name).mkdir(parents=True)
    (tree / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    weights: list[Weight] = []
    begin, first = time.monotonic(), 0
    for mark in marks:
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=play, args=(wired, range(first + n, mark, AT_ONCE), tree, failures))
            for n in range(AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
        weights.append(weigh(wired, mark))
        print(f"\n{time.monotonic() - begin:.0f} s: {weights[-1]}", end="", flush=True)
        first = mark
    whole(wired, marks[-1])
    return weights


def whole(wired: Wired, sessions: int) -> None:
    """Every event is stored once, nothing is left behind, one daemon."""
    store = DaemonStore(wired.client.call)
    ids = Counter(
        store.find(Event, session_id=f"{n:08}-0000-4000-8000-00000000504b", limit=1)[0].record.id for n in (0, 1)
    )
    assert len(ids) == 2
    assert store.count(Event) == sessions * EVENTS
    assert store.count(Project) == 1
    for folder in (wired.paths.spool_new, wired.paths.spool_tmp, wired.paths.quarantine):
        assert not list(folder.iterdir())
    assert wired.client.call("daemon")["failing"] == []
    assert not wired.paths.crash.exists()
    pid = lock.holder(wired.paths)
    assert pid is not None
    assert set(processes(wired.paths.root)) <= {pid, *children(pid)}


def flat(before: Weight, after: Weight) -> None:
    assert after.fds <= before.fds + FDS_SLACK, (before, after)
    assert after.threads <= before.threads + THREADS_SLACK, (before, after)
    assert after.workers <= 1, after
    assert after.rss_mb <= before.rss_mb + RSS_SLACK_MB, (before, after)
    assert after.injected <= after.sessions, after


@pytest.mark.thorough
def test_forty_sessions_leave_one_daemon_that_holds_no_more_than_after_twenty(wired: Wired) -> None:
    before, after = run(wired, (20, 40))
    flat(before, after)


@pytest.mark.slow
def test_a_thousand_sessions_leave_one_daemon_that_holds_no_more_than_after_five_hundred(wired: Wired) -> None:
    early, before, after = run(wired, (100, 500, 1000))
    flat(before, after)
    assert after.fds <= early.fds + FDS_SLACK
    assert after.threads <= early.threads + THREADS_SLACK
