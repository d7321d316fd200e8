"""Copilot CLI: past sessions from `<config folder>/session-state/<id>/events.jsonl`, an event a line.

Older versions wrote `session-state/<id>.jsonl`, and before that `history-session-state/….json`, one JSON object with
the chat's messages. Hooks carry neither prompt nor call ids: keys are made of what was said and done, and the count of
equal ones. Source: session files and hook payloads of 1.0.102; the event reference of GitHub's Copilot SDK.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hivemind_cli.core import acts
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import calls, documents, jsonlines, values
from hivemind_cli.hosts.base import Seen, Tail
from hivemind_cli.hosts.copilot import tools, words
from hivemind_cli.hosts.keys import reply_key
from hivemind_cli.hosts.places import Places
from hivemind_cli.hosts.tails import Tails, own_transcript
from hivemind_cli.hosts.telling import Teller

_PERSONS = frozenset({"", "user", "human", "interactive", "cli", "prompt", "remote"})
"""Sources of a user message that is a person's; others are the host's own, such as a skill's text."""
_BY_PERSON = "by-user"
_LISTS = ("chatMessages", "timeline")
_Line = Mapping[str, Any]


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """Every session, oldest first; those of older versions too."""
    folder = config_dir or home / ".copilot"
    state, history = folder / "session-state", folder / "history-session-state"
    found = [*jsonlines.own_files([*state.glob("*/events.jsonl"), *state.glob("*.jsonl")], state.resolve())]
    found += jsonlines.own_files(history.glob("*.json"), history.resolve())
    newer = {path.parent.name for path in found if path.name == "events.jsonl"}
    known = (path for path in found if path.name == "events.jsonl" or path.stem not in newer)
    yield from sorted(known, key=jsonlines.age)


def sessions_in(path: Path) -> tuple[Path, ...]:
    """`path` itself if one of its first lines is Copilot's, else ()."""
    if path.suffix == ".json":
        head = documents.head(path, *_LISTS)
        return (path,) if head and isinstance(head.get("sessionId"), str) else ()
    return (path,) if any(_is_own(value) for value in jsonlines.head(path)) else ()


def read_transcript(path: Path) -> Iterator[Seen]:
    """All of one session, in order. OSError if it cannot be read."""
    reader = _begun(path)
    if path.suffix == ".json":
        return documents.told(path, _LISTS, reader.feed_chat, reader.close)
    return jsonlines.told(path, reader.feed, reader.close)


