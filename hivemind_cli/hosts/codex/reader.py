"""One Codex rollout line after the other becomes what was seen.

Most things stand in a rollout twice: as the model saw them (`response_item`) and as the display did (`event_msg`).
What comes first is told, and the other is recognised. A command's end is told by its own event, which has the exit
code, or by what the model was given. Hooks carry the same turn ids and call ids, so both make the same keys.
"""

from collections import Counter, deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.hosts import calls, jsonlines, patch, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.codex import tools, words
from hivemind_cli.hosts.keys import digest
from hivemind_cli.hosts.places import Places
from hivemind_cli.hosts.telling import Teller

Payload = Mapping[str, Any]

_TURNS_MAX = 1_000
_CALLS_MAX = 1_000
_RUNNING_MAX = 200
_COPIED_WITHIN = timedelta(seconds=2)
"""A fork's file begins with the lines of the session it comes from, written at once."""
_OLD_ITEMS = frozenset({"message", "function_call", "function_call_output", "local_shell_call", "reasoning"})
"""Lines of the first versions, which had no envelope."""
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output", "local_shell_call_output"})


class Reader:
    """Feed it the lines of one rollout, in order."""

    def __init__(self, session_id: str) -> None:
        self._tell = Teller(session_id)
        self._thread = ""
        self._since: datetime | None = None
        self._copying = False
        self._turn = ""
        self._prompted: str | None = None
        self._policy = ""
        self._calls: dict[str, tools.Call] = {}
        self._ended = jsonlines.Once()
        self._ids = jsonlines.Once()
        self._running: dict[str, str] = {}
        self._said: dict[str, Counter[str]] = {"item": Counter(), "event": Counter(), "told": Counter()}
        self._places = Places()
        self._turns: deque[str] = deque(maxlen=_TURNS_MAX)
        self._abandoned: list[str] = []
        self._aborted = False
        self._prompts = 0
        self._last_said = ""
        self._unsure = ("", "")

    def feed(self, line: Payload) -> list[Seen]:
        """What this line shows. What it raises is in jsonlines.STRANGE: the line is not as we know it."""
        kind, payload = values.text(line.get("type")), line.get("payload")
        at = values.time(line.get("timestamp"))
        if not isinstance(payload, dict):
            kind, payload = _old(line)
        if kind == "session_meta":
            return self._meta(payload, at)
        if self._is_copy(_turn_of(payload), at):
            return []
        if kind == "turn_context" or payload.get("type") in ("task_started", "turn_started"):
            self._context(payload)
        elif kind == "response_item":
            return self._item(payload, values.mapping(line.get("metadata")), at)
        elif kind == "event_msg":
            return self._event(payload, at)
        elif kind == "compacted":
            return self._compacted(payload, at)
        return []

    def close(self) -> list[Seen]:
        """The reply held back."""
        return self._tell.close()

    def _meta(self, payload: Payload, at: datetime | None) -> list[Seen]:
        thread = values.text(payload.get("id")) or values.text(payload.get("session_id"))
        if self._thread or not thread:
            self._copying = self._copying or (bool(thread) and thread != self._thread)
            return []
        self._thread, self._since = thread, at
        forked = values.text(payload.get("forked_from_id"))
        self._copying = bool(forked)
        parent = _parent(payload)
        root = values.text(payload.get("session_id")) if parent is not None else thread
        session_id = (root if root != thread else "") or parent or thread
        begun = values.time(payload.get("timestamp")) or at
        agent_id = "" if parent is None else thread
        self._tell = Teller(session_id, cwd=values.text(payload.get("cwd")), agent_id=agent_id, at=begun)
        return [] if agent_id else [self._tell.start(begun, source="fork" if forked else "startup")]

    def _is_copy(self, turn: str, at: datetime | None) -> bool:
        """Is this line of the session that this one was forked from, where it is told already?"""
        if not self._copying:
            return False
        if _is_timed(turn) and _is_timed(self._thread):
            self._copying = turn < self._thread  # ids of version 7 begin with their time
        elif at and self._since and at - self._since > _COPIED_WITHIN:
            self._copying = False
        return self._copying

    def _context(self, payload: Payload) -> None:
        self._turn = values.text(payload.get("turn_id"))
        self._tell.cwd = values.text(payload.get("cwd")) or self._tell.cwd
        self._policy = values.text(payload.get("approval_policy")) or self._policy

    def _item(self, payload: Payload, metadata: Payload, at: datetime | None) -> list[Seen]:
        kind = payload.get("type")
        if kind == "message":
            named = values.text(payload.get("id"))
            if named and not self._ids.new(named):
                return []
            if payload.get("role") == "user":
                return self._user(payload, at)
            if payload.get("role") == "assistant" and metadata.get("compaction_output") is not True:
                self._last_said = calls.blocks_text(payload.get("content")).strip()
                self._tell.reply(self._last_said, at, prompt_id=_turn_of(payload) or self._turn)
            return []
        if kind in _OUTPUTS:
            return self._output(values.text(payload.get("call_id")), payload.get("output"), at)
        if kind == "function_call":
            return self._call(_tool(payload), payload.get("arguments"), payload, at)
        if kind == "custom_tool_call":
            return self._call(_tool(payload), payload.get("input"), payload, at)
        if kind == "local_shell_call":
            return self._call("local_shell", payload["action"], payload, at)
        return []

    def _user(self, payload: Payload, at: datetime | None) -> list[Seen]:
        texts = words.persons_texts(payload)
        ran = [command for text in texts if (command := words.shell_command(text))]
        turn = _turn_of(payload) or self._turn
        stems = [(command, f"steer:{turn}:{digest(command)}:") for command in ran]
        found = [seen for line, key in stems for seen in self._tell.steer("", at, key=self._tell.nth(key), ran=line)]
        said = "\n".join(filter(None, (words.persons_words(text) for text in texts)))
        return found + self._prompt(said, "item", turn, at)

    def _prompt(self, said: str, source: str, turn: str, at: datetime | None) -> list[Seen]:
        """`source` is the log it stands in: what one of the two has told, the other only confirms."""
        if not said:
            return []
        mark = digest(said)
        self._said[source][mark] += 1
        (log, words_told), self._unsure = self._unsure, ("", "")
        if self._said[source][mark] <= self._said["told"][mark]:
            return []
        self._said["told"][mark] += 1
        if log not in ("", source) and turn in ("", self._prompted) and (said in words_told or words_told in said):
            return []  # one log shows more of the same message, such as what was attached
        self._unsure = (source, said)
        steer = bool(turn) and turn == self._prompted
        if not steer:
            self._prompts += 1
            self._turns.append(str(self._prompts))
            self._places.note(self._turns[-1])
        self._prompted, self._aborted = turn, False
        lost, self._abandoned = self._abandoned, []
        return self._tell.prompt(said, at, prompt_id=turn, abandoned=lost, steer=steer)

    def _call(self, name: str, arguments: object, payload: Payload, at: datetime | None) -> list[Seen]:
        call = tools.read_call(name, arguments, self._tell.cwd)
        call_id = values.string(payload, "call_id", "id") or self._tell.call_id(name, arguments)
        return self._begin(call_id, call, at)

    def _begin(self, call_id: str, call: tools.Call, at: datetime | None) -> list[Seen]:
        if call_id in self._calls or call_id in self._ended:
            return []
        self._calls[call_id] = call
        if len(self._calls) > _CALLS_MAX:
            del self._calls[next(iter(self._calls))]
        return [self._tell.call(call_id, call.tool, call.act, call.input, at)]

    def _output(self, call_id: str, output: object, at: datetime | None) -> list[Seen]:
        if not call_id or call_id in self._ended:
            return []
        call = self._calls.get(call_id) or tools.read_call("", {}, "")
        outcome = tools.read_outcome(output)
        if call.act.kind in (SHELL, EDIT) or call.tool == "exec":
            if tools.aborted(output):
                return self._stopped(call_id, call, outcome, at)
            if refusal := tools.denial(output):
                self._over(call_id)
                return [self._tell.denied(call_id, at=at, **refusal)]
        if outcome.running:
            self._running[outcome.running] = call_id
            if len(self._running) > _RUNNING_MAX:
                del self._running[next(iter(self._running))]
            return []
        return self._polled(call, outcome, at) + self._end(call_id, outcome, at)

    def _polled(self, call: tools.Call, outcome: tools.Outcome, at: datetime | None) -> list[Seen]:
        """The end of a command that had gone on running, as a later look at it shows."""
        first = self._running.get(str(call.input.get("session_id", "")), "") if call.tool == "write_stdin" else ""
        return self._end(first, outcome, at) if first and outcome.exit_code is not None else []

    def _stopped(self, call_id: str, call: tools.Call, outcome: tools.Outcome, at: datetime | None) -> list[Seen]:
        """The person pressed Esc at the question whether it may run, or, where nothing was asked, while it ran."""
        self._over(call_id)
        self._aborted = True
        if tools.may_be_asked(call, self._policy):
            return [self._tell.denied(call_id, "person", "", at)]
        return [self._tell.failure(call_id, outcome.text, at, interrupted=True)]

    def _over(self, call_id: str) -> None:
        self._ended.new(call_id)
        self._calls.pop(call_id, None)

    def _end(self, call_id: str, outcome: tools.Outcome, at: datetime | None) -> list[Seen]:
        if call_id in self._ended:
            return []
        call = self._calls.get(call_id) or tools.read_call("", {}, "")
        self._over(call_id)
        if tools.failed(call, outcome):
            return [self._tell.failure(call_id, outcome.text, at)]
        if call.act.kind == EDIT:
            self._places.edited(call_id)
        wrote = patch.wrote(call.patch, self._tell.cwd) if call.patch else None
        return [self._tell.result(call_id, outcome.text, at, wrote=dict(wrote) if wrote else None)]

    def _event(self, payload: Payload, at: datetime | None) -> list[Seen]:
        kind = payload.get("type")
        if kind == "item_completed":
            return self._done(values.mapping(payload.get("item")), _turn_of(payload), at)
        if kind == "user_message":
            plain = payload.get("kind") in (None, "plain")
            said = words.persons_words(values.text(payload.get("message"))) if plain else ""
            return self._prompt(said, "event", _turn_of(payload) or self._turn, at)
        if kind == "exec_command_end":
            return self._command(payload, values.text(payload.get("call_id")), at)
        if kind == "patch_apply_end":
            return self._changed(payload, values.text(payload.get("call_id")), payload.get("success"), at)
        if kind == "turn_aborted" and payload.get("reason", "interrupted") == "interrupted":
            turn = _turn_of(payload) or self._turn
            for_tool, self._aborted, self._prompted = self._aborted, False, None
            return self._tell.interrupt(at, key=f"interrupt:{turn}" if turn else "", for_tool=for_tool)
        if kind in ("task_complete", "turn_complete"):
            self._prompted = None
            return [] if self._tell.agent_id else self._tell.flush()
        if kind == "thread_rolled_back":
            self._back(payload.get("num_turns"))
        if kind == "thread_settings_applied":
            settings = values.mapping(payload.get("thread_settings"))
            self._tell.cwd = values.text(settings.get("cwd")) or self._tell.cwd
            self._policy = values.text(settings.get("approval_policy")) or self._policy
        return []

    def _done(self, item: Payload, turn: str, at: datetime | None) -> list[Seen]:
        kind, call_id = item.get("type"), values.text(item.get("id"))
        if kind == "UserMessage":
            said = "\n".join(filter(None, (words.persons_words(text) for text in words.persons_texts(item))))
            return self._prompt(said, "event", turn or self._turn, at)
        if kind == "CommandExecution":
            return self._command(item, call_id, at)
        if kind == "FileChange":
            return self._changed(item, call_id, item.get("status") == "completed", at)
        return []

    def _command(self, told: Payload, call_id: str, at: datetime | None) -> list[Seen]:
        """A command's end. One that no call of the model's own names was run from within a script of the agent's."""
        if not call_id or call_id in self._ended or str(told.get("source", "")).startswith("user"):
            return []
        line = tools.command_line(told["command"]) if isinstance(told.get("command"), list) else ""
        begun = [] if call_id in self._calls else self._begin(call_id, _ran(line), at)
        text = values.string(told, "aggregated_output", "formatted_output", "stdout", "stderr")
        if told.get("status") == "declined":
            self._over(call_id)
            refusal = tools.denial(text) or {"by": "rule", "words": "", "reason": values.short(text)}
            return [*begun, self._tell.denied(call_id, at=at, **refusal)]
        code = told.get("exit_code")
        outcome = tools.Outcome(text, code if isinstance(code, int) else None, failed=told.get("status") == "failed")
        return begun + self._end(call_id, outcome, at)

    def _changed(self, told: Payload, call_id: str, success: object, at: datetime | None) -> list[Seen]:
        if not call_id or call_id in self._ended:
            return []
        path = next(iter(values.mapping(told.get("changes"))), "")
        act = Act(EDIT, tools.PATCH, path=values.relative(path, self._tell.cwd))
        begun = [] if call_id in self._calls else self._begin(call_id, tools.Call(tools.PATCH, act, {}), at)
        text = "\n".join(filter(None, (values.text(told.get("stdout")), values.text(told.get("stderr")))))
        outcome = tools.Outcome(text, 0) if success is True else tools.Outcome(text, failed=True)
        return begun + self._end(call_id, outcome, at)

    def _compacted(self, payload: Payload, at: datetime | None) -> list[Seen]:
        if self._last_said and self._last_said in values.text(payload.get("message")):
            self._tell.unsay()  # older versions log the summary as if it were said
        trigger = "auto" if self._prompted == self._turn else "manual"
        return [self._tell.compact(trigger, at, prompt_id=self._turn)]

    def _back(self, turns: object) -> None:
        """The person took back so many of the last turns."""
        for _ in range(turns if isinstance(turns, int) else 0):
            if self._turns:
                self._abandoned = self._places.back_to(self._turns.pop()) + self._abandoned


