"""Hosts whose hooks name no call and no turn: what hooks and the tails between them tell is one session.

The sessions were recorded from the real clients (tests/hosts/payloads); each file grows here as it grew then.
"""

import json
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.config import Config
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.hosts import HOSTS, values
from hivemind_cli.pipeline.capture import Capture, Person
from hivemind_cli.pipeline.spool import Delivery
from hivemind_cli.storage.inmemory import InMemoryStore

PAYLOADS = Path(__file__).parents[1] / "hosts" / "payloads"
SESSION = f"{1:08}-0000-4000-8000-{1:012}"
FILES = {
    "gemini": ".gemini/tmp/shop/chats/session-a.jsonl",
    "copilot": f".copilot/session-state/{SESSION}/events.jsonl",
}


class Host:
    """One host's recorded session, delivered hook by hook to a store of its own."""

    def __init__(self, home: Path, name: str, session: str) -> None:
        self.name, self.file = name, home / FILES[name]
        self.file.parent.mkdir(parents=True)
        lines = (PAYLOADS / name / "transcripts" / f"{session}.jsonl").read_text("utf-8").splitlines(True)
        self.written = list(zip(lines, accumulate(map(_time, lines), max), strict=True))
        """Each line, and when it was written: one that is written again, as it grew, keeps its first time."""
        told = (PAYLOADS / name / "sessions" / f"{session}.jsonl").read_text("utf-8").splitlines()
        self.told: list[dict[str, Any]] = [json.loads(line) for line in told]
        self.paths = Paths(root=home / ".hivemind", home=home)
        self.paths.make()
        self.store = InMemoryStore()
        self.restarts()

    def restarts(self) -> None:
        self.capture = Capture(self.paths, Config(), HOSTS, Person("m", "ada"), b"k" * 32, {}, {})

    def sends(self, event: str, payload: dict[str, Any]) -> None:
        """The hook's delivery, when the file held all that had been written by then."""
        at = values.time(payload["timestamp"])
        assert at is not None
        self.file.write_text("".join(line for line, time in self.written if time < at), encoding="utf-8")
        if "transcript_path" in payload:
            payload = {**payload, "transcript_path": str(self.file)}
        raw, cwd = json.dumps(payload).encode(), str(payload["cwd"])
        ns = int(at.timestamp() * 1e6) * 1000
        delivery = Delivery(id=new_id(at), time_ns=ns, host=self.name, event=event, raw=raw, cwd=cwd)
        captured = self.capture.step([delivery], self.store)
        assert not captured.faults
        self.store.append(captured.outputs)

    def imports(self) -> list[Event]:
        """What reading the whole file adds."""
        before = len(self.events())
        host = HOSTS[self.name]
        self.file.write_text("".join(line for line, _ in self.written), encoding="utf-8")
        self.store.append(list(self.capture.read(host, host.read_transcript(self.file), self.store, workspace="")))
        return self.events()[before:]

    def events(self) -> list[Event]:
        return [row.record for row in self.store.find(Event)]


def _time(line: str) -> datetime:
    """The latest time that the line names; a line without one was written with those before it."""
    value = json.loads(line)
    named = [value, *value.get("toolCalls", ())]
    times = [values.time(one.get("timestamp") or one.get("startTime")) for one in named]
    return max(filter(None, times), default=datetime.min.replace(tzinfo=UTC))


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("session", ["coins", "refusals"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_an_import_adds_nothing_to_what_hooks_and_tails_told(
    own_home: Path, name: str, session: str, restarts: bool
) -> None:
    host = Host(own_home, name, session)
    for one in host.told:
        host.sends(one["event"], one["payload"])
        if restarts:
            host.restarts()
    assert host.imports() == []


@pytest.mark.parametrize(("name", "refused", "stopped"), [("gemini", 1, 2), ("copilot", 2, 3)])
def test_a_no_and_an_esc_are_known_before_the_next_prompt(
    own_home: Path, name: str, refused: int, stopped: int
) -> None:
    host = Host(own_home, name, "refusals")
    for one in host.told:
        host.sends(one["event"], one["payload"])
    kinds = [event.kind for event in host.events()]
    assert (kinds.count(EventKind.TOOL_DENIED), kinds.count(EventKind.INTERRUPT)) == (refused, stopped)
    denied = kinds.index(EventKind.TOOL_DENIED)
    assert denied < [place for place, kind in enumerate(kinds) if kind is EventKind.PROMPT][1]
    calls = {event.payload["call_id"] for event in host.events() if event.kind is EventKind.TOOL_CALL}
    assert host.events()[denied].payload["call_id"] in calls
