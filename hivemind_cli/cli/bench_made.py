"""A made-up history to measure on: skills, sessions and questions of made-up words, the same for the same seed.

Words are drawn as in any language, few of them often and many seldom; between them stand names, paths and errors.
"""

import json
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from typing import Any

from hivemind_cli.core.clock import from_ns
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import (
    DEFAULT_WORKSPACE,
    NO_PROJECT,
    Event,
    Scope,
    SkillLine,
    SkillRevision,
    SkillState,
)
from hivemind_cli.hosts.base import Host
from hivemind_cli.pipeline.spool import Delivery

HOST = "claude"
PAYLOAD_BYTES = 4096
SESSION_EVENTS = 200
HISTORY_DAYS = 90
_SYLLABLES = ("ba", "co", "du", "fe", "gi", "ho", "ka", "lu", "me", "ni", "po", "ra", "si", "to", "vu", "za")
_WORDS = 20_000
_LINES = 4_000
"""Lines that long outputs are put together from."""
_LINE_WORDS = 11
_TURN_CALLS = 9
"""Tool calls between two prompts."""


class Made:
    """Draws skills, payloads and questions, all from `seed`."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._words = [self._word(length) for length in self._random.choices((2, 3, 4), (2, 5, 3), k=_WORDS)]
        self._odds = list(accumulate(1 / (rank + 3) for rank in range(_WORDS)))
        self._lines = [self._line() for _ in range(_LINES)]
        self._tasks: list[str] = []

    def sentence(self, count: int) -> str:
        """`count` words."""
        return " ".join(self._random.choices(self._words, cum_weights=self._odds, k=count))

    def skill(self) -> SkillRevision:
        """A live skill of user scope, so that it applies wherever the measuring stands."""
        task = self.sentence(8)
        self._tasks.append(task)
        now = datetime.now(UTC)
        return SkillRevision(
            id=new_id(now),
            workspace_id=DEFAULT_WORKSPACE,
            project_id=NO_PROJECT,
            machine_id="bench",
            author=str(os.getuid()),
            skill_id=f"sk_{new_id(now)}",
            name=f"bench-{len(self._tasks)}",
            title=self.sentence(6),
            version=1,
            scope=Scope.USER,
            state=SkillState.LIVE,
            trigger=task,
            lines=tuple(SkillLine(section="do", text=self.sentence(12)) for _ in range(6)),
            tasks=(task,),
            drafter="bench",
            reason="made up to measure",
            occurred_at=now,
        )

    def questions(self, count: int) -> list[str]:
        """Prompts, every second about the task of a skill made before; the others about nothing that is known."""
        asked = []
        for number in range(count):
            about = self._random.choice(self._tasks) if self._tasks and number % 2 == 0 else self.sentence(8)
            asked.append(f"{self.sentence(6)} {self._name()} {about} {self._path()} {self.sentence(4)}")
        return asked

    def payloads(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(event, what Claude Code sends) of session after session, without end: prompt, calls and results, reply."""
        while True:
            yield from islice(self._session(folder), SESSION_EVENTS)

    def calls(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """As `payloads`, tool results of PAYLOAD_BYTES alone: the dearest to take in."""
        return (one for one in self.payloads(folder) if one[0] == "PostToolUse")

    def _session(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        shared = {"session_id": f"{self._random.getrandbits(128):032x}", "cwd": folder}
        yield "SessionStart", {**shared, "source": "startup"}
        while True:
            prompt_id = f"{self._random.getrandbits(64):016x}"
            asked = f"{self.sentence(24)} {self._path()}"
            yield "UserPromptSubmit", {**shared, "prompt": asked, "prompt_id": prompt_id}
            for _ in range(_TURN_CALLS):
                call: dict[str, Any] = {
                    **shared,
                    "tool_name": "Bash",
                    "tool_use_id": f"toolu_{self._random.getrandbits(96):024x}",
                    "tool_input": {"command": f"{self._word(2)} {self._word(3)} --{self._word(2)} {self._path()}"},
                }
                yield "PreToolUse", {**call, "tool_input": {**call["tool_input"], "description": self._text(1000)}}
                yield "PostToolUse", {**call, "tool_response": {"stdout": self._text(PAYLOAD_BYTES), "stderr": ""}}
            yield "Stop", {**shared, "prompt_id": prompt_id, "last_assistant_message": self._text(600)}

    def _text(self, bytes_max: int) -> str:
        lines = self._random.choices(self._lines, k=bytes_max // 60)
        return f"{self._name()} {self._path()}\n" + "\n".join(lines)[: bytes_max - 60]

    def _line(self) -> str:
        kind = self._random.random()
        if kind < 0.05:
            return (
                f"{self._word(2).title()}Error: {self.sentence(4)} '{self._name()}' ({self._path()}:{len(self._words)})"
            )
        if kind < 0.25:
            return f"{self._path()}:{self._random.randrange(900)}: {self._name()}({self.sentence(3)})"
        return self.sentence(_LINE_WORDS)

    def _path(self) -> str:
        return f"{self._word(2)}/{self._word(3)}/{self._word(3)}.{self._word(1)}"

    def _name(self) -> str:
        first, second = self._word(2), self._word(3)
        return f"{first}_{second}" if self._random.random() < 0.5 else f"{first}{second.title()}"

    def _word(self, syllables: int) -> str:
        return "".join(self._random.choices(_SYLLABLES, k=syllables))


def events(made: Made, host: Host, folder: str, count: int, now: datetime) -> Iterator[Event]:
    """`count` events as capture would store them, the last HISTORY_DAYS long."""
    begun = now - timedelta(days=HISTORY_DAYS)
    step = timedelta(days=HISTORY_DAYS) / max(count, 1)
    decoded = (one for event, payload in made.payloads(folder) for one in host.decode(event, payload))
    for number, seen in enumerate(islice(decoded, count)):
        at = begun + number * step
        yield Event(
            id=new_id(at),
            workspace_id=DEFAULT_WORKSPACE,
            project_id=NO_PROJECT,
            machine_id="bench",
            author=str(os.getuid()),
            host=host.NAME,
            session_id=seen.session_id,
            kind=seen.kind,
            occurred_at=at,
            native_key=seen.native_key.replace("#?", f"#{number}"),
            tool=seen.tool,
            cwd=seen.cwd,
            payload=seen.payload,
        )


def delivery(event: str, payload: dict[str, Any], time_ns: int) -> Delivery:
    """What the hook would drop for it."""
    return Delivery(
        id=new_id(from_ns(time_ns)),
        time_ns=time_ns,
        host=HOST,
        event=event,
        raw=json.dumps({"hook_event_name": event, **payload}).encode(),
        cwd=str(payload.get("cwd", "")),
    )