def _old(line: Payload) -> tuple[str, Payload]:
    """A line of the first versions, as a line of today's."""
    if line.get("type") in _OLD_ITEMS:
        return "response_item", line
    return ("session_meta" if "id" in line and "instructions" in line else ""), line


def _turn_of(payload: Payload) -> str:
    passed = values.mapping(payload.get("internal_chat_message_metadata_passthrough"))
    return values.text(payload.get("turn_id")) or values.text(passed.get("turn_id"))


def _parent(payload: Payload) -> str | None:
    """The session whose agent, or whose host for its own ends, started this one ("": not told); None: a person did."""
    source = payload.get("source")
    spawned = source.get("subagent", source.get("sub_agent")) if isinstance(source, dict) else None
    if spawned is None and payload.get("thread_source") in (None, "user"):
        return None
    spawn = values.mapping(values.mapping(spawned).get("thread_spawn"))
    return (
        values.text(payload.get("parent_thread_id"))
        or values.text(spawn.get("parent_thread_id"))
        or values.text(payload.get("forked_from_id"))
    )


def _tool(payload: Payload) -> str:
    name, space = values.text(payload.get("name")), values.text(payload.get("namespace"))
    return f"{space.rstrip('_')}__{name}" if space.startswith("mcp__") and not name.startswith("mcp__") else name


def _is_timed(name: str) -> bool:
    """Is this a UUID of version 7?"""
    return len(name) == 36 and name[14] == "7"


def _ran(line: str) -> tools.Call:
    return tools.Call(tools.SHELL, Act(SHELL, tools.SHELL, command=line), {"command": line})
