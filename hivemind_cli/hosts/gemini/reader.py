"""Gemini CLI: past sessions from `<home>/.gemini/tmp/<project>/chats/session-<time>-<id>.jsonl`.

A message is written again, whole, each time it grows; `$set` changes the session's own fields (with `messages`: what
the model is given from now on, which we have seen already); `$rewindTo` takes messages back. Versions before 0.3x
wrote one JSON object, `session-….json`. A subagent's file lies in a folder named after its parent's session.
Hooks carry neither prompt nor call ids: keys are made of what was said and done, and the count of equal ones.
Source: session files and hook payloads of 0.61.0, and its recorder.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hivemind_cli.core import acts
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import documents, jsonlines, values
from hivemind_cli.hosts.base import Seen, Tail
from hivemind_cli.hosts.gemini import tools, words
from hivemind_cli.hosts.keys import digest, reply_key
from hivemind_cli.hosts.places import Places
from hivemind_cli.hosts.tails import Tails, own_transcript
from hivemind_cli.hosts.telling import Teller

_FOLDERS = re.compile(r"(?:Workspace Directories:\*\*\n\s*- |working in the directory: )(/[^\n]*)")
_STOPPED = "cancelled the operation"
_CANCELLED = "Request cancelled."
_WORDS_CHARS_MAX = 1_000_000
_SMALL_BYTES_MAX = 1_000_000
_LIST = "messages"
_Line = Mapping[str, Any]


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Every session, oldest first within a project; each is followed by those of its subagents."""
    root = root_folder(home, config_dir) / "tmp"
    inside = root.resolve()
    for chats in sorted(root.glob("*/chats")):
        found = [*chats.glob("session-*.jsonl"), *chats.glob("session-*.json")]
        left = {folder: folder.name for folder in sorted(chats.glob("*")) if folder.is_dir()}
        for path in sorted(jsonlines.own_files(found, inside), key=lambda path: path.name):
            if path.suffix == ".json" and path.with_suffix(".jsonl").is_file():
                continue  # the newer version has taken it over
            yield path
            for folder in [one for one, name in left.items() if path.stem.endswith(f"-{name[:8]}")]:
                del left[folder]
                yield from sorted(jsonlines.own_files(folder.glob("*.jsonl"), inside), key=jsonlines.age)


def sessions_in(path: Path) -> tuple[Path, ...]:
    """`path` itself if one of its first lines is Gemini's, else ()."""
    first = [*jsonlines.head(path), documents.head(path, _LIST) or {}]
    return (path,) if any(_is_own(value) for value in first) else ()


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session, in order. OSError if it cannot be read."""
    reader = _Session(path)
    if path.suffix == ".json":
        return documents.told(path, (_LIST,), reader.feed, reader.close)
    return jsonlines.told(path, reader.feed, reader.close)


def transcript_of(home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
    """The session's file, links resolved; None if it does not lie under the host's own folder."""
    return own_transcript(payload.get("transcript_path"), root_folder(home, config_dir) / "tmp")


def read_tail(path: Path, offset: int) -> Tail:
    """What the session's file says after `offset` bytes; see Tails.read. The turn's reply comes by a hook."""
    return _TAILS.read(path, offset)


def root_folder(home: Path, config_dir: Path | None) -> Path:
    """The variable names what stands for the home folder; one that names the host's own folder is understood, too."""
    root = (config_dir or home) / ".gemini"
    if config_dir is None or root.is_dir():
        return root
    return config_dir if config_dir.name == root.name or (config_dir / "tmp").is_dir() else root


def _is_own(value: _Line) -> bool:
    return isinstance(value.get("sessionId"), str) and isinstance(value.get("projectHash"), str)


