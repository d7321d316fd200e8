"""Hermes Agent: all sessions in one SQLite database, `state.db`, of its home folder and of each profile below it.

Tables sessions and messages: a row a message, calls in OpenAI's shape. What compaction folded away stays as inactive
rows marked `compacted`, and may stand again behind the summary; what a rewind took back is inactive without the mark.
Source: reference of 0.19.0 and its published code up to schema 26; columns an older database lacks count as empty.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hivemind_cli.hosts import calls, databases, values
from hivemind_cli.hosts.base import Seen, reading
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.keys import digest
from hivemind_cli.hosts.telling import Teller

TOOLS = calls.Tools(
    shells=frozenset({"terminal", "execute_code"}),
    edits=frozenset({"write_file", "patch", "edit_file"}),
    reads=frozenset({"read_file", "search_files", "list_files"}),
)
_FILE = "state.db"
_SESSION = ("id", "source", "model", "parent_session_id", "started_at", "end_reason", "cwd", "model_config")
_MESSAGE = (
    "id",
    "role",
    "content",
    "tool_call_id",
    "tool_calls",
    "tool_name",
    "timestamp",
    "active",
    "compacted",
    "observed",
    "_compressed_summary",
    "display_kind",
)
_JSON = "\0json:"
"""Before content that is no plain text."""
_SUMMARY = ("[CONTEXT COMPACTION", "[CONTEXT SUMMARY]")
_NOT_A_PERSON = (
    "Review the conversation above and ",
    "[IMPORTANT: ",
    "[ASYNC DELEGATION",
    "[PRIOR CONTEXT",
    "[Your active task list was preserved",
    "[Continuing toward your standing",
)
"""How text of the host's own begins when it stands in a user message."""
_NOTES = re.compile(r"(?:\[(?:System note|Note): [^\]]*\]\s*)+")
"""What the host puts before a person's words."""
_SKILL = "[IMPORTANT: The user has invoked the "
_WITH_SKILL = re.compile(
    r"instruction alongside the skill invocation: (?P<said>.*?)(?:\n\n\[Runtime note:.*)?\Z", re.DOTALL
)
_STEER = re.compile(
    r"\n\n\[OUT-OF-BAND USER MESSAGE [^\]\n]*\]\n(?P<said>.*)\n\[/OUT-OF-BAND USER MESSAGE\]\s*\Z", re.DOTALL
)
"""Words typed in mid-turn: they stand at the end of a tool's result."""
_STOPPED = "Operation interrupted"
_SKIPPED = re.compile(r"\[Tool execution cancelled .*interrupt\]")
_KILLED = "[Command interrupted]"
_KILLED_CODE = 130
_DENIED = re.compile(r"(?:User|You) denied")
_NO_ERROR = frozenset({"", "0", "none", "null", "false", "ok", "success"})
_CONTINUED = frozenset({"compression", "branched"})
"""Why a session ended whose child goes on with it, and is no subagent."""
_DEPTH_MAX = 16
_KNOWN_MAX = 200_000


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Sessions of every profile, oldest first, each followed by those it gave to subagents."""
    folder = config_dir or home / ".hermes"
    files = (folder / _FILE, *sorted(folder.glob(f"profiles/*/{_FILE}")))
    yield from databases.found(files, folder, _listed)


def sessions_in(path: Path) -> tuple[Path, ...]:
    """The sessions of a database that has Hermes's tables; a name of one session is itself."""
    return databases.claimed(path, _listed)


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session, message by message. OSError: the database cannot be read, or holds no such session."""
    file, session_id = databases.unnamed(path)
    if not session_id:
        for one in databases.sessions(file, _listed):
            yield from read_transcript(one)
        return
    with databases.opened(file) as database:
        if not _is_ours(database):
            raise OSError(f"{file} is no database of Hermes: its tables are missing.")
        known = _forebears(database, session_id)
        if session_id not in known:
            raise OSError(f"{file} holds no session {session_id}. It may have been deleted.")
        yield from _told(database, session_id, known)


def _listed(database: sqlite3.Connection) -> list[tuple[str, str]]:
    known = _sessions(database) if _is_ours(database) else {}
    return [(one, _master(known, one)) for one in known]


def _is_ours(database: sqlite3.Connection) -> bool:
    messages = databases.columns(database, "messages")
    return {"id", "session_id", "role", "content"} <= messages and "id" in databases.columns(database, "sessions")


def _sessions(database: sqlite3.Connection) -> dict[str, databases.Row]:
    """Every session's row by its id, oldest first."""
    order = "ORDER BY started_at, id" if "started_at" in databases.columns(database, "sessions") else "ORDER BY id"
    return {values.text(row["id"]): row for row in databases.rows(database, "sessions", _SESSION, order)}


