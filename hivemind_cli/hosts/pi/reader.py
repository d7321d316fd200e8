"""pi: past sessions from `<config folder>/sessions/--<folder>--/<time>_<id>.jsonl`, an entry of a tree a line.

A session can go back and take another branch; a fork's file begins with copies of its parent's entries. Hooks carry
call ids, and no ids of prompts. pi asks nobody for permission; where an extension refuses a call, its reason is told.
Source: session files and extension events of 0.73.1; the documented formats 1 to 3.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hivemind_cli.core import acts
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import calls, jsonlines, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.keys import reply_key
from hivemind_cli.hosts.pi.tools import TOOLS, ended_badly, output_text, persons_words
from hivemind_cli.hosts.places import Places
from hivemind_cli.hosts.telling import Teller

_Line = Mapping[str, Any]


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Every session, oldest first within a project: their names begin with their time."""
    folder = (config_dir or home / ".pi" / "agent") / "sessions"
    for project in [folder, *sorted(path for path in folder.glob("*") if path.is_dir())]:
        yield from sorted(jsonlines.own_files(project.glob("*.jsonl"), folder.resolve()), key=lambda path: path.name)


def sessions_in(path: Path) -> tuple[Path, ...]:
    """`path` itself if one of its first lines is pi's, else ()."""
    return (path,) if any(_is_own(value) for value in jsonlines.head(path)) else ()


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session, in order. OSError if it cannot be read."""
    reader = _Session(path.stem.rpartition("_")[2])
    return jsonlines.told(path, reader.feed, reader.close)


def _is_own(value: _Line) -> bool:
    if value.get("type") == "session":
        return isinstance(value.get("id"), str) and "cwd" in value
    return value.get("type") == "message" and "role" in values.mapping(value.get("message"))


class _Session:
    """Feed it the entries of one session, in order."""

    def __init__(self, session_id: str) -> None:
        self._tell = Teller(session_id)
        self._begun = False
        self._forked_at: datetime | None = None
        self._ids = jsonlines.Once()
        self._ended = jsonlines.Once()
        self._places = Places()
        self._abandoned: list[str] = []
        self._last = ""
        self._working = False

    def feed(self, line: _Line) -> list[Seen]:
        """What this entry shows. What it raises is in jsonlines.STRANGE: it is not as we know it."""
        kind, named = line["type"], values.text(line.get("id"))
        at = values.time(line.get("timestamp"))
        if kind == "session":
            return self._begin(line, named, at)
        if named and not self._ids.new(named):
            return []
        if self._forked_at and at and at < self._forked_at:
            return []  # copied from the parent's file, where it is told already
        self._went_back(values.text(line.get("parentId")))
        self._places.note(named)
        self._last = named or self._last
        if kind == "compaction":
            return [self._tell.compact("", at, key=f"compact:{named}" if named else "")]
        return self._message(values.mapping(line.get("message")), named, at) if kind == "message" else []

    def close(self) -> list[Seen]:
        """The reply held back."""
        return self._tell.close()

    def _begin(self, line: _Line, named: str, at: datetime | None) -> list[Seen]:
        if self._begun:
            return []
        self._begun = True
        forked = bool(values.string(line, "parentSession", "branchedFrom"))
        self._forked_at = at if forked else None
        self._tell = Teller(named or self._tell.session_id, cwd=values.text(line.get("cwd")), at=at)
        return [self._tell.start(at, source="fork" if forked else "startup")]

    def _went_back(self, parent: str) -> None:
        """An entry that does not follow the last one begins another branch of the tree."""
        if parent and self._last and parent != self._last:
            self._abandoned += self._places.behind(parent)

    def _message(self, message: _Line, named: str, at: datetime | None) -> list[Seen]:
        role = message.get("role")
        at = at or values.time(message.get("timestamp"))
        if role == "user":
            return self._user(calls.blocks_text(message.get("content")), at)
        if role == "assistant":
            return self._answer(message, named, at)
        if role == "toolResult":
            return self._result(message, at)
        if role == "bashExecution":
            command = values.text(message.get("command"))
            return self._tell.steer("", at, ran=command) if command else []
        return []

    def _user(self, text: str, at: datetime | None) -> list[Seen]:
        said = persons_words(text)
        if not said:
            return []
        lost, self._abandoned = self._abandoned, []
        return self._tell.prompt(said, at, abandoned=lost, steer=self._working and not lost)

    def _answer(self, message: _Line, named: str, at: datetime | None) -> list[Seen]:
        content = message.get("content")
        blocks = [values.mapping(block) for block in content] if isinstance(content, list) else []
        texts = [values.text(block.get("text")) for block in blocks if block.get("type") == "text"]
        said = content if isinstance(content, str) else "\n".join(filter(None, texts))
        found = [seen for block in blocks if block.get("type") == "toolCall" for seen in self._call(block, at)]
        if said.strip() and not found:
            self._tell.reply(said, at, key=self._tell.nth(f"{reply_key('', said)}:"))
        why = message.get("stopReason")
        self._working = why == "toolUse"
        if why == "aborted":
            stamp = message.get("timestamp") or named  # an extension is told the message before it has an id
            found += self._tell.interrupt(at, key=f"interrupt:{stamp}" if stamp else "")
        return found

    def _call(self, block: _Line, at: datetime | None) -> list[Seen]:
        tool, given = values.text(block.get("name")), calls.parsed(block.get("arguments"))
        call_id = values.text(block.get("id")) or self._tell.call_id(tool, given)
        return [self._tell.call(call_id, tool, TOOLS.act(tool, given, self._tell.cwd), given, at)] if tool else []

    def _result(self, message: _Line, at: datetime | None) -> list[Seen]:
        call_id = values.text(message.get("toolCallId"))
        if not call_id or not self._ended.new(call_id):
            return []
        tool, act, given = self._tell.called(call_id)
        if message.get("isError") is True:
            return [self._failed(call_id, message.get("content"), at)]
        if act.kind == acts.EDIT:
            self._places.edited(call_id)
        text = output_text(message.get("content"))
        return [self._tell.result(call_id, text, at, wrote=TOOLS.wrote(tool, given, self._tell.cwd))]

    def _failed(self, call_id: str, content: object, at: datetime | None) -> Seen:
        kind, fields = ended_badly(content)
        if kind is EventKind.TOOL_DENIED:
            return self._tell.denied(call_id, at=at, **fields)
        self._working = self._working and "interrupted" not in fields
        return self._tell.failure(call_id, at=at, **fields)