class _Session:
    """Feed it the records of one session, in order."""

    def __init__(self, path: Path) -> None:
        parent = path.parent.name
        self._agent = path.stem if path.parent.parent.name == "chats" else ""
        self._path = path
        self._unbegun = False
        self._since: object = None
        self._tell = Teller(parent if self._agent else path.stem, agent_id=self._agent, by_input=True)
        self._told = jsonlines.Once()
        self._messages = jsonlines.Once()
        self._places = Places()
        self._texts: dict[str, str] = {}
        self._chars = 0
        """Of these texts."""
        self._abandoned: list[str] = []
        self._stopped = False
        self._refused = False
        self._prompts: Counter[str] = Counter()
        self._copies: Counter[str] = Counter()
        self._replay = False

    def feed(self, line: _Line) -> list[Seen]:
        """What this record shows. What it raises is in jsonlines.STRANGE: it is not as we know it."""
        found = self._record(line)
        if found and self._unbegun:  # only now the project's folder is known
            self._unbegun = False
            return [self._tell.start(values.time(self._since)), *found]
        return found

    def _record(self, line: _Line) -> list[Seen]:
        if isinstance(line.get("$rewindTo"), str):
            self._abandoned += self._places.back_to(line["$rewindTo"])
            return []
        if isinstance(line.get("$set"), dict):
            return self._changed(line["$set"])
        if isinstance(line.get("id"), str) and isinstance(line.get("type"), str):
            return self._message(line, values.time(line.get("timestamp")))
        if _is_own(line) and self._told.new("begin"):
            self._begin(line)
        return []

    def held(self) -> list[Seen]:
        """Nothing: whether the turn is over shows only in what comes next."""
        return []

    def close(self) -> list[Seen]:
        """The reply held back."""
        self._said()
        return self._tell.close()

    def _begin(self, line: _Line) -> None:
        named, kind = values.text(line.get("sessionId")), line.get("kind")
        self._since = line.get("startTime")
        agent = named if kind == "subagent" or (kind != "main" and self._agent) else ""
        session_id = self._path.parent.name if agent else named
        self._tell = Teller(session_id, agent_id=agent, at=values.time(self._since), by_input=True)
        self._tell.cwd = _first(line.get("directories")) or _project(self._path, values.text(line.get("projectHash")))
        self._agent, self._unbegun = agent, not agent

    def _changed(self, fields: _Line) -> list[Seen]:
        """A change of the session's fields. Of `messages` only a summary is new: all others were told on their own."""
        found: list[Seen] = []
        messages = fields.get("messages")
        for message in messages if isinstance(messages, list) else ():
            if isinstance(message, dict) and message.get("type") == "user":
                found += self._context(words.texts(message.get("content")), values.time(message.get("timestamp")))
        if isinstance(messages, list):
            self._told.new("context")
            self._copies.clear()
            self._replay = False
        return found

    def _context(self, texts: list[str], at: datetime | None) -> list[Seen]:
        """The project's folder, and summaries, from the host's own texts."""
        found: list[Seen] = []
        for text in texts:
            folder = _FOLDERS.search(text) if text.startswith(words.HOST_TEXT) else None
            if folder and not self._tell.cwd:
                self._tell.cwd = folder.group(1).strip()
            summary = f"compact:{digest(text)}"
            if text.startswith("<state_snapshot>") and self._told.new(summary):
                found.append(self._tell.compact("", at, key=summary))
        return found

    def _message(self, line: _Line, at: datetime | None) -> list[Seen]:
        kind = line["type"]
        if kind == "gemini":
            return self._answer(line, at)
        if not self._messages.new(line["id"]):
            return []
        if kind == "info" and values.text(line.get("content")).startswith(_CANCELLED) and not self._agent:
            self._said()
            self._stopped = True
            return self._tell.interrupt(at, key=f"interrupt:{line['id']}", for_tool=self._refused)
        return self._user(line, at) if kind == "user" else []

    def _user(self, line: _Line, at: datetime | None) -> list[Seen]:
        texts = words.texts(line.get("content"))
        found = self._context(texts, at)
        if any(text.startswith("<session_context>") for text in texts) and not self._told.new("context"):
            self._copies = self._prompts.copy()  # the whole history is written once more, under new ids
            self._replay = True
        shown = words.texts(line.get("displayContent")) or texts
        ran = [command for text in texts if (command := words.ran(text))]
        if ran and self._told.new(f"ran:{digest(str(ran))}:{line['id']}") and not self._replay:
            return found + self._tell.steer("", at, ran="\n".join(ran))
        said = "\n".join(filter(None, (words.persons_words(text) for text in shown))) if not ran else ""
        if not said or self._is_copy(said):
            return found
        self._replay = False
        self._prompts[digest(said)] += 1
        self._said()
        self._places.note(line["id"])
        self._stopped = self._refused = False
        lost, self._abandoned = self._abandoned, []
        return found + self._tell.prompt(said, at, abandoned=lost)

    def _is_copy(self, said: str) -> bool:
        """Is this a prompt of the history that is being written once more?"""
        mark = digest(said)
        if not self._replay or self._copies[mark] <= 0:
            return False
        self._copies[mark] -= 1
        return True

    def _answer(self, line: _Line, at: datetime | None) -> list[Seen]:
        """A message of the agent's, which may have been told in part."""
        self._places.note(line["id"])
        said = "\n".join(words.texts(line.get("content"))).strip()
        if said and not self._replay and self._chars < _WORDS_CHARS_MAX:
            self._chars += len(said) - len(self._texts.get(line["id"], ""))
            self._texts[line["id"]] = said
        found: list[Seen] = []
        told = line.get("toolCalls")
        for call in told if isinstance(told, list) else ():
            if isinstance(call, dict) and isinstance(call.get("name"), str):
                found += self._call(call, at)
        return found

    def _said(self) -> None:
        """All the agent said in the turn is its reply: so do hooks tell it."""
        said = "\n".join(self._texts.values())
        self._texts, self._chars = {}, 0
        if said:
            self._tell.reply(said, key=self._tell.nth(f"{reply_key('', said)}:"))

    def _call(self, call: _Line, at: datetime | None) -> list[Seen]:
        tool, given = call["name"], values.mapping(call.get("args"))
        call_id = values.text(call.get("id")) or f"{tool}:{digest(values.short_json(given))}"
        found: list[Seen] = []
        if self._told.new(f"call:{call_id}"):
            found.append(self._tell.call(call_id, tool, tools.act_of(tool, given, self._tell.cwd), given, at))
        status = call.get("status")
        if status in ("success", "error", "cancelled") and self._told.new(f"end:{call_id}"):
            found.append(self._end(call_id, tool, call, str(status)))
        return found

    def _end(self, call_id: str, tool: str, call: _Line, status: str) -> Seen:
        at = values.time(call.get("timestamp"))
        text, error = _result(call)
        given = values.mapping(call.get("args"))
        end = tools.End(tool, given, text, error if status != "success" else "", call.get("resultDisplay"))
        if status == "cancelled" and not tools.was_running(error):
            if _STOPPED not in error or not self._stopped:
                self._refused = True
                return self._tell.denied(call_id, "person", "", at)
            return self._tell.failure(call_id, error, at, interrupted=True)
        seen = tools.ended(self._tell, call_id, end, at)
        if seen.kind is EventKind.TOOL_RESULT and tools.TOOLS.kind(tool) == acts.EDIT:
            self._places.edited(call_id)
        return seen


