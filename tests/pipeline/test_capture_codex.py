"""A Codex session whose rollout is ahead of its hooks: what hands did to files is seen all the same, and told once."""

import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app.installing import installed_dirs
from hivemind_cli.core.config import Config
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.apply import apply
from hivemind_cli.pipeline.capture import Capture, Person
from hivemind_cli.pipeline.spool import Delivery
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.hosts import sample_sessions as sample
from tests.hosts.sample_sessions import NEW_FILE, THREAD, TURNS

Line = dict[str, Any]


class Codex:
    """Writes lines of the rollout, then delivers what a hook was told."""

    def __init__(self, home: Path) -> None:
        self.paths = Paths(root=home / ".hivemind", home=home)
        self.paths.make()
        self.tree = home / "shop"
        (self.tree / ".git").mkdir(parents=True)
        (self.tree / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        self.rollout = home / ".codex" / "sessions" / f"rollout-2026-11-20T18-00-00-{THREAD}.jsonl"
        self.rollout.parent.mkdir(parents=True)
        self.rollout.touch()
        self.store = InMemoryStore()
        self.capture = Capture(self.paths, Config(), HOSTS, Person("m", "ada"), b"k" * 32, {}, {})
        self.at = datetime.now(UTC) - timedelta(minutes=5)

    def writes(self, content: str) -> None:
        """till.py, half a second after the last hook."""
        path = self.tree / "till.py"
        path.write_text(content, encoding="utf-8")
        at = self.at.timestamp() + 0.5
        os.utime(path, (at, at))

    def sends(self, event: str, lines: Sequence[Line] = (), **fields: Any) -> list[Event]:
        with self.rollout.open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in lines)
        self.at += timedelta(seconds=1)
        told = {"session_id": THREAD, "cwd": str(self.tree), "transcript_path": str(self.rollout), **fields}
        delivery = Delivery(
            id=new_id(self.at),
            time_ns=int(self.at.timestamp() * 1e6) * 1000,
            host="codex",
            event=event,
            raw=json.dumps(told).encode(),
            cwd=str(self.tree),
        )
        captured = self.capture.step([delivery], self.store)
        assert not captured.faults
        self.store.append(captured.outputs)
        return [one for one in captured.outputs if isinstance(one, Event)]


@pytest.fixture
def codex(own_home: Path) -> Codex:
    """In the first turn the agent has made a file."""
    codex = Codex(own_home)
    cwd: dict[str, Any] = {"cwd": str(codex.tree)}
    codex.sends("SessionStart", [sample.codex_meta(**cwd)], source="startup")
    first = [sample.codex_turn(0, **cwd), *sample.codex_user("count the coins")]
    codex.sends("UserPromptSubmit", first, prompt="count the coins", turn_id=TURNS[0])
    call: dict[str, Any] = {
        "tool_name": "apply_patch",
        "tool_input": {"command": NEW_FILE},
        "tool_use_id": "c3",
        "turn_id": TURNS[0],
    }
    codex.sends("PreToolUse", **call)
    codex.writes("def total():\n    return 0\n")
    codex.sends("PostToolUse", sample.codex_patch("c3", NEW_FILE), tool_response="Success.", **call)
    return codex


def ends(codex: Codex) -> list[Event]:
    lines = [*sample.codex_reply("Counted."), sample.codex_event("task_complete", turn_id=TURNS[0])]
    return codex.sends("Stop", lines, turn_id=TURNS[0], last_assistant_message="Counted.")


def asks_again(codex: Codex) -> Event:
    lines = [sample.codex_turn(1, cwd=str(codex.tree)), *sample.codex_user("and now the silver", 1)]
    events = codex.sends("UserPromptSubmit", lines, prompt="and now the silver", turn_id=TURNS[1])
    (prompt,) = (one for one in events if one.kind is EventKind.PROMPT)
    return prompt


def test_what_a_person_changed_by_hand_is_seen_though_the_rollout_has_the_prompt_already(codex: Codex) -> None:
    assert [(one.kind, one.source) for one in ends(codex)] == [(EventKind.REPLY, "hook")]
    codex.writes("def total():\n    return 7\n")
    prompt = asks_again(codex)
    (edit,) = prompt.payload["edited"]
    assert (edit["removed"], edit["added"]) == (["    return 0"], ["    return 7"])
    assert (prompt.source, prompt.turn) == ("hook", 2)


def test_what_the_agents_own_command_changed_is_no_persons_hand(codex: Codex) -> None:
    call: dict[str, Any] = {
        "tool_name": "Bash",
        "tool_input": {"command": "sed -i s/0/7/ till.py"},
        "tool_use_id": "c5",
    }
    codex.sends("PreToolUse", turn_id=TURNS[0], **call)
    codex.writes("def total():\n    return 7\n")
    done = sample.codex_shell("c5", "sed -i s/0/7/ till.py", 0, "")
    codex.sends("PostToolUse", done, turn_id=TURNS[0], tool_response="", **call)
    told = ends(codex)
    assert [one.kind for one in told] == [EventKind.TOOL_RESULT, EventKind.REPLY]
    assert [one["path"].endswith("till.py") for one in told[-1].payload["stood"]] == [True]
    assert "edited" not in asks_again(codex).payload


def test_however_the_rollout_runs_ahead_each_thing_is_told_once(codex: Codex) -> None:
    ends(codex)
    asks_again(codex)
    codex.sends("SessionEnd", reason="other")
    keys = [row.record.native_key for row in codex.store.find(Event)]
    assert len(keys) == len(set(keys)) == 7


def test_a_rollout_is_read_in_the_folder_that_an_install_names_while_the_daemon_lives(codex: Codex) -> None:
    moved, paths = codex.paths.home / "moved", codex.paths
    folders = installed_dirs(paths, HOSTS)
    codex.capture = Capture(paths, Config(), HOSTS, Person("m", "ada"), b"k" * 32, {}, folders)
    assert folders["codex"] is None
    shutil.move(paths.home / ".codex", moved)
    codex.rollout = moved / codex.rollout.relative_to(paths.home / ".codex")
    apply([], paths.receipts, "codex", "now", config_dir=str(moved))
    later = [sample.codex_turn(1, cwd=str(codex.tree)), *sample.codex_user("and the notes")]
    told = codex.sends("Stop", later, turn_id=TURNS[1])
    assert "and the notes" in [one.payload.get("text") for one in told]