def _forebears(database: sqlite3.Connection, session_id: str) -> dict[str, databases.Row]:
    """The session's row, its parent's and so on by their ids: reading one session need not read of all the others."""
    known: dict[str, databases.Row] = {}
    one = session_id
    while one not in known and len(known) <= _DEPTH_MAX:
        row = next(databases.rows(database, "sessions", _SESSION, "WHERE id = ?", (one,)), None)
        if row is None:
            break
        known[one] = row
        one = values.text(row["parent_session_id"])
    return known


def _master(known: Mapping[str, databases.Row], session_id: str) -> str:
    """The session that this one is a subagent of; "" for one of its own."""
    row = known[session_id]
    parent = values.text(row["parent_session_id"])
    config = calls.parsed(row["model_config"])
    if parent not in known or "_branched_from" in config:
        return ""
    if row["source"] == "subagent" or "_delegate_from" in config:
        return parent
    return "" if known[parent]["end_reason"] in _CONTINUED else parent


def _told(database: sqlite3.Connection, session_id: str, known: Mapping[str, databases.Row]) -> Iterator[Seen]:
    info = known[session_id]
    root = session_id
    for _ in range(_DEPTH_MAX):
        root = _master(known, root) or root
    subagent = root != session_id
    begun = values.time(info["started_at"])
    teller = Teller(root, cwd=values.text(info["cwd"]), agent_id=session_id if subagent else "", at=begun, turns=False)
    if not subagent:
        yield teller.start(begun, model=values.text(info["model"]) or None)
    reader = _Reading(teller, by_person=info["source"] != "cron")
    parent = "" if subagent else values.text(info["parent_session_id"])
    rows = databases.rows(database, "messages", _MESSAGE, "WHERE session_id = ? ORDER BY id", (session_id,))
    for row in rows:
        if not (parent and _copied(database, parent, row)):
            yield from databases.shown(reader.row, row)
    yield from teller.close()


def _copied(database: sqlite3.Connection, parent: str, row: databases.Row) -> bool:
    """A session that goes on with another begins with copies of its last messages."""
    same = "WHERE session_id = ? AND timestamp = ? AND role = ? AND content IS ? LIMIT 1"
    values_of = (parent, row["timestamp"], row["role"], row["content"])
    if row["timestamp"] is None:
        return False
    return next(databases.rows(database, "messages", ("id",), same, values_of), None) is not None


