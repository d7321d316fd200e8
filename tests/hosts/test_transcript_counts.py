"""Real session files of other people, read whole and in pieces.

They are not ours to copy: HIVEMIND_TEST_DATA names the folder with `transcripts/manifest.json` and
`transcripts/claude-code/*.jsonl.gz`. What `hivemind import` counts in them: tests/app/test_importing.py.
"""

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from hivemind_cli.hosts.claude.transcript import read_tail, read_transcript

DATA = Path(os.environ.get("HIVEMIND_TEST_DATA", "/nonexistent")) / "transcripts"
MANIFEST = json.loads((DATA / "manifest.json").read_text(encoding="utf-8")) if DATA.is_dir() else []
SESSIONS = [entry for entry in MANIFEST if entry["format"] == "claude-code"]

pytestmark = pytest.mark.skipif(not SESSIONS, reason="HIVEMIND_TEST_DATA names no folder with session files")


@pytest.fixture(params=range(max(len(SESSIONS), 1)))
def entry(request: pytest.FixtureRequest) -> dict[str, object]:
    found: dict[str, object] = SESSIONS[request.param]
    return found


@pytest.fixture
def session(entry: dict[str, object], tmp_path: Path) -> Path:
    path = tmp_path / "session.jsonl"
    path.write_bytes(gzip.decompress((DATA / str(entry["file"])).read_bytes()))
    return path


def test_nothing_is_told_twice(session: Path) -> None:
    repeated = [
        key for key, times in Counter(seen.native_key for seen in read_transcript(session)).items() if times > 1
    ]
    assert repeated == []


def test_read_in_pieces_it_tells_the_same(session: Path, tmp_path: Path) -> None:
    whole = session.read_bytes()
    growing = tmp_path / "growing.jsonl"
    keys: set[str] = set()
    offset = 0
    for part in range(1, 6):
        growing.write_bytes(whole[: len(whole) * part // 5])
        tail = read_tail(growing, offset)
        keys |= {seen.native_key for seen in tail.seen}
        offset = tail.offset
    assert offset == len(whole)
    held_back = {seen.native_key for seen in read_transcript(session)} - keys
    assert len(held_back) <= 1  # the reply of a turn that may go on
    assert {key for key in keys if not key.startswith("reply:")} <= {s.native_key for s in read_transcript(session)}
