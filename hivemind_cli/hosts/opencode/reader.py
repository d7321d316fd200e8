"""OpenCode: all sessions in one SQLite database, `opencode.db`, since 1.2; before, JSON files we do not read.

Tables session, message and part; message and part hold JSON in `data`. Source: reference of 1.18.33, what its plugin
was seen to send, and its published schema. What a plugin is told carries the same ids, which are our keys.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import calls, databases, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.opencode.tools import TOOLS, ended_badly, failed, output_text, typed
from hivemind_cli.hosts.telling import Teller

NAME = "opencode"
CONFIG_ENV = "XDG_DATA_HOME"
"""Its folder of data lies in this one, on macOS too."""

KILO = "kilo"
"""Its fork Kilo Code, whose databases have the same tables: they are known by the name of their folder."""

_SESSION = ("id", "parent_id", "directory", "title", "version", "time_created", "revert")
_RAN = "The following tool was executed by the user"
_PARENTS_MAX = 16

Part = Mapping[str, Any]


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Sessions of every `opencode*.db`, oldest first, each followed by those it gave to subagents.

    Development builds keep a database of their own beside the released one's.
    """
    yield from sessions_below((config_dir or home / ".local" / "share") / "opencode", "opencode*.db")


def sessions_below(folder: Path, names: str) -> Iterator[Path]:
    """Sessions of the databases in `folder` whose names fit the glob."""
    yield from databases.found(sorted(folder.glob(names)), folder, _listed)


def sessions_in(path: Path) -> tuple[Path, ...]:
    """The sessions of a database that has OpenCode's tables; a name of one session is itself."""
    return () if is_kilos(path) else claimed(path)


def claimed(path: Path) -> tuple[Path, ...]:
    """The same, whoever's database it is."""
    return databases.claimed(path, _listed)


