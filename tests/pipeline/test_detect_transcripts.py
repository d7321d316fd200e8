"""Real session files: every refusal and interrupt that words followed is one correction, and there are no others.

The files are not ours to copy: HIVEMIND_TEST_DATA names the folder, as in tests/hosts/test_transcript_counts.py.
"""

import gzip
import json
import os
from pathlib import Path

import pytest

from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, CorrectionKind, Event, EventKind, Record
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.claude.transcript import read_transcript
from hivemind_cli.pipeline.capture import Capture, Person
from hivemind_cli.pipeline.detect import Detect
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.inmemory import InMemoryStore

DATA = Path(os.environ.get("HIVEMIND_TEST_DATA", "/nonexistent")) / "transcripts"
MANIFEST = json.loads((DATA / "manifest.json").read_text(encoding="utf-8")) if DATA.is_dir() else []
SESSIONS = [entry for entry in MANIFEST if entry["format"] == "claude-code"]

pytestmark = [
    pytest.mark.skipif(not SESSIONS, reason="HIVEMIND_TEST_DATA names no folder with session files"),
]


def imported(entry: dict[str, object], home: Path) -> InMemoryStore:
    path = home / "session.jsonl"
    path.write_bytes(gzip.decompress((DATA / str(entry["file"])).read_bytes()))
    paths = Paths(root=home / ".hivemind", home=home)
    paths.make()
    store = InMemoryStore()
    capture = Capture(paths, Config(), HOSTS, Person(machine_id="m", author="ada"), b"k" * 32, {}, {})
    records: list[Record] = list(capture.read(HOSTS["claude"], read_transcript(path), store, workspace="default"))
    store.append(records)
    while run_once(Detect(), store):
        pass
    return store


def expected(events: list[Event]) -> set[tuple[str, str]]:
    """(kind, id of what the person did) by the events alone: words with the refusal, else those of the next prompt."""
    wanted: set[tuple[str, str]] = set()
    silent = stopped = False
    for event in events:
        if event.kind is EventKind.TOOL_DENIED and event.payload["by"] == "person":
            if event.payload["words"]:
                wanted.add(("rejected", event.id))
            else:
                silent = True
        elif event.kind is EventKind.INTERRUPT:
            stopped = True
        elif event.kind is EventKind.PROMPT:
            if silent or stopped:
                wanted.add(("rejected" if silent else "interrupted", event.id))
            silent = stopped = False
    return wanted


@pytest.mark.parametrize("number", range(max(len(SESSIONS), 1)))
def test_refusals_and_interrupts_are_corrections_one_to_one(number: int, own_home: Path) -> None:
    entry = SESSIONS[number]
    store = imported(entry, own_home)
    events = [row.record for row in store.find(Event)]
    counts = entry["counts"]
    assert sum(event.kind is EventKind.INTERRUPT for event in events) == counts["interrupts"]
    refused = [e for e in events if e.kind is EventKind.TOOL_DENIED and e.payload["by"] == "person"]
    assert len(refused) == counts["tool_rejections"]
    kinds = (CorrectionKind.REJECTED, CorrectionKind.INTERRUPTED)
    found = [row.record for row in store.find(Correction, kind=kinds)]
    by_session: dict[str, list[Event]] = {}
    for event in events:
        by_session.setdefault(event.session_id, []).append(event)
    wanted = set[tuple[str, str]]().union(*map(expected, by_session.values()))
    assert len(found) == len(wanted)
    assert {(one.kind.value, one.reaction_event_id) for one in found} == wanted
    assert all(one.quote for one in found)
