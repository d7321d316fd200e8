"""One past session, told event by event, for hosts whose files give no keys of their own to most of what they hold.

Keys are made of what was said and done and its count, so a file that grows, or is read again, tells the same things
under the same keys, and a hook that sees the same can make them too. Memory is bounded.
"""

import json
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hivemind_cli.core.acts import EDIT, OTHER, Act
from hivemind_cli.core.records import EventKind
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.keys import digest, prompt_key, reply_key

_CALLS_MAX = 1_000
_KEYS_MAX = 200_000
_TICK = timedelta(milliseconds=1)
"""Between events whose host gives no time: their order is kept."""

Call = tuple[str, Act, Mapping[str, Any]]
_NO_CALL: Call = ("", Act(OTHER, ""), {})


class Teller:
    """Makes the events of one session, in order. With an `agent_id` it is a subagent's: its words are no person's.

    by_input    the host's hooks carry no call ids: a call is named by its tool and input, in events that other hosts'
                call ids name, and keyed by that and the count of equal ones
    call_mark   what such keys begin with: of an agent within, if hooks name it
    turns       False: the host's hooks do not say to which prompt a reply or an interrupt belongs, so that these are
                keyed without it, by the count of equal ones
    """

    def __init__(
        self, session_id: str, *, cwd: str = "", agent_id: str = "", at: datetime | None = None,
        by_input: bool = False, call_mark: str = "", turns: bool = True,
    ) -> None:  # fmt: skip
        self.session_id = session_id
        self.cwd = cwd
        self.agent_id = agent_id
        self._at = at
        self._turn = ""
        self._keys: Counter[str] = Counter()
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._names: OrderedDict[str, str] = OrderedDict()
        """Call id -> what hooks can name the call by."""
        self._reply: Seen | None = None
        self._started = False
        self._by_input = by_input
        self._call_mark = call_mark
        self._turns = turns

    def start(self, at: datetime | None = None, *, source: str = "startup", **fields: Any) -> Seen:
        """The session's beginning, or (`source`) another of its beginnings."""
        return self._seen(EventKind.SESSION_START, self.nth(f"session_start:{source}:"), at, source=source, **fields)

    def end(self, reason: str, at: datetime | None = None) -> list[Seen]:
        """The session's end."""
        key = self.nth(f"session_end:{reason}:")
        return [*self.flush(), self._seen(EventKind.SESSION_END, key, at, reason=reason)]

    def prompt(
        self, text: str, at: datetime | None = None, *, prompt_id: str = "", abandoned: Sequence[str] = (),
        steer: bool = False,
    ) -> list[Seen]:  # fmt: skip
        """What a person typed, behind the reply held back. `abandoned`: calls of edits that a rewind took back.

        steer   typed while the agent worked, and given to it within the turn; hooks tell it as a prompt
        """
        ended = self.flush()
        if self.agent_id:
            return [*ended, *self._subagent_start(text, at)]
        key = self.nth(prompt_key(prompt_id, text))
        if steer:
            return [*ended, self._seen(EventKind.STEER, key, at, text=text)]
        self._turn = prompt_id or key
        lost = [self._named(call_id) for call_id in abandoned]
        rewound: dict[str, Any] = {"rewound": True, "abandoned": lost} if lost else {}
        return [*ended, self._seen(EventKind.PROMPT, key, at, text=text, **rewound)]

    def steer(self, text: str, at: datetime | None = None, *, key: str = "", **fields: Any) -> list[Seen]:
        """Words given while the agent works, or (`ran`) a command the person ran."""
        said = text or str(fields.get("ran", ""))
        return [*self.flush(), self._seen(EventKind.STEER, key or self.nth(f"steer:{digest(said)}:"), at,
                                          text=text, **fields)]  # fmt: skip

    def reply(self, text: str, at: datetime | None = None, *, prompt_id: str = "", key: str = "") -> None:
        """Held back: what was said before a call is not the turn's last word."""
        said = text.strip()
        if said:
            key = key or reply_key(prompt_id or (self._turn if self._turns else ""), said)
            self._reply = self._seen(EventKind.REPLY, key, at, text=said)

    def flush(self, *, aborted: bool = False) -> list[Seen]:
        """The reply held back, which is the turn's last."""
        held, self._reply = self._reply, None
        if held is None or self.agent_id:
            return []
        if not self._turns:
            held = replace(held, native_key=self.nth(f"{held.native_key}:"))
        if aborted:
            held = Seen(
                kind=held.kind, session_id=held.session_id, native_key=held.native_key, occurred_at=held.occurred_at,
                cwd=held.cwd, payload={**held.payload, "aborted": True},
            )  # fmt: skip
        return [held]

    def call_id(self, tool: str, tool_input: object) -> str:
        """A name for a call whose host gives none: of its tool and input, and the count of equal ones before."""
        told = json.dumps(tool_input, sort_keys=True, ensure_ascii=False, default=str)
        return self.nth(f"{digest(f'{self.agent_id}{tool} {told}')}.").replace("#", "")

    def call(
        self, call_id: str, tool: str, act: Act, tool_input: Mapping[str, Any], at: datetime | None = None
    ) -> Seen:
        """A tool call of the agent."""
        self._reply = None
        self._calls[call_id] = (tool, act, tool_input)
        if self._by_input:
            told = json.dumps(tool_input, sort_keys=True, ensure_ascii=False, default=str)
            self._names[call_id] = f"{tool}:{digest(told)}"
        for kept in (self._calls, self._names):
            if len(kept) > _CALLS_MAX:
                kept.popitem(last=False)
        fields = {"call_id": self._named(call_id), "act": act.as_json(), "input": dict(tool_input)}
        return self._seen(EventKind.TOOL_CALL, self._call_key(EventKind.TOOL_CALL, call_id), at, tool=tool, **fields)

    def called(self, call_id: str) -> Call:
        """Tool, act and input of a call still without its end."""
        return self._calls.get(call_id, _NO_CALL)

    def result(
        self, call_id: str, output: str, at: datetime | None = None, *, wrote: dict[str, str] | None = None, **more: Any
    ) -> Seen:
        """What a call gave back."""
        if wrote:
            more["wrote"] = wrote
        return self._ended(EventKind.TOOL_RESULT, call_id, at, output=output, **more)

    def failure(self, call_id: str, error: str, at: datetime | None = None, **more: Any) -> Seen:
        """A call that ended in an error."""
        return self._ended(EventKind.TOOL_FAILURE, call_id, at, error=error, **more)

    def denied(self, call_id: str, by: str, words: str = "", at: datetime | None = None, **more: Any) -> Seen:
        """A call that the person, or a rule, refused."""
        return self._ended(EventKind.TOOL_DENIED, call_id, at, by=by, words=words, **more)

    def interrupt(self, at: datetime | None = None, *, key: str = "", for_tool: bool = False) -> list[Seen]:
        """The person stopped the agent."""
        named = key or self.nth(f"interrupt:{digest(self._turn) if self._turns else ''}:")
        return [*self.flush(aborted=True), self._seen(EventKind.INTERRUPT, named, at, for_tool=for_tool)]

    def compact(self, trigger: str, at: datetime | None = None, *, key: str = "", prompt_id: str = "") -> Seen:
        """The conversation was shortened."""
        return self._seen(EventKind.COMPACT, key or self.nth(f"compact:{prompt_id}:"), at, trigger=trigger)

    def unsay(self) -> None:
        """Forget the reply held back: it was no answer to the person."""
        self._reply = None

    def held(self) -> list[Seen]:
        """The reply held back; a later line, or the end of the file, tells it again."""
        return [self._reply] if self._reply and not self.agent_id else []

    def close(self) -> list[Seen]:
        """What is held back at the end of the file."""
        held = self._reply
        if held is None or not self.agent_id:
            return self.flush()
        self._reply = None
        said = str(held.payload.get("text", ""))
        key = f"{self.agent_id}:{EventKind.SUBAGENT_STOP}:{digest(said)}"
        return [self._seen(EventKind.SUBAGENT_STOP, key, held.occurred_at, text=said)]

    def edits(self, call_ids: Sequence[str]) -> list[str]:
        """Those of `call_ids` that are edits and still remembered."""
        return [one for one in call_ids if self._calls.get(one, _NO_CALL)[1].kind == EDIT]

    def _subagent_start(self, text: str, at: datetime | None) -> list[Seen]:
        if self._started:
            return []
        self._started = True
        return [self._seen(EventKind.SUBAGENT_START, f"{self.agent_id}:{EventKind.SUBAGENT_START}", at, text=text)]

    def _ended(self, kind: EventKind, call_id: str, at: datetime | None, **fields: Any) -> Seen:
        tool, act, _ = self.called(call_id)
        named = {"call_id": self._named(call_id), "act": act.as_json()}
        seen = self._seen(kind, self._call_key(kind, call_id), at, tool=tool, **named, **fields)
        if call_id in self._calls:
            self._calls[call_id] = (tool, act, {})  # what it was given may be long, and is done with
        return seen

    def _call_key(self, kind: EventKind, call_id: str) -> str:
        if not self._by_input:
            return f"{call_id}:{kind}"
        return self.nth(f"{self._call_mark}{kind}:{self._named(call_id)}:")

    def _named(self, call_id: str) -> str:
        return self._names.get(call_id, call_id)

    def nth(self, key: str) -> str:
        """`key` with the count of equal keys before it."""
        if len(self._keys) > _KEYS_MAX:
            self._keys.clear()
        self._keys[key] += 1
        return f"{key}#{self._keys[key] - 1}"

    def _seen(self, kind: EventKind, key: str, at: datetime | None, *, tool: str = "", **fields: Any) -> Seen:
        if at is None and self._at is not None:
            at = self._at + _TICK
        self._at = at or self._at
        if self.agent_id:
            fields["agent_id"] = self.agent_id
        return Seen(
            kind=kind,
            session_id=self.session_id,
            native_key=key,
            occurred_at=at,
            tool=tool,
            cwd=self.cwd,
            payload={name: value for name, value in fields.items() if value is not None},
        )


def uncounted(seen: Seen) -> Seen:
    """As a hook shows it: the count of equal keys before it, and its time, are the delivery's to say."""
    key = seen.native_key
    return replace(seen, native_key=f"{key[:-1]}?" if key.endswith("#0") else key, occurred_at=None)
