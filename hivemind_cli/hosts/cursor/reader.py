"""Cursor: transcripts of editor and CLI with a JSON line a message, and the CLI's SQLite store of each chat.

`~/.cursor/projects/<slug>/agent-transcripts/<id>/<id>.jsonl` has neither times, call ids nor most results;
`~/.cursor/chats/<hash>/<id>/store.db` has ids and results, and is read in its place where both tell of one session.
Both are undocumented: the shapes are those that others found in real files (up to 2026.09), not checked against ours.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from hivemind_cli.hosts import calls, databases, jsonlines, values
from hivemind_cli.hosts.base import Seen, reading
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.telling import Teller

TOOLS = calls.Tools(
    shells=frozenset({"Shell", "Bash", "run_terminal_cmd", "run_terminal_command", "run_terminal_command_v2"}),
    edits=frozenset(
        {
            "Write",
            "Edit",
            "MultiEdit",
            "StrReplace",
            "ApplyPatch",
            "EditNotebook",
            "Delete",
            "write",
            "edit_file",
            "edit_file_v2",
            "search_replace",
            "code_edit",
            "apply_patch",
            "delete_file",
            "edit_notebook",
        }
    ),
    reads=frozenset(
        {
            "Read",
            "Grep",
            "Glob",
            "LS",
            "SemanticSearch",
            "ReadLints",
            "read_file",
            "read_file_v2",
            "list_dir",
            "grep",
            "grep_search",
            "file_search",
            "glob_file_search",
            "codebase_search",
            "read_lints",
        }
    ),
)
_TRANSCRIPTS = "agent-transcripts"
_STORE = "store.db"
_QUERY = re.compile(r"<user_query>\s*(.*?)\s*</user_query>", re.DOTALL)
_CONTEXT = re.compile(r"\s*<[a-z][a-z_-]*>")
"""What the host puts before or instead of a person's words."""
_REFUSED = re.compile(
    r"\A(?:Error: )?(?:(?:The )?user (?:has )?(?:rejected|declined|denied|skipped)\b"
    r"|rejected by (?:the )?user|[^\n.]{0,80} (?:rejected|declined|denied|skipped) by (?:the )?user)"
    r"(?:.{0,200}?(?:reason|feedback|message|said): ?(?P<words>.+))?",
    re.IGNORECASE | re.DOTALL,
)
_REFUSAL_CHARS_MAX = 2_000
_FAILED = re.compile(r"\A(?:Exit code: ?[1-9]|Error: )")
_HASH_BYTES = 32
_FOLDERS_LOOKED_AT_MAX = 200


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Every chat of the CLI, then the transcripts of other sessions, each followed by those of its subagents."""
    folder = config_dir or home / ".cursor"
    root = folder.resolve()
    stored = sorted(jsonlines.own_files(folder.glob(f"chats/*/*/{_STORE}"), root), key=jsonlines.age)
    yield from stored
    known = {path.parent.name for path in stored}
    transcripts = folder / "projects"
    told = [
        path
        for shape in (f"*/{_TRANSCRIPTS}/*.jsonl", f"*/{_TRANSCRIPTS}/*/*.jsonl")
        for path in jsonlines.own_files(transcripts.glob(shape), root)
    ]
    for path in sorted(told, key=jsonlines.age):
        if path.stem not in known and sessions_in(path):
            known.add(path.stem)
            yield path
            yield from sorted(jsonlines.own_files(path.parent.glob("subagents/*.jsonl"), root))


def sessions_in(path: Path) -> tuple[Path, ...]:
    """`path` itself, if it is a chat's store or a transcript."""
    if path.suffix == ".db":
        return (path,) if _is_store(path) else ()
    ours = [one for one in jsonlines.head(path) if one.get("type") != "turn_ended"]
    return (path,) if ours and all(_is_message(one) for one in ours) else ()


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session. OSError if it cannot be read."""
    if path.suffix == ".db":
        yield from _read_store(path)
        return
    subagent = path.parent.name == "subagents"
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    session_id = path.parent.parent.name if subagent else path.stem
    reader = _Reading(Teller(session_id, cwd=_cwd(path), agent_id=path.stem if subagent else "", at=at, turns=False))
    if not subagent:
        yield reader.teller.start()
    yield from jsonlines.told(path, reader.line, reader.teller.close)


def _is_message(line: Mapping[str, Any]) -> bool:
    """Lines of other hosts carry a type, an id or a time; Cursor's carry none."""
    message = line.get("message")
    bare = not line.keys() & {"type", "uuid", "sessionId", "timestamp", "payload", "id"}
    return bare and line.get("role") in ("user", "assistant") and isinstance(message, dict) and "content" in message