def _result(call: _Line) -> tuple[str, str]:
    """What a call gave back, and its error."""
    told = call.get("result")
    outputs, errors = [], []
    for part in told if isinstance(told, list) else [told]:
        response = values.mapping(values.mapping(values.mapping(part).get("functionResponse")).get("response"))
        outputs.append(values.text(response.get("output")))
        errors.append(values.text(response.get("error")))
    output = tools.output_text("\n".join(filter(None, outputs)))
    text = output or values.text(call.get("resultDisplay"))
    return text, "\n".join(filter(None, errors)) or text


def _first(folders: object) -> str:
    return next((one for one in folders if isinstance(one, str)), "") if isinstance(folders, list) else ""


def _project(path: Path, project_hash: str) -> str:
    """The project's folder as the host's own files beside the session tell it, or ""."""
    folder = next((one.parent for one in path.parents if one.name == "chats"), None)
    if folder is None:
        return ""
    try:
        return (folder / ".project_root").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        pass
    for known in (folder.parent.parent / "projects.json", folder.parent.parent / "trustedFolders.json"):
        try:
            if known.stat().st_size > _SMALL_BYTES_MAX:
                continue
            told = values.mapping(json.loads(known.read_bytes()))
        except (OSError, ValueError, RecursionError):
            continue
        for root, name in values.mapping(told.get("projects", told)).items():
            if name == folder.name or hashlib.sha256(root.encode("utf-8", "replace")).hexdigest() == project_hash:
                return root
    return ""


_TAILS = Tails(_Session)