def is_kilos(path: Path) -> bool:
    """Does the database lie in Kilo Code's folder?"""
    return path.parent.name == KILO


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session, message by message. OSError: the database cannot be read, or holds no such session."""
    file, session_id = databases.unnamed(path)
    if not session_id:
        for one in databases.sessions(file, _listed):
            yield from read_transcript(one)
        return
    with databases.opened(file) as database:
        if not _is_ours(database):
            raise OSError(f"{file} is no database of OpenCode: its tables are missing.")
        info = next(databases.rows(database, "session", _SESSION, "WHERE id = ?", (session_id,)), None)
        if info is None:
            raise OSError(f"{file} holds no session {session_id}. It may have been deleted.")
        root = _root(database, session_id)
        teller = Teller(
            root,
            cwd=values.text(info["directory"]),
            agent_id="" if root == session_id else session_id,
            at=values.time(info["time_created"]),
        )
        yield from _told(database, session_id, info, teller)


def _listed(database: sqlite3.Connection) -> list[tuple[str, str]]:
    if not _is_ours(database):
        return []
    order = "ORDER BY time_created, id" if "time_created" in databases.columns(database, "session") else ""
    rows = databases.rows(database, "session", ("id", "parent_id"), order)
    return [(values.text(row["id"]), values.text(row["parent_id"])) for row in rows]


def _is_ours(database: sqlite3.Connection) -> bool:
    part = databases.columns(database, "part")
    message = databases.columns(database, "message")
    return {"id", "message_id", "data"} <= part and {"id", "session_id", "data"} <= message


def _root(database: sqlite3.Connection, session_id: str) -> str:
    root = session_id
    for _ in range(_PARENTS_MAX):
        row = next(databases.rows(database, "session", ("parent_id",), "WHERE id = ?", (root,)), None)
        parent = values.text(row["parent_id"]) if row else ""
        if not parent:
            break
        known = next(databases.rows(database, "session", ("id",), "WHERE id = ?", (parent,)), None)
        if known is None or parent == session_id:
            break
        root = parent
    return root


def _told(database: sqlite3.Connection, session_id: str, info: databases.Row, teller: Teller) -> Iterator[Seen]:
    if not teller.agent_id:
        yield teller.start(values.time(info["time_created"]))
    reader = _Reading(teller)
    there = databases.columns(database, "message")
    order = "time_created, id" if "time_created" in there else "id"
    messages = databases.rows(
        database, "message", ("id", "data"), f"WHERE session_id = ? ORDER BY {order}", (session_id,)
    )
    for message in messages:
        data = calls.parsed(message["data"])
        message_id = values.text(message["id"])
        parts = (
            calls.parsed(row["data"])
            for row in databases.rows(database, "part", ("data",), "WHERE message_id = ? ORDER BY id", (message_id,))
        )
        yield from databases.shown(reader.message, message_id, data, parts)
    yield from teller.close()


class _Reading:
    """Feed it the messages of one session, in order."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._by_hand = False
        """The person's last message was `!command`: the call that follows is theirs."""

    def message(self, message_id: str, data: Mapping[str, Any], parts: Iterable[Part]) -> Iterator[Seen]:
        """What one message shows; nothing of one that is torn."""
        time = data.get("time")
        at = values.time(time.get("created")) if isinstance(time, Mapping) else None
        if data.get("role") == "user":
            yield from self._user(message_id, parts, at)
        elif data.get("role") == "assistant":
            yield from self._assistant(message_id, data, parts, at)

    def _user(self, message_id: str, parts: Iterable[Part], at: Any) -> Iterator[Seen]:
        said: list[str] = []
        self._by_hand = False
        for part in parts:
            kind, text = part.get("type"), values.string(part, "text")
            if kind == "compaction":
                trigger = "auto" if part.get("auto") is True else "manual"
                yield self._teller.compact(trigger, at, key=f"compact:{message_id}:#0")
            elif kind == "text" and part.get("synthetic") is True:
                self._by_hand = self._by_hand or text.startswith(_RAN)
            elif kind == "text" and part.get("ignored") is not True:
                said.append(typed(text))
        words = "\n".join(filter(None, said))
        if words:
            yield from self._teller.prompt(words, at, prompt_id=message_id)

    def _assistant(self, message_id: str, data: Mapping[str, Any], parts: Iterable[Part], at: Any) -> Iterator[Seen]:
        path = data.get("path")
        if isinstance(path, Mapping) and isinstance(path.get("cwd"), str):
            self._teller.cwd = path["cwd"]
        summary = data.get("summary") is True
        cut_call = False
        for part in parts:
            kind = part.get("type")
            if kind == "text" and not summary and part.get("synthetic") is not True:
                self._teller.reply(values.string(part, "text"), _time(part, "end") or at,
                                   prompt_id=values.string(data, "parentID"))  # fmt: skip
            elif kind == "tool":
                for one in self._tool(part, at):
                    cut_call = cut_call or one.payload.get("interrupted") is True
                    yield one
        error = data.get("error")
        if isinstance(error, Mapping) and error.get("name") == "MessageAbortedError":
            ended = _time(data, "completed") or at
            yield from self._teller.interrupt(ended, key=f"interrupt:{message_id}", for_tool=cut_call)

    def _tool(self, part: Part, at: Any) -> Iterator[Seen]:
        state, tool, call_id = part.get("state"), values.string(part, "tool"), values.string(part, "callID", "callId")
        if not isinstance(state, Mapping) or not tool or not call_id:
            return
        tool_input = calls.parsed(state.get("input"))
        begun, ended = _time(state, "start") or at, _time(state, "end") or _time(state, "start") or at
        act = TOOLS.act(tool, tool_input, self._teller.cwd)
        if self._by_hand and act.command:
            self._by_hand = False
            yield from self._teller.steer("", begun, key=f"{call_id}:steer", ran=act.command)
            return
        yield self._teller.call(call_id, tool, act, tool_input, begun)
        status = state.get("status")
        if status == "completed":
            yield self._completed(call_id, tool, tool_input, state, ended)
        elif status == "error":
            yield self._error(call_id, values.string(state, "error"), state, ended)

    def _completed(
        self, call_id: str, tool: str, tool_input: Mapping[str, Any], state: Mapping[str, Any], at: Any
    ) -> Seen:
        output = output_text(state.get("output"))
        if error := failed(output, _metadata(state).get("exit")):
            return self._teller.failure(call_id, error, at)
        wrote = TOOLS.wrote(tool, tool_input, self._teller.cwd)
        return self._teller.result(call_id, output, at, wrote=wrote)

    def _error(self, call_id: str, error: str, state: Mapping[str, Any], at: Any) -> Seen:
        kind, fields = ended_badly(error, interrupted=_metadata(state).get("interrupted") is True)
        if kind is EventKind.TOOL_DENIED:
            return self._teller.denied(call_id, at=at, **fields)
        return self._teller.failure(call_id, at=at, **fields)


def _metadata(state: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = state.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _time(fields: Mapping[str, Any], name: str) -> Any:
    time = fields.get("time")
    return values.time(time.get(name)) if isinstance(time, Mapping) else None
