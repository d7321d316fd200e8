"""One Claude Code transcript line after the other becomes what was seen.

The reader keeps what later lines need: the running prompt's id, calls without a result, queued messages, the
reply not known to be the last yet, and where lines stand, to notice a rewind. All of it is bounded.
Hooks and transcripts show the same things under the same native keys; tests/hosts/test_claude_twice.py holds
them against each other.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hivemind_cli.core.acts import EDIT, OTHER, Act
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts import keys, values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.claude import tools, words

Line = Mapping[str, Any]

_CALLS_MAX = 1_000
_PLACES_MAX = 20_000
_QUEUE_MAX = 100
_TURN_OVER = frozenset({"turn_duration", "stop_hook_summary"})


@dataclass(slots=True)
class _Call:
    tool: str
    act: Act
    input: Mapping[str, Any]
    place: int


_NO_CALL = _Call(tool="", act=Act(OTHER, ""), input={}, place=0)


@dataclass(frozen=True, slots=True)
class _Queued:
    """A message typed while the agent worked. Its hook fired at once, under the prompt then running."""

    raw: str
    said: str
    prompt_id: str
    line: Line


class Reader:
    """Feed it the lines of one transcript, in order."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._prompt_id = ""
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._queue: deque[_Queued] = deque(maxlen=_QUEUE_MAX)
        self._delivered: OrderedDict[str, str] = OrderedDict()
        self._keys: Counter[str] = Counter()
        self._reply: Line | None = None
        self._ran: Seen | None = None
        self._trigger = ""
        self._place = 0
        self._places: OrderedDict[str, int] = OrderedDict()
        self._edits: deque[tuple[int, str]] = deque(maxlen=_CALLS_MAX)

    def feed(self, line: Line) -> list[Seen]:
        """What this line shows. KeyError, TypeError, ValueError, AttributeError: the line is not as we know it."""
        kind = line.get("type")
        if kind == "queue-operation":
            return self._queue_operation(line)
        self._note_place(line)
        if "forkedFrom" in line:
            return []  # copied from another session, where it is told already
        if kind == "user":
            return [*self._person_ran(line), *self._user(line)]
        if kind == "assistant":
            return [*self._person_ran(line), *self._assistant(line)]
        if kind == "attachment":
            return self._attachment(line["attachment"], line)
        if kind == "system":
            return self._system(line)
        return []

    def close(self, *, over: bool) -> list[Seen]:
        """What is still held back: the reply, if it is the last of its turn. `over`: nothing more will be written."""
        ran, self._ran = (self._ran, None) if over else (None, self._ran)
        found = [ran] if ran else []
        held = self._reply
        if held is None or not (over or held["message"].get("stop_reason") in ("end_turn", "stop_sequence")):
            return found
        return [*found, *self._flush()]

    def _seen(self, line: Line, kind: EventKind, key: str, *, tool: str = "", **fields: Any) -> Seen:
        session_id = line.get("sessionId")
        if line.get("isSidechain") is True:
            fields["agent_id"] = str(line.get("agentId") or "sidechain")
        return Seen(
            kind=kind,
            session_id=session_id if isinstance(session_id, str) and session_id else self._session_id,
            native_key=key,
            occurred_at=values.time(line.get("timestamp")),
            tool=tool,
            cwd=values.text(line.get("cwd")),
            payload=fields,
        )

    def _nth(self, key: str) -> str:
        """`key` with the count of equal keys before it."""
        self._keys[key] += 1
        return f"{key}#{self._keys[key] - 1}"

    def _note_place(self, line: Line) -> None:
        uuid = line.get("uuid")
        if isinstance(uuid, str):
            self._place += 1
            self._places[uuid] = self._place
            if len(self._places) > _PLACES_MAX:
                self._places.popitem(last=False)

    def _abandoned(self, line: Line) -> list[str]:
        """Calls of the agent's edits that this prompt goes back behind: it follows a line written before them."""
        parent = self._places.get(values.text(line.get("parentUuid")))
        if parent is None:
            return []
        lost = [call_id for place, call_id in self._edits if place > parent]
        if lost:
            self._edits = deque((edit for edit in self._edits if edit[0] <= parent), maxlen=_CALLS_MAX)
        return lost

    def _user(self, line: Line) -> list[Seen]:
        sidechain = line.get("isSidechain") is True
        if not sidechain and isinstance(line.get("promptId"), str):
            self._prompt_id = line["promptId"]
        if line.get("isCompactSummary") is True and not sidechain:
            return self._compacted(line)
        if line.get("isMeta") is True or line.get("isVisibleInTranscriptOnly") is True:
            return []
        content = line["message"]["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        results = [block for block in blocks if block["type"] == "tool_result"]
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        self._queue = deque((one for one in self._queue if one.raw not in texts), maxlen=_QUEUE_MAX)
        if results:
            response = line.get("toolUseResult") if len(results) == 1 else None
            found = [self._result(line, block, response) for block in results]
            return found if sidechain else found + self._notes(line, results[-1]["tool_use_id"], texts)
        return [] if sidechain else self._said(line, texts)

    def _compacted(self, line: Line) -> list[Seen]:
        key = self._nth(f"compact:{values.text(line.get('promptId'))}:")
        trigger, self._trigger = self._trigger, ""
        return [self._seen(line, EventKind.COMPACT, key, trigger=trigger)]

    def _said(self, line: Line, texts: list[str]) -> list[Seen]:
        if any(words.interrupted(text) for text in texts):
            return self._interrupt(line, texts)
        if ran := next((command for text in texts if (command := words.bash_input(text))), ""):
            self._ran = self._seen(line, EventKind.STEER, line["uuid"], text="", ran=ran)
            return self._flush()
        said = "\n".join(filter(None, (words.persons_words(text) for text in texts)))
        if not said or not _from_a_person(line):
            return []
        prompt_id = values.text(line.get("promptId"))
        if line.get("promptSource") == "queued":
            prompt_id = self._delivered.pop(said, "") or prompt_id
        abandoned = self._abandoned(line)
        rewound: dict[str, Any] = {"rewound": True, "abandoned": abandoned} if abandoned else {}
        key = self._nth(keys.prompt_key(prompt_id, said))
        return [*self._flush(), self._seen(line, EventKind.PROMPT, key, text=said, **rewound)]

    def _person_ran(self, line: Line) -> list[Seen]:
        """The person's own command, held back until its output or anything else comes."""
        held, self._ran = self._ran, None
        if held is None:
            return []
        content = line["message"]["content"]
        blocks = [content] if isinstance(content, str) else [block.get("text") for block in content]
        printed = [told for text in blocks if isinstance(text, str) and (told := words.bash_output(text)) is not None]
        return [replace(held, payload={**held.payload, "output": "\n".join(printed)}) if printed else held]

    def _interrupt(self, line: Line, texts: list[str]) -> list[Seen]:
        for_tool = any("for tool use" in text[:60] for text in texts)
        return [*self._flush(aborted=True), self._seen(line, EventKind.INTERRUPT, line["uuid"], for_tool=for_tool)]

    def _notes(self, line: Line, call_id: str, texts: list[str]) -> list[Seen]:
        """Words given with an approval, beside the call's result. Interrupts stood there in older versions."""
        if any(words.interrupted(text) for text in texts):
            return self._interrupt(line, texts)
        decision = line.get("permissionDecision")
        said = "\n".join(filter(None, (words.persons_words(text) for text in texts)))
        if not said or not isinstance(decision, dict) or not values.text(decision.get("source")).startswith("user"):
            return []
        return [self._seen(line, EventKind.STEER, f"{call_id}:{EventKind.STEER}", text=said, call_id=call_id)]

    def _result(self, line: Line, block: Mapping[str, Any], response: object) -> Seen:
        call_id = block["tool_use_id"]
        call = self._calls.pop(call_id, _NO_CALL)
        told = tools.output_text(block.get("content"))
        fields: dict[str, Any] = {"call_id": call_id, "act": call.act.as_json()}
        if block.get("is_error") is True:
            kind = EventKind.TOOL_FAILURE
            denial_kind = values.text(line.get("toolDenialKind"))
            refusal = tools.denial(told, denial_kind, values.text(line.get("userFeedback")))
            if refusal is None or not (denial_kind or _hosts_own_words(call.tool, line)):
                fields["error"] = told
                if told.startswith(tools.USE_ERROR):
                    fields["not_run"] = True
            else:
                kind = EventKind.TOOL_DENIED
                fields.update(refusal)
                if _stopped_while_running(line, denial_kind):
                    fields["ran"] = True
        else:
            kind = EventKind.TOOL_RESULT
            fields["output"] = tools.output_text(response if isinstance(response, dict) else told)
            if left := tools.wrote(call.tool, call.input, response):
                fields["wrote"] = left
            if tools.user_modified(response):
                fields["user_modified"] = True
            if call.act.kind == EDIT and line.get("isSidechain") is not True:
                self._edits.append((call.place, call_id))
        return self._seen(line, kind, f"{call_id}:{kind}", tool=call.tool, **fields)

    def _assistant(self, line: Line) -> list[Seen]:
        if line.get("isApiErrorMessage") is True:
            return []
        found: list[Seen] = []
        content = line["message"]["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if block["type"] == "tool_use":
                found.append(self._tool_use(line, block))
            elif block["type"] == "text" and line.get("isSidechain") is not True and block["text"].strip():
                self._reply = {**line, "said": block["text"].strip(), "prompt_id": self._prompt_id}
        return found

    def _tool_use(self, line: Line, block: Mapping[str, Any]) -> Seen:
        call_id, tool, tool_input = block["id"], block["name"], block["input"]
        if not isinstance(tool_input, dict) or not isinstance(tool, str):
            raise TypeError("a tool_use without name and input")
        if line.get("isSidechain") is not True:
            self._reply = None  # what was said before a call is not the turn's last word
        act = tools.act_of(tool, tool_input, values.text(line.get("cwd")))
        self._calls[call_id] = _Call(tool, act, tool_input, self._place)
        if len(self._calls) > _CALLS_MAX:
            self._calls.popitem(last=False)
        key = f"{call_id}:{EventKind.TOOL_CALL}"
        fields = {"call_id": call_id, "act": act.as_json(), "input": tool_input}
        return self._seen(line, EventKind.TOOL_CALL, key, tool=tool, **fields)

    def _flush(self, *, aborted: bool = False) -> list[Seen]:
        held, self._reply = self._reply, None
        if held is None:
            return []
        cut: dict[str, Any] = {"aborted": True} if aborted or held.get("isAbortedMidStream") is True else {}
        key = keys.reply_key(held["prompt_id"], held["said"])
        return [self._seen(held, EventKind.REPLY, key, text=held["said"], **cut)]

    def _system(self, line: Line) -> list[Seen]:
        if line.get("subtype") == "compact_boundary":
            self._trigger = values.text((line.get("compactMetadata") or {}).get("trigger"))
        return self._flush() if line.get("subtype") in _TURN_OVER else []

    def _attachment(self, attachment: Mapping[str, Any], line: Line) -> list[Seen]:
        """A message typed in mid-turn and given to the agent within that turn (since about 2.1.100)."""
        if attachment.get("type") != "queued_command" or attachment.get("commandMode") != "prompt":
            return []
        prompt = attachment["prompt"]
        texts = [prompt] if isinstance(prompt, str) else [block["text"] for block in prompt if block["type"] == "text"]
        said = "\n".join(filter(None, (words.persons_words(text) for text in texts)))
        if not said or attachment.get("isMeta") is True or not _from_a_person(attachment):
            return []
        return [self._steer(line, said, self._delivered.pop(said, "") or self._prompt_id)]

    def _steer(self, line: Line, said: str, prompt_id: str) -> Seen:
        return self._seen(line, EventKind.STEER, self._nth(keys.prompt_key(prompt_id, said)), text=said)

    def _queue_operation(self, line: Line) -> list[Seen]:
        operation, content = line["operation"], line.get("content")
        if operation == "enqueue":
            raw = values.text(content)
            self._queue.append(_Queued(raw, words.persons_words(raw), self._prompt_id, line))
        elif operation == "popAll":
            self._queue.clear()
        elif operation in ("dequeue", "remove") and self._queue:
            return self._left_queue(self._queue.popleft(), told=operation == "dequeue" or "reason" in line)
        return []

    def _left_queue(self, queued: _Queued, *, told: bool) -> list[Seen]:
        """`told`: another line brings the words. Older versions gave them to the agent and wrote no such line."""
        if not queued.said:
            return []
        if not told:
            return [self._steer(queued.line, queued.said, queued.prompt_id)]
        self._delivered[queued.said] = queued.prompt_id
        if len(self._delivered) > _QUEUE_MAX:
            self._delivered.popitem(last=False)
        return []


def _from_a_person(fields: Mapping[str, Any]) -> bool:
    origin = fields.get("origin")
    if isinstance(origin, dict) and origin.get("kind") not in (None, "human"):
        return False
    return fields.get("promptSource") != "system"


def _hosts_own_words(tool: str, line: Line) -> bool:
    """May the text of an error be the host's? A server's tool (MCP) can return any text, a refusal's too."""
    return not tool.startswith("mcp__") or line.get("toolUseResult") == "User rejected tool use"


def _stopped_while_running(line: Line, denial_kind: str) -> bool:
    """Esc while the tool ran is told as a rejection too; only these marks tell the two apart."""
    decision = line.get("permissionDecision")
    rejected = isinstance(decision, dict) and decision.get("decision") == "reject"
    return denial_kind == "user-rejected" and line.get("toolDenialBeforeRun") is not True and not rejected