def transcript_of(home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
    """The session's file, links resolved; None if the payload names no session that could have one."""
    named = values.string(payload, "sessionId")
    if not named or named.startswith(".") or "/" in named:
        return None
    state = (config_dir or home / ".copilot").absolute() / "session-state"
    return own_transcript(str(state / named / "events.jsonl"), state)


def read_tail(path: Path, offset: int) -> Tail:
    """What the session's file says after `offset` bytes; see Tails.read."""
    return _TAILS.read(path, offset)


def agent_teller(session_id: str, agent_id: str, cwd: str) -> Teller:
    """Tells what an agent within did, in a file or in hooks."""
    return Teller(session_id, cwd=cwd, agent_id=agent_id, by_input=True, call_mark=f"{agent_id}:")


def _begun(path: Path) -> "_Session":
    return _Session(path.parent.name if path.name == "events.jsonl" else path.stem)


def _is_own(value: _Line) -> bool:
    return isinstance(value.get("data"), dict) and "." in values.text(value.get("type")) and "id" in value


class _Session:
    """Feed it the events of one session, in order."""

    def __init__(self, session_id: str) -> None:
        self._tell = Teller(session_id, by_input=True)
        self._begun = False
        self._ids = jsonlines.Once()
        self._told = jsonlines.Once()
        self._places = Places()
        self._abandoned: list[str] = []
        self._agents: dict[str, Teller] = {}
        self._asked: dict[str, str] = {}
        self._refused: dict[str, dict[str, str]] = {}
        self._ended_because = ""
        self._last_refused = False

    def feed(self, line: _Line) -> list[Seen]:
        """What this event shows. What it raises is in jsonlines.STRANGE: it is not as we know it."""
        kind, data = line["type"], values.mapping(line.get("data"))
        named = values.text(line.get("id"))
        if named and not self._ids.new(named):
            return []
        at = values.time(line.get("timestamp"))
        agent = values.string(line, "agentId") or values.string(data, "parentToolCallId")
        tell = self._agent(agent) if agent else self._tell
        self._places.note(named)
        if kind == "user.message":
            return [] if agent else self._user(data, at)
        if kind == "assistant.message":
            return self._answer(tell, data, at)
        if kind == "tool.execution_start":
            return self._call(tell, data.get("toolCallId"), data.get("toolName"), data.get("arguments"), at)
        if kind == "tool.execution_complete":
            return self._done(tell, data, at)
        if kind.startswith("subagent."):
            return self._subagent(kind, agent or values.text(data.get("toolCallId")), data, at)
        if kind == "abort":
            by_person = "user" in values.text(data.get("reason") or "user")
            key = f"interrupt:{named}" if named else ""
            for_tool = self._last_refused or bool(self._asked)
            return tell.interrupt(at, key=key, for_tool=for_tool) if by_person and not agent else []
        return self._other(kind, data, named, at)

    def held(self) -> list[Seen]:
        """The last word of the agent, if it made no call with it."""
        return self._tell.held()

    def close(self) -> list[Seen]:
        """What is held back: of the session, and of the agents within it."""
        return [*self._tell.close(), *(seen for tell in self._agents.values() for seen in tell.close())]

    def _other(self, kind: str, data: _Line, named: str, at: datetime | None) -> list[Seen]:
        if kind in ("session.start", "session.resume"):
            return self._start(kind, data, at)
        if kind == "session.context_changed":
            self._tell.cwd = values.text(data.get("cwd")) or self._tell.cwd
        elif kind == "tool.user_requested":
            command = values.text(calls.parsed(data.get("arguments")).get("command"))
            self._told.new(f"end:{data.get('toolCallId')}")
            return self._tell.steer("", at, ran=command) if command else []
        elif kind.startswith("permission."):
            return self._permission(kind, data, at)
        elif kind == "session.compaction_complete" and data.get("success") is not False:
            return [self._tell.compact(values.text(data.get("trigger")), at, key=f"compact:{named}" if named else "")]
        elif kind == "session.snapshot_rewind":
            self._abandoned += self._places.behind(values.text(data.get("upToEventId")))
        elif kind == "hook.start" and data.get("hookType") == "sessionEnd":
            self._ended_because = values.text(values.mapping(data.get("input")).get("reason"))
        elif kind == "session.shutdown":
            reason = self._ended_because or {"error": "error"}.get(values.text(data.get("shutdownType")), "complete")
            return self._tell.end(reason, at)
        return []

    def _start(self, kind: str, data: _Line, at: datetime | None) -> list[Seen]:
        cwd = values.text(values.mapping(data.get("context")).get("cwd"))
        if kind == "session.start" and not self._begun:
            self._begun = True
            begun = values.time(data.get("startTime")) or at
            session_id = values.text(data.get("sessionId")) or self._tell.session_id
            self._tell = Teller(session_id, cwd=cwd, at=begun, by_input=True)
            return [self._tell.start(begun, source="new")]
        self._tell.cwd = cwd or self._tell.cwd
        return [self._tell.start(at, source="resume")] if kind == "session.resume" else []

    def _subagent(self, kind: str, name: str, data: _Line, at: datetime | None) -> list[Seen]:
        if not name or kind not in ("subagent.started", "subagent.completed", "subagent.failed"):
            return []
        tell = self._agent(name)
        if kind == "subagent.started":
            return tell.prompt(values.string(data, "agentName", "agentDisplayName"), at)
        return tell.close()

    def _agent(self, name: str) -> Teller:
        if name not in self._agents:
            self._agents[name] = agent_teller(self._tell.session_id, name, self._tell.cwd)
        return self._agents[name]

    def _user(self, data: _Line, at: datetime | None) -> list[Seen]:
        source = values.text(data.get("source"))
        said = words.persons_words(values.text(data.get("content")))
        if source not in _PERSONS or not said:
            return []
        if data.get("agentMode") == "shell":
            return self._tell.steer("", at, ran=said.lstrip("! "))
        lost, self._abandoned = self._abandoned, []
        self._last_refused = False
        steer = values.text(data.get("delivery")) in ("steering", "immediate")
        return self._tell.prompt(said, at, abandoned=lost, steer=steer)

    def _answer(self, tell: Teller, data: _Line, at: datetime | None) -> list[Seen]:
        said = values.text(data.get("content")).strip()
        if said:
            tell.reply(said, at, key=tell.nth(f"{reply_key('', said)}:"))
        found: list[Seen] = []
        requests = data.get("toolRequests")
        for one in requests if isinstance(requests, list) else ():
            asked = values.mapping(one)
            found += self._call(tell, asked.get("toolCallId"), asked.get("name"), asked.get("arguments"), at)
        return found

    def _call(self, tell: Teller, named: object, tool: object, given: object, at: datetime | None) -> list[Seen]:
        name = values.text(tool)
        arguments = tools.given_to(given)
        call_id = values.text(named) or tell.call_id(name, arguments)
        if not name or not self._told.new(f"call:{call_id}") or f"end:{call_id}" in self._told:
            return []
        return [tell.call(call_id, name, tools.act_of(name, arguments, self._tell.cwd), arguments, at)]

    def _done(self, tell: Teller, data: _Line, at: datetime | None) -> list[Seen]:
        call_id = values.text(data.get("toolCallId"))
        if not call_id or not self._told.new(f"end:{call_id}"):
            return []
        tool, act, given = tell.called(call_id)
        result, error = values.mapping(data.get("result")), values.mapping(data.get("error"))
        text = words.unguided(values.string(result, "content", "detailedContent"))
        if data.get("success") is False or error:
            text, refusal = values.text(error.get("message")) or text, self._refused.pop(call_id, {})
            seen = tools.failed(tell, call_id, text, at, code=values.text(error.get("code")), refusal=refusal)
            self._last_refused |= seen.kind is EventKind.TOOL_DENIED and seen.payload["by"] == "person"
            return [seen]
        if tools.exited(text, act, values.mapping(data.get("shellExecution")).get("exitCode")):
            return [tell.failure(call_id, text, at)]
        if act.kind == acts.EDIT and tell is self._tell:
            self._places.edited(call_id)
        return [tell.result(call_id, text, at, wrote=tools.wrote(tool, given, self._tell.cwd))]

    def _permission(self, kind: str, data: _Line, at: datetime | None) -> list[Seen]:
        """Who allowed or refused which call, told before the call's end. Esc at the question leaves it without one."""
        request_id = values.text(data.get("requestId"))
        if kind == "permission.requested":
            call_id = values.text(values.mapping(data.get("permissionRequest")).get("toolCallId"))
            self._asked = {**dict(list(self._asked.items())[-100:]), request_id: call_id}
        elif kind == "permission.completed":
            result = values.mapping(data.get("result"))
            answer, call_id = values.text(result.get("kind")), self._asked.pop(request_id, "")
            call_id = values.text(data.get("toolCallId")) or call_id
            if call_id and answer.startswith("denied"):
                by = "person" if answer.endswith(_BY_PERSON) else "rule"
                self._refused[call_id] = {"by": by, "words": values.text(result.get("feedback")).strip()}
            elif answer == "cancelled" and self._tell.called(call_id)[0] and self._told.new(f"end:{call_id}"):
                return [self._tell.denied(call_id, "person", "", at)]
        return []

    def feed_chat(self, line: _Line) -> list[Seen]:
        """What a message of the oldest versions shows, which know no times but the session's start."""
        if "list" in line:
            at = values.time(line.get("startTime"))
            self._tell = Teller(values.text(line.get("sessionId")) or self._tell.session_id, at=at, by_input=True)
            return [self._tell.start(at, source="new")]
        role, said = line.get("role") or line.get("type"), calls.blocks_text(line.get("content") or line.get("text"))
        at = values.time(line.get("timestamp"))
        if role == "user":
            return self._user({"content": said}, at)
        if role in ("assistant", "copilot"):
            told = line.get("tool_calls")
            asked = [values.mapping(one) for one in told] if isinstance(told, list) else []
            made = [(one.get("id"), values.mapping(one.get("function"))) for one in asked]
            requests = [
                {"toolCallId": named, "name": of.get("name"), "arguments": of.get("arguments")} for named, of in made
            ]
            return self._answer(self._tell, {"content": said, "toolRequests": requests}, at)
        if role == "tool":
            return self._done(self._tell, {"toolCallId": line.get("tool_call_id"), "result": {"content": said}}, at)
        if role == "tool_call_requested":
            return self._call(self._tell, line.get("callId"), line.get("name"), line.get("arguments"), at)
        if role == "tool_call_completed":
            result = values.mapping(line.get("result"))
            kind, log = values.text(result.get("type")), values.text(result.get("log"))
            failed = {"error": {"message": log, "code": kind}} if kind in ("failure", *tools.REFUSALS) else {}
            return self._done(self._tell, {"toolCallId": line.get("callId"), "result": {"content": log}, **failed}, at)
        return []


_TAILS = Tails(_begun)