class _Reading:
    """Feed it the messages of one session, in order."""

    def __init__(self, teller: Teller) -> None:
        self.teller = teller
        self._open: list[str] = []
        """Calls of the last message without a result, for a transcript that gives them no ids."""

    def line(self, line: Mapping[str, Any]) -> list[Seen]:
        """What one line of a transcript shows."""
        if line.get("type") == "turn_ended":
            waiting, self._open = bool(self._open), []
            return self.teller.interrupt(for_tool=waiting) if line.get("status") == "aborted" else []
        return self.message(values.text(line.get("role")), values.mapping(line.get("message")).get("content"))

    def message(self, role: str, content: object) -> list[Seen]:
        """What one message shows."""
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        if role == "assistant":
            self._open.clear()
        seen: list[Seen] = []
        said: list[str] = []
        for block in (one for one in blocks if isinstance(one, dict)):
            kind = block.get("type")
            if kind == "text":
                said.append(values.text(block.get("text")))
            elif kind in ("tool_use", "tool-call"):
                seen += self._speak(role, said)
                seen.append(self._call(block))
            elif kind in ("tool_result", "tool-result"):
                seen += self._result(block)
        return seen + self._speak(role, said)

    def _speak(self, role: str, said: list[str]) -> list[Seen]:
        text = "\n".join(filter(None, said))
        said.clear()
        if role == "user":
            words = _typed(text)
            return self.teller.prompt(words) if words else []
        if role == "assistant":
            self.teller.reply(text)
        return []

    def _call(self, block: Mapping[str, Any]) -> Seen:
        tool = values.string(block, "name", "toolName") or "tool"
        tool_input = calls.parsed(block.get("input", block.get("args")))
        call_id = values.string(block, "id", "toolCallId") or self.teller.call_id(tool, tool_input)
        self._open.append(call_id)
        return self.teller.call(call_id, tool, TOOLS.act(tool, tool_input, self.teller.cwd), tool_input)

    def _result(self, block: Mapping[str, Any]) -> list[Seen]:
        call_id = values.string(block, "tool_use_id", "toolCallId") or (self._open[0] if self._open else "")
        tool, _, tool_input = self.teller.called(call_id)
        if not tool:
            return []
        if call_id in self._open:
            self._open.remove(call_id)
        output = calls.blocks_text(block.get("result", block.get("content")))
        refused = _REFUSED.match(output) if len(output) <= _REFUSAL_CHARS_MAX else None
        if refused:
            return [self.teller.denied(call_id, "person", (refused["words"] or "").strip())]
        if block.get("isError") is True or block.get("is_error") is True or _FAILED.match(output):
            return [self.teller.failure(call_id, output)]
        return [self.teller.result(call_id, output, wrote=TOOLS.wrote(tool, tool_input, self.teller.cwd))]


def _typed(text: str) -> str:
    """A person's words in a user message, which may hold much of the host's own."""
    queries = _QUERY.findall(text)
    if queries:
        return persons_words("\n".join(filter(None, queries)))
    return "" if _CONTEXT.match(text) else persons_words(text)


def _is_store(path: Path) -> bool:
    if not databases.is_database(path):
        return False
    try:
        with databases.opened(path) as database:
            return _has_blobs(database)
    except OSError:
        return False


def _has_blobs(database: sqlite3.Connection) -> bool:
    blobs, meta = databases.columns(database, "blobs"), databases.columns(database, "meta")
    return {"id", "data"} <= blobs and {"key", "value"} <= meta


