"""Eight sessions at once through real hook processes: every event is stored exactly once, in its session's order."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.daemon import lock
from tests.crash.wired import Wired

SESSIONS = 8
TURN = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PreToolUse", "PostToolUse", "Stop")


@pytest.fixture
def wired() -> Iterator[Wired]:
    wired = Wired.install()
    yield wired
    wired.client.stop(30)
    assert lock.holder(wired.paths) is None


def payload(session: int, n: int, tree: Path) -> tuple[str, dict[str, Any]]:
    """The n-th event of a session and its payload."""
    turn, place = divmod(n, len(TURN))
    event = TURN[place]
    common = {
        "session_id": f"{session:08}-0000-4000-8000-000000000000",
        "hook_event_name": event,
        "cwd": str(tree),
        "prompt_id": f"{session:04}{turn:04}-0000-4000-8000-000000000000",
        "permission_mode": "default",
    }
    if event == "UserPromptSubmit":
        return event, {**common, "prompt": f"step {turn} of part {session}"}
    if event == "Stop":
        return event, {**common, "last_assistant_message": f"part {session}: step {turn} is done"}
    call = {
        **common,
        "tool_name": "Bash",
        "tool_input": {"command": f"./build --part {session} --step {n - place}"},
        "tool_use_id": f"toolu_{session:02}{n - (place - 1) % 2:06}",
    }
    if event == "PreToolUse":
        return event, call
    return event, {**call, "tool_response": {"stdout": f"{n} built\n" * 20, "stderr": "", "interrupted": False}}


def key(session: int, n: int) -> str:
    """What in the n-th event's record tells that it is the n-th."""
    turn, place = divmod(n, len(TURN))
    if TURN[place] == "UserPromptSubmit":
        return f"step {turn} of part {session}"
    if TURN[place] == "Stop":
        return f"part {session}: step {turn} is done"
    kind = EventKind.TOOL_CALL if TURN[place] == "PreToolUse" else EventKind.TOOL_RESULT
    return f"toolu_{session:02}{n - (place - 1) % 2:06}:{kind}"


def found_key(event: Event) -> str:
    if event.kind in (EventKind.PROMPT, EventKind.REPLY):
        return str(event.payload["text"])
    return event.native_key


def play(wired: Wired, session: int, events: int, tree: Path, slowest: list[float]) -> None:
    for n in range(events):
        event, told = payload(session, n, tree)
        begin = time.monotonic()
        wired.hook(event, told, cwd=tree).answer  # noqa: B018  it checks exit code, stdout and stderr
        slowest[session] = max(slowest[session], time.monotonic() - begin)


def run(wired: Wired, events: int) -> None:
    """`events` of each session, and every claim."""
    tree = wired.paths.home / "work" / "app"
    (tree / ".git").mkdir(parents=True)
    slowest = [0.0] * SESSIONS
    failures: list[BaseException] = []

    def guarded(session: int) -> None:
        try:
            play(wired, session, events, tree, slowest)
        except BaseException as exc:  # noqa: BLE001  raised in the test's own thread
            failures.append(exc)

    threads = [threading.Thread(target=guarded, args=(session,)) for session in range(SESSIONS)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent_s = time.monotonic() - begin
    assert not failures, failures[0]
    wired.drained(120)
    stored_s = time.monotonic() - begin
    total = SESSIONS * events
    print(
        f"\n{total} events: hooks {sent_s:.1f} s ({total / sent_s:.0f} a second), stored after {stored_s:.1f} s, "
        f"slowest hook {max(slowest):.2f} s, {os.cpu_count()} processors; {wired.client.call('daemon')}"
    )
    for session in range(SESSIONS):
        rows = wired.find(Event, session_id=f"{session:08}-0000-4000-8000-000000000000")
        assert [found_key(row.record) for row in sorted(rows, key=lambda row: row.seq)] == [
            key(session, n) for n in range(events)
        ]
    assert len(wired.find(Event)) == total
    assert not list(wired.paths.quarantine.iterdir())
    assert not list(wired.paths.spool_tmp.iterdir())
    assert wired.client.call("daemon")["failing"] == []
    assert not wired.paths.crash.exists()


@pytest.mark.thorough
def test_eight_sessions_at_once_are_stored_once_and_in_order(wired: Wired) -> None:
    run(wired, 25)


@pytest.mark.slow
def test_twenty_thousand_events_are_stored_once_and_in_order(wired: Wired) -> None:
    run(wired, 2500)
