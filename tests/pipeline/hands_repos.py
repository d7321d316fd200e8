"""Real repositories, an agent's session told through capture, and what a person does beside it with real commands."""

import itertools
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hivemind_cli.core.config import Config
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, CorrectionKind
from hivemind_cli.hosts import HOSTS
from hivemind_cli.pipeline.capture import Capture, Person
from hivemind_cli.pipeline.capture.sessions import Watched
from hivemind_cli.pipeline.detect import Detect
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.pipeline.spool import Delivery
from hivemind_cli.storage.inmemory import InMemoryStore

PAUSE_S = 0.006
"""A file system's clock ticks every 4 ms; between an agent's last move and a person's hand lie seconds."""
SHOP = """\
import os
import sys

RATE = 0.19


def price(net):
    return net * (1 + RATE)


def total(items):
    result = 0
    for item in items:
        result = result + price(item)
    return result
"""
_CALLS = itertools.count(1)
_GIT_ENV = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_EDITOR": "true",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A correction as a scenario expects it."""

    kind: CorrectionKind
    path: str
    removed: str = ""
    """A line that must stand in `before`, and in no other correction's."""
    added: str = ""


class Desk:
    """One person's machine: a working tree, an agent's sessions in it, and the person's own shell."""

    def __init__(self, home: Path, tree: Path) -> None:
        self.home, self.tree = home, tree
        paths = Paths(root=home / ".hivemind", home=home)
        paths.make()
        self.paths = paths
        self.store = InMemoryStore()
        self.transcript = home / ".claude" / "projects" / "shop" / "s1.jsonl"
        self.prompts = 0
        self.restarts()

    def restarts(self) -> None:
        """The daemon is started anew."""
        self.capture = Capture(self.paths, Config(), HOSTS, Person(machine_id="m", author="ada"), b"k" * 32, {}, {})

    # The person

    def git(self, *args: str, cwd: Path | None = None, check: bool = True) -> str:
        return run_git(cwd or self.tree, *args, check=check)

    def shell(self, command: str) -> None:
        subprocess.run(command, shell=True, cwd=self.tree, check=True, capture_output=True, env=self._env())

    def person_runs(self, command: str) -> None:
        """In the host's bash mode: it stands in the transcript."""
        time.sleep(PAUSE_S)
        line = {
            "type": "user",
            "uuid": new_id(),
            "sessionId": "s1",
            "timestamp": datetime.now(UTC).isoformat(),
            "message": {"role": "user", "content": f"<bash-input>{command}</bash-input>"},
        }
        self.shell(command)
        printed = {**line, "uuid": new_id(), "message": {"role": "user", "content": "<bash-stdout></bash-stdout>"}}
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        with self.transcript.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in (line, printed))

    def put(self, name: str, text: str) -> Path:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def swap(self, name: str, *pairs: tuple[str, str]) -> None:
        """Edit by hand: each old text becomes the new one."""
        text = self.read(name)
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        self.put(name, text)

    def read(self, name: str) -> str:
        return (self.tree / name).read_bytes().decode()

    def commits(self, message: str = "work", *names: str) -> None:
        self.git("add", *(names or ("-A",)))
        self.git("commit", "-qm", message)

    # The agent

    def asks(self, text: str, session: str = "s1") -> None:
        self.prompts += 1
        self.sends("UserPromptSubmit", session, prompt=text, prompt_id=f"p{self.prompts}")

    def writes(self, name: str, content: str, session: str = "s1", **more: Any) -> None:
        path = self.tree / name
        before = path.read_bytes().decode() if path.exists() else None
        with self._call("Write", {"file_path": str(path), "content": content}, session, more) as told:
            self.put(name, content)
            told.update(type="update" if before is not None else "create", filePath=str(path), content=content)
            told.update(structuredPatch=[], originalFile=before)

    def edits(self, name: str, old: str, new: str, session: str = "s1", **more: Any) -> None:
        path = self.tree / name
        before = path.read_bytes().decode()
        assert old in before, old
        tool_input = {"file_path": str(path), "old_string": old, "new_string": new}
        with self._call("Edit", tool_input, session, more) as told:
            self.put(name, before.replace(old, new, 1))
            patch = [*(f"-{line}" for line in old.splitlines()), *(f"+{line}" for line in new.splitlines())]
            told.update(filePath=str(path), oldString=old, newString=new, originalFile=before)
            told.update(structuredPatch=[{"lines": patch}])

    def runs(self, command: str, session: str = "s1") -> None:
        """The agent runs a command, really."""
        with self._call("Bash", {"command": command}, session, {}) as told:
            done = subprocess.run(command, shell=True, cwd=self.tree, capture_output=True, text=True, env=self._env())
            told.update(stdout=done.stdout, stderr=done.stderr)

    def replies(self, text: str = "Done.", session: str = "s1") -> None:
        self.sends("Stop", session, last_assistant_message=text, prompt_id=f"p{self.prompts}")
        time.sleep(PAUSE_S)

    def sends(self, event: str, session: str, **fields: Any) -> None:
        payload = {"session_id": session, "cwd": str(self.tree), "hook_event_name": event, **fields}
        if self.transcript.exists():
            payload["transcript_path"] = str(self.transcript)
        now = time.time_ns()
        raw = json.dumps(payload).encode()
        delivery = Delivery(id=new_id(), time_ns=now, host="claude", event=event, raw=raw, cwd=str(self.tree))
        captured = self.capture.step([delivery], self.store)
        assert not captured.faults, captured.faults
        self.store.append(captured.outputs)

    def watched(self, name: str, session: str = "s1") -> Watched:
        """What capture remembers of a file."""
        return self.capture._sessions.of("claude", session, self.store).watched[str(self.tree / name)]

    def found(self) -> list[Correction]:
        """What detect makes of it all."""
        while run_once(Detect(), self.store):
            pass
        return [row.record for row in self.store.find(Correction)]

    def _call(self, tool: str, tool_input: dict[str, Any], session: str, more: dict[str, Any]) -> "_Call":
        call = {"tool_name": tool, "tool_input": tool_input, "tool_use_id": f"toolu_{next(_CALLS):05}", **more}
        return _Call(self, session, call)

    def _env(self) -> dict[str, str]:
        return {**os.environ, **_GIT_ENV}


class _Call:
    """PreToolUse, the deed, PostToolUse."""

    def __init__(self, desk: Desk, session: str, call: dict[str, Any]) -> None:
        self.desk, self.session, self.call = desk, session, call
        self.told: dict[str, Any] = {}

    def __enter__(self) -> dict[str, Any]:
        self.desk.sends("PreToolUse", self.session, **self.call)
        return self.told

    def __exit__(self, *exc: object) -> None:
        self.desk.sends("PostToolUse", self.session, **self.call, tool_response=self.told)


def run_git(cwd: Path, *args: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *args],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **_GIT_ENV},
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def make_repository(root: Path) -> Path:
    """A repository with one commit, to be copied."""
    root.mkdir(parents=True)
    run_git(root, "init", "-q", "-b", "main")
    for name, text in {
        "shop.py": SHOP,
        "README.md": "# Shop\n\nSells things.\n",
        ".gitignore": "*.local\nbuild/\n",
    }.items():
        (root / name).write_bytes(text.encode())
    run_git(root, "add", "-A")
    run_git(root, "commit", "-qm", "first")
    return root


Scenario = Callable[[Desk], list[Found]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(play: Scenario) -> Scenario:
    """Put the function on the list under its own name."""
    SCENARIOS[play.__name__] = play
    return play