class _Reading:
    """Feed it the rows of one session, in order."""

    def __init__(self, teller: Teller, *, by_person: bool) -> None:
        self._teller = teller
        self._by_person = by_person
        self._known: set[str] = set()
        self._taken_back: list[str] = []
        """Calls in rows that a rewind took back, until the next prompt that stands."""
        self._ids: Counter[str] = Counter()
        self._open: dict[str, str] = {}
        self._stopped = False

    def row(self, row: databases.Row) -> list[Seen]:
        """What one message shows."""
        role, content, at = values.text(row["role"]), _content(row["content"]), values.time(row["timestamp"])
        same = digest(f"{row['timestamp']} {role} {row['tool_call_id']} {row['tool_calls']} {content}")
        if same in self._known:
            return []  # stands again behind a summary
        if len(self._known) < _KNOWN_MAX:
            self._known.add(same)
        gone = row["active"] == 0 and row["compacted"] != 1
        if role == "user":
            return self._user(content, at, row, gone=gone)
        if role == "assistant":
            return self._assistant(content, at, row, gone=gone)
        return self._result(content, at, row) if role == "tool" else []

    def _user(self, content: str, at: Any, row: databases.Row, *, gone: bool) -> list[Seen]:
        if row["_compressed_summary"] == 1 or content.startswith(_SUMMARY):
            return [*self._teller.flush(), self._teller.compact("auto", at)]
        ours = not self._by_person or row["observed"] == 1 or row["display_kind"]
        said = "" if ours else typed(content)
        if not said:
            return []
        self._stopped = False
        abandoned: list[str] = []
        if not gone:
            abandoned, self._taken_back = self._teller.edits(self._taken_back), []
        return self._teller.prompt(said, at, abandoned=abandoned)

    def _assistant(self, content: str, at: Any, row: databases.Row, *, gone: bool) -> list[Seen]:
        if row["_compressed_summary"] == 1 or content.startswith(_SUMMARY):
            return [*self._teller.flush(), self._teller.compact("auto", at)]
        if content.startswith(_STOPPED):
            return self._stop(at, for_tool=False)
        self._teller.reply(content, at)
        seen: list[Seen] = []
        for call in _calls(row["tool_calls"]):
            function = values.mapping(call.get("function"))
            tool = values.string(function, "name") or values.string(call, "name") or "tool"
            tool_input = calls.parsed(function.get("arguments", call.get("arguments")))
            call_id = self._named(values.string(call, "id", "call_id"), tool, tool_input)
            seen.append(self._teller.call(call_id, tool, TOOLS.act(tool, tool_input, self._teller.cwd), tool_input, at))
            if gone:
                self._taken_back.append(call_id)
        return seen

    def _named(self, given: str, tool: str, tool_input: Mapping[str, Any]) -> str:
        """Some providers count their calls anew in each turn."""
        if not given:
            return self._teller.call_id(tool, tool_input)
        self._ids[given] += 1
        nth = self._ids[given]
        self._open[given] = given if nth == 1 else f"{given}~{nth}"
        return self._open[given]

    def _result(self, content: str, at: Any, row: databases.Row) -> list[Seen]:
        steered = _STEER.search(content)
        if steered:
            result = self._result(content[: steered.start()], at, row)
            return [*result, *self._teller.steer(persons_words(steered["said"]), at)]
        call_id = self._open.pop(values.text(row["tool_call_id"]), "")
        if not self._teller.called(call_id)[0]:
            return []
        seen, stopped = ended(self._teller, call_id, content, at)
        return [seen, *(self._stop(at, for_tool=True) if stopped else ())]

    def _stop(self, at: Any, *, for_tool: bool) -> list[Seen]:
        """Told once a turn: each call that was still to be made is marked."""
        if self._stopped or not self._by_person:
            return []
        self._stopped = True
        return self._teller.interrupt(at, for_tool=for_tool)


def ended(teller: Teller, call_id: str, content: str, at: datetime | None = None) -> tuple[Seen, bool]:
    """How a call ended, by what the model was told of it; and whether that was by the person's hand."""
    tool, _, tool_input = teller.called(call_id)
    told = calls.parsed(content)
    error = values.text(told.get("error"))
    if told.get("status") == "blocked":
        by_person = _DENIED.search(f"{error} {values.text(told.get('user_summary'))}")
        return teller.denied(call_id, "person" if by_person else "rule", at=at, reason=values.short(error)), False
    code = told.get("exit_code")
    output = values.text(told.get("output")) if "output" in told else content
    if _SKIPPED.match(content) or (code == _KILLED_CODE and output.rstrip().endswith(_KILLED)):
        return teller.failure(call_id, output, at, interrupted=True), True
    if isinstance(code, int) and code != 0:
        return teller.failure(call_id, f"Exit code {code}\n{output}\n{error}".strip(), at), False
    if error.lower() not in _NO_ERROR or told.get("success") is False or content.startswith("Error executing tool"):
        return teller.failure(call_id, error or content, at), False
    return teller.result(call_id, output, at, wrote=TOOLS.wrote(tool, tool_input, teller.cwd)), False


def typed(content: str) -> str:
    """A person's words in a user message."""
    if content.startswith(_SKILL):
        with_skill = _WITH_SKILL.search(content)
        return persons_words(with_skill["said"]) if with_skill else ""
    if content.startswith(_NOT_A_PERSON):
        return ""
    notes = _NOTES.match(content)
    return persons_words(content[notes.end() :] if notes else content)


def _content(value: object) -> str:
    """Text of a message; blocks that are no text are left out."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else values.text(value)
    if not text.startswith(_JSON):
        return text.replace("\0", "")
    try:
        return calls.blocks_text(json.loads(text.removeprefix(_JSON)))
    except (ValueError, RecursionError):
        reading().skipped["message torn or strange"] += 1
        return ""


def _calls(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, str | bytes) or not value:
        return []
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        reading().skipped["message torn or strange"] += 1
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
