"""A small world for one story: a home, projects and programs of its own, and a namespace with only loopback.

Everything a story starts (the stub, the client, hivemind's daemon) lives in one namespace and dies with it. The
file system is shared, so that the outside can read what was left: `World.play` gives that as `Played`.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.e2e.stub import FAKE_KEY

REPOSITORY = Path(__file__).resolve().parents[2]
HIVEMIND = (sys.executable, "-m", "hivemind_cli")
SESSION_S = 180
COMMAND_S = 90
PLAN_S = 1500
QUESTIONS = ("corrections", "skillify", "status")
_BLOCKED = "Command blocked by PreToolUse hook"
"""How Codex begins the result of a call that a hook denied."""

SETTINGS = """{
   "cleanupPeriodDays": 30,
   "env": { "KEPT": "yes" },
   "hooks": {
      "Stop": [ { "hooks": [ { "type": "command", "command": "true" } ] } ]
   }
}
"""
"""What the person had before us: odd spacing and a hook of their own, to be found again byte for byte."""

Step = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A harmless stand-in on PATH: writes down its arguments, prints something, and leaves."""

    name: str
    prints: str = ""
    exits: int = 0
    only: str = ""
    """ERE on the arguments; others go to the real program of that name."""


class World:
    """Fresh folders under `root`; nothing runs before `play`."""

    def __init__(self, root: Path, client: Path, namespaces: Sequence[str], cli: Sequence[str] = HIVEMIND) -> None:
        self.root, self.client, self.cli = root.resolve(), client, tuple(cli)
        self._namespaces = tuple(namespaces)
        self.home, self.project, self.other = self.root / "home", self.root / "shop", self.root / "garden"
        self._programs, self._programs_log = self.root / "bin", self.root / "programs.log"
        for folder in (self.home / ".claude", self._programs, self.root / "tmp", self.root / "skills"):
            folder.mkdir(parents=True)
        self.settings.write_text(SETTINGS, encoding="utf-8")
        self._settle_client()

    @property
    def settings(self) -> Path:
        return self.home / ".claude" / "settings.json"

    def add_projects(self, files: Mapping[str, str]) -> None:
        """Two git repositories with the same files and one commit each."""
        for project in (self.project, self.other):
            for name, content in {"README.md": f"# {project.name}\n", **files}.items():
                path = project / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
            person = ("-c", "user.name=A Person", "-c", "user.email=person@example.com")
            for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*person, "commit", "-q", "-m", "Begin")):
                subprocess.run(["git", *words], cwd=project, env=self._env(), check=True, timeout=60)

    def add_program(self, program: Program) -> None:
        """Put a stand-in in front of everything else on PATH."""
        record = r"{ printf '%s' " + shlex.quote(program.name) + r"; for word; do printf '\037%s' " + '"$word"; done; '
        lines = ["#!/bin/sh"]
        if program.only:
            rest = os.environ.get("PATH", os.defpath)
            other = f'PATH={shlex.quote(rest)} exec {shlex.quote(program.name)} "$@"'
            lines.append(f'printf "%s" "$*" | grep -Eq -e {shlex.quote(program.only)} || {other}')
        lines.append(record + r"printf '\036'; } >> " + shlex.quote(str(self._programs_log)))
        lines.append(f"printf '%s\\n' {shlex.quote(program.prints)}" if program.prints else ":")
        lines.append(f"exit {program.exits}")
        path = self._programs / program.name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        path.chmod(0o755)

    def add_to_path(self, name: str, program: Path, *, first: Sequence[str] = ()) -> None:
        """A real program, found under its own name; `first` are options put behind its first word."""
        path = self._programs / name
        options = " ".join(map(shlex.quote, first))
        path.write_text(
            f'#!/bin/sh\nword=$1\nshift\nexec {shlex.quote(str(program))} "$word" {options} "$@"\n', "utf-8"
        )
        path.chmod(0o755)

    # Steps of a plan. Each has a name, under which its result is found.

    def hivemind(self, name: str, *words: str, must: bool = True) -> Step:
        return self._run(name, [*self.cli, *words], cwd=self.project, must=must)

    def session(self, name: str, words: Sequence[str], turns: Sequence[Any], *, cwd: Path | None = None) -> Step:
        """A run of the client without its screen, and what the model says in it."""
        argv = [str(self.client), *words, "--dangerously-skip-permissions"]
        return {**self._run(name, argv, cwd=cwd or self.project), "do": "session", "turns": turns}

    def terminal(self, name: str, words: Sequence[str], turns: Sequence[Any], actions: Sequence[Any]) -> Step:
        """A run of the client with its screen, driven by `actions` (terminal.py)."""
        argv = [str(self.client), *words]
        base = {"do": "terminal", "name": name, "must": True, "argv": argv, "cwd": str(self.project)}
        return {**base, "turns": turns, "actions": actions}

    def answers(self, spec: Mapping[str, Any]) -> Step:
        """How hivemind's own questions to a model are answered from now on (answers.py)."""
        return {"do": "answers", "name": "answers", "spec": dict(spec)}

    def run(self, name: str, argv: Sequence[str], *, must: bool = True) -> Step:
        """Any program, in the project."""
        return self._run(name, argv, cwd=self.project, must=must)

    def put(self, files: Mapping[str, str | None]) -> Step:
        """Write these files (absolute paths); None removes one."""
        return {"do": "put", "files": dict(files)}

    def read(self, name: str, path: Path) -> Step:
        return {"do": "read", "name": name, "path": str(path)}

    def wait(self, name: str, glob: str, *, within_s: float) -> Step:
        """Until a file of the project fits."""
        return {
            "do": "wait",
            "name": name,
            "root": str(self.project),
            "glob": glob,
            "timeout_s": within_s,
            "must": True,
        }

    def poll(self, name: str, words: Sequence[str], until: Sequence[str], *, within_s: float) -> Step:
        """Ask hivemind until its answer fits every regex."""
        return {**self.hivemind(name, *words, must=False), "do": "poll", "until": list(until), "within_s": within_s}

    def skills(self, name: str) -> Step:
        return {"do": "skills", "name": name, "root": str(self.project), "keep": str(self.root / "skills")}

    def processes(self, name: str, *, within_s: float) -> Step:
        return {"do": "processes", "name": name, "timeout_s": within_s}

    def questions(self) -> list[Step]:
        """What hivemind itself says of what happened; for a person to read when a test fails."""
        return [self.hivemind(f"asked: {word}", word, "--json", must=False) for word in QUESTIONS]

    def play(self, steps: Sequence[Step], *, watched: Sequence[Path] = ()) -> "Played":
        """Run the steps in one namespace, to the end or to the first that must succeed and did not."""
        plan = {
            "env": self._env(),
            "requests": str(self.root / "requests.jsonl"),
            "results": str(self.root / "results.jsonl"),
            "programs_log": str(self._programs_log),
            "socket": str(self.root / "tmux.sock"),
            "watched": [str(path) for path in watched],
            "steps": list(steps),
            "questions": self.questions(),
        }
        plan_file = self.root / "plan.json"
        plan_file.write_text(json.dumps(plan, indent=1, ensure_ascii=False), encoding="utf-8")
        env = {**self._env(), "PYTHONPATH": str(REPOSITORY)}
        call = [*self._namespaces, sys.executable, "-m", "tests.e2e.driver", str(plan_file)]
        with (self.root / "driver.log").open("wb") as log:
            try:
                subprocess.run(
                    call, cwd=self.root, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=PLAN_S
                )
            except subprocess.TimeoutExpired:
                log.write(f"\nthe plan ran past {PLAN_S} s and was ended\n".encode())
        return Played(self.root)

    def _run(self, name: str, argv: Sequence[str], *, cwd: Path, must: bool = True) -> Step:
        seconds = SESSION_S if argv[0] == str(self.client) else COMMAND_S
        return {"do": "run", "name": name, "argv": list(argv), "cwd": str(cwd), "timeout_s": seconds, "must": must}

    def _env(self) -> dict[str, str]:
        """All that the client and hivemind see of the environment: nothing of the person who runs the tests."""
        return {
            "PATH": f"{self._programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.home),
            "TMPDIR": str(self.root / "tmp"),
            "CLAUDE_CODE_TMPDIR": str(self.root / "tmp"),
            "USER": "person",
            "SHELL": "/bin/bash",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "ANTHROPIC_API_KEY": FAKE_KEY,
            "IS_SANDBOX": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
        }

    def _settle_client(self) -> None:
        """Answers to what the client asks a person at its very first start; its screen would wait for them."""
        answers = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": [FAKE_KEY[-20:]], "rejected": []},
            "projects": {str(self.project): {"hasTrustDialogAccepted": True}},
        }
        (self.home / ".claude.json").write_text(json.dumps(answers), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is told of one of its tool calls."""

    error: bool
    text: str


@dataclass(frozen=True)
class Request:
    """One request the client sent to the model."""

    number: int
    label: str
    facts: dict[str, Any]
    body: dict[str, Any]
    calls: tuple[dict[str, Any], ...]
    """The tool calls in the model's answer."""

    @property
    def text(self) -> str:
        """Every string the model was sent, whatever role or block carries it."""
        parts = ("system", "messages", "tools", "instructions", "input", "systemInstruction", "contents")
        return "\n".join(_strings([self.body.get(part) for part in parts]))

    @property
    def tool_calls_made(self) -> int:
        """How many tool calls stand in the history it was sent."""
        items = sum(1 for item in self._items() if str(item.get("type", "")).endswith("_call"))
        return items + sum(1 for block in self._blocks() if block.get("type") == "tool_use")

    def result(self, call_id: str) -> ToolResult | None:
        """How the call ended, as this request tells the model; None if it does not."""
        for block in self._blocks():
            if block.get("type") == "tool_result" and block.get("tool_use_id") == call_id:
                text = "\n".join(_strings(block.get("content")))
                return ToolResult(bool(block.get("is_error")), text)
        for item in self._items():
            if str(item.get("type", "")).endswith("_output") and item.get("call_id") == call_id:
                text = "\n".join(_strings(item.get("output")))
                return ToolResult(text.startswith(_BLOCKED), text)
        return None

    def _items(self) -> Iterator[dict[str, Any]]:
        """The conversation, as OpenAI's Responses write it."""
        items = self.body.get("input")
        yield from (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()

    def _blocks(self) -> Iterator[dict[str, Any]]:
        for message in self.body.get("messages", []):
            content = message.get("content")
            yield from (block for block in content if isinstance(block, dict)) if isinstance(content, list) else ()


@dataclass(frozen=True)
class Played:
    """What a plan left behind."""

    root: Path
    _texts_max: int = field(default=3000, repr=False)

    @cached_property
    def results(self) -> dict[str, dict[str, Any]]:
        """What came of each step, by name."""
        return {str(line["name"]): line for line in _lines(self.root / "results.jsonl")}

    @cached_property
    def _requests(self) -> list[Request]:
        return [
            Request(line["number"], line["label"], line["facts"], line["body"], tuple(line["calls"]))
            for line in _lines(self.root / "requests.jsonl")
            if line.get("main")
        ]

    def requests(self, label: str) -> list[Request]:
        """The main requests of one session, in order; those for titles and the like are left out."""
        return [request for request in self._requests if request.label == label]

    def questions(self) -> list[dict[str, Any]]:
        """Hivemind's own questions to the model, in order: body, and the form of the answer as `question`."""
        return [line for line in _lines(self.root / "requests.jsonl") if line.get("question")]

    def tell(self, why: str, *names: str) -> str:
        """`why`, and what a person needs to find out more: results, requests, logs."""
        failed = [name for name, result in self.results.items() if not result["ok"]]
        parts = [why, f"Everything is in {self.root}. Steps played: {', '.join(self.results)}."]
        asked = [name for name in self.results if name.startswith("asked: ")]
        for name in dict.fromkeys([*names, *failed, *asked]):
            result = json.dumps(self.results.get(name, "never played"), ensure_ascii=False, indent=1)
            parts.append(f"== step {name}\n{self._end(result)}")
            parts.extend(self._show(request) for request in self.requests(name))
        logs = ("driver.log", "home/.hivemind/logs/daemon.log")
        parts.extend(f"== {name}\n{self._end(_content(self.root / name))}" for name in logs)
        return "\n".join(parts)

    def _show(self, request: Request) -> str:
        messages = json.dumps(request.body.get("messages"), ensure_ascii=False, indent=1)
        calls = json.dumps(request.calls, ensure_ascii=False)
        return f"== request {request.number} of {request.label}, answered with {calls}\n{self._end(messages)}"

    def _end(self, text: str) -> str:
        return text if len(text) <= self._texts_max else f"... {text[-self._texts_max :]}"


def _lines(path: Path) -> list[dict[str, Any]]:
    # Not splitlines: it also splits at U+2028 and its kin, which JSON leaves inside strings.
    return [json.loads(line) for line in _content(path).split("\n") if line]


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