def _read_store(path: Path) -> Iterator[Seen]:
    with databases.opened(path) as database:
        if not _has_blobs(database):
            raise OSError(f"{path} is no chat of Cursor: its tables are missing.")
        meta = _meta(database)
        root = _blob(database, values.text(meta.get("latestRootBlobId")))
        sidecar = calls.parsed(_text(path.with_name("meta.json")))
        fields = _fields(root)
        workspace = next((_local(raw) for number, raw in fields if number == 9), "")
        begun = values.time(meta.get("createdAt")) or values.time(sidecar.get("createdAtMs"))
        session_id = path.parent.name if path.name == _STORE else values.text(meta.get("agentId")) or path.stem
        teller = Teller(
            session_id,
            cwd=values.string(sidecar, "cwd") or workspace,
            at=begun or datetime.fromtimestamp(path.stat().st_mtime, UTC),
            turns=False,
        )
        yield teller.start()
        reader = _Reading(teller)
        for raw in _messages(database, fields):
            message = calls.parsed(raw)
            if message:
                role = values.text(message.get("role"))
                yield from databases.shown(reader.message, role, message.get("content"))
            else:
                reading().skipped["message torn or strange"] += 1
        yield from teller.close()


def _messages(database: sqlite3.Connection, fields: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """The messages that the newest root lists; without such a root, those that stand in the table, in its order."""
    listed = [raw.hex() for number, raw in fields if number == 1 and len(raw) == _HASH_BYTES]
    if listed:
        yield from (_blob(database, one) for one in listed)
        return
    for row in databases.rows(database, "blobs", ("data",), "ORDER BY rowid"):
        raw = _bytes(row["data"])
        if raw.lstrip()[:1] == b"{" and b'"role"' in raw:
            yield raw


def _meta(database: sqlite3.Connection) -> dict[str, Any]:
    """One row holds JSON, as text or as hexadecimal digits; older stores have a row for each field."""
    fields: dict[str, Any] = {}
    for row in databases.rows(database, "meta", ("key", "value")):
        value = _bytes(row["value"]).decode("utf-8", "replace")
        try:
            held = calls.parsed(value) or calls.parsed(bytes.fromhex(value))
        except ValueError:
            held = {}
        fields.update(held or {str(row["key"]): value})
    return fields


def _blob(database: sqlite3.Connection, blob_id: str) -> bytes:
    row = next(databases.rows(database, "blobs", ("data",), "WHERE id = ?", (blob_id,)), None)
    return _bytes(row["data"]) if row else b""


def _bytes(value: object) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else value if isinstance(value, bytes) else b""


def _fields(raw: bytes) -> list[tuple[int, bytes]]:
    """(number, value) of the length-delimited fields of a protocol buffer, as far as it can be read."""
    fields: list[tuple[int, bytes]] = []
    at = 0
    try:
        while at < len(raw):
            key, at = _varint(raw, at)
            if key & 7 == 2:
                length, at = _varint(raw, at)
                if at + length > len(raw):
                    break
                fields.append((key >> 3, raw[at : at + length]))
                at += length
            elif key & 7 == 0:
                _, at = _varint(raw, at)
            elif key & 7 in (1, 5):
                at += 8 if key & 7 == 1 else 4
            else:
                break
    except IndexError:  # torn
        pass
    return fields


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80 or shift > 63:
            return value, at


def _local(raw: bytes) -> str:
    """The path in a file URI."""
    uri = urlsplit(raw.decode("utf-8", "replace"))
    return unquote(uri.path) if uri.scheme == "file" else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def _cwd(path: Path) -> str:
    """The project of a transcript: as its folder notes it, or the folder on this machine that its slug is made of."""
    parts = path.parts
    if _TRANSCRIPTS not in parts:
        return ""
    project = Path(*parts[: parts.index(_TRANSCRIPTS)])
    noted = calls.parsed(_text(project / ".workspace-trusted"))
    named = values.string(noted, "workspacePath", "path")
    return named if named.startswith("/") else _unslugged(project.name)


def _unslugged(slug: str) -> str:
    """The one existing folder whose path, its separators and dots turned to hyphens, is `slug`; else ""."""
    waiting = [(Path("/"), slug)]
    for _ in range(_FOLDERS_LOOKED_AT_MAX):
        if not waiting:
            break
        folder, rest = waiting.pop()
        if not rest:
            return str(folder)
        try:
            below = [one for one in folder.iterdir() if one.is_dir()]
        except OSError:
            continue
        for one in below:
            name = re.sub(r"[^A-Za-z0-9]+", "-", one.name).strip("-")
            if name and (rest == name or rest.startswith(f"{name}-")):
                waiting.append((one, rest[len(name) :].removeprefix("-")))
    return ""
