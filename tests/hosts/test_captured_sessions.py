"""Session files that the real clients wrote, driven by a script: what is counted in each was read off by eye.

They are not ours to copy: HIVEMIND_TEST_HOSTS names the folder with `<host>/transcripts/*.jsonl`, and beside them
`<host>/sessions/*.jsonl`, the same sessions as hooks told them.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app.imported import COUNTS, Tally
from hivemind_cli.hosts import READERS
from hivemind_cli.hosts.base import listening
from hivemind_cli.hosts.keys import digest, prompt_key, reply_key

CAPTURED = Path(os.environ.get("HIVEMIND_TEST_HOSTS", "/nonexistent"))
EXPECTED = {
    # prompts, interrupts, tool_rejections, tool_uses, tool_errors, edits
    "codex/exec-resume": (2, 0, 0, 0, 0, 0),
    "codex/exec-tools-and-failures": (1, 0, 0, 7, 2, 3),
    "codex/interactive-queued-compact-clear": (1, 0, 0, 1, 0, 0),
    # Of the three one was let run, and then stopped: a rollout tells that as it tells a refusal.
    "codex/interactive-rejects-and-interrupts": (8, 4, 3, 3, 3, 1),
    "copilot/headless-tools": (1, 0, 0, 4, 2, 2),
    "gemini/headless-tools": (1, 0, 0, 3, 1, 2),
    "pi/headless-tools": (1, 0, 0, 3, 1, 2),
}
FILES = sorted(CAPTURED.glob("*/transcripts/*.jsonl"))
OURS = [path for path in FILES if path.parts[-3] in ("codex", "copilot", "gemini", "pi")]

pytestmark = pytest.mark.skipif(not OURS, reason="HIVEMIND_TEST_HOSTS names no folder with captured sessions")


def name_of(path: Path) -> str:
    return f"{path.parts[-3]}/{path.stem}"


@pytest.fixture(params=range(max(len(OURS), 1)))
def captured(request: pytest.FixtureRequest) -> Path:
    path: Path = OURS[request.param]
    return path


def test_every_session_is_counted_as_it_was_read_by_eye(captured: Path) -> None:
    tally = Tally()
    with listening() as told:
        seen = list(READERS[captured.parts[-3]].read_transcript(captured))
    for one in seen:
        tally.add(one)
    assert tuple(tally.counts[name] for name in COUNTS) == EXPECTED[name_of(captured)]
    assert not told.skipped
    assert [key for key, times in Counter(one.native_key for one in seen).items() if times > 1] == []
    assert {one.cwd for one in seen} == {"/home/dev/project"}


def test_hooks_could_make_the_same_keys(captured: Path) -> None:
    hooks = captured.parent.parent / "sessions" / captured.name
    told = [json.loads(line)["payload"] for line in hooks.read_text(encoding="utf-8").splitlines()]
    seen = list(READERS[captured.parts[-3]].read_transcript(captured))
    sessions = {one.session_id for one in seen}
    keys: set[str] = set()
    for payload in told:
        if payload.get("session_id", payload.get("sessionId", "")) in {*sessions, ""}:  # `/clear` begins another
            keys |= set(keys_of(payload))
    assert keys
    assert keys <= {one.native_key for one in seen}


def keys_of(payload: dict[str, Any]) -> Iterator[str]:
    """Keys of what one hook was told, as a decoder of ours would make them."""
    turn = payload.get("turn_id", "")
    if prompt := payload.get("prompt", "").rpartition("</hook_context>")[2].strip():
        yield f"{prompt_key(turn, prompt)}#0"
    if said := payload.get("last_assistant_message"):
        yield reply_key(turn, said)
    if said := payload.get("prompt_response"):
        yield f"{reply_key('', said)}:#0"
    if payload.get("hook_event_name") == "Interrupt":
        yield f"interrupt:{turn}"
    given = payload.get("tool_input", payload.get("toolArgs"))
    if call := payload.get("tool_use_id", payload.get("toolCallId")):
        yield f"{call}:tool_call"
    elif isinstance(given, dict) and payload.get("hook_event_name", "BeforeTool") == "BeforeTool":
        text = json.dumps(given, sort_keys=True, ensure_ascii=False)
        yield f"tool_call:{payload.get('tool_name', payload.get('toolName'))}:{digest(text)}:#0"


@pytest.mark.parametrize("file", range(max(len(FILES), 1)))
def test_exactly_one_reader_claims_each(file: int) -> None:
    claims = [name for name, reader in READERS.items() if reader.sessions_in(FILES[file])]
    assert claims == [FILES[file].parts[-3]]


def test_what_hooks_were_given_is_no_session() -> None:
    dumps = sorted(CAPTURED.glob("*/sessions/*.jsonl"))
    assert dumps
    assert [(name, path) for path in dumps for name, one in READERS.items() if one.sessions_in(path)] == []
