"""A session told in a few words: each call stores one Event, as capture would."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Correction, Event, EventKind
from hivemind_cli.pipeline.detect import Detect
from hivemind_cli.pipeline.judged import CORRECTION_MIN
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.base import Store

START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


class Session:
    """Stores events of one session, a second apart."""

    def __init__(self, store: Store, session_id: str = "s1", *, project: str = "p1", at: datetime = START) -> None:
        self.store = store
        self.id = session_id
        self.project = project
        self.workspace = "default"
        self.at = at
        self.turn = 0
        self.calls = 0

    def event(self, kind: EventKind, **payload: Any) -> Event:
        self.at += timedelta(seconds=1)
        self.turn += kind is EventKind.PROMPT
        event = Event(
            id=new_id(self.at),
            workspace_id=self.workspace,
            project_id=self.project,
            machine_id="m",
            author="ada",
            host="claude",
            session_id=self.id,
            kind=kind,
            occurred_at=self.at,
            native_key=new_id(self.at),
            turn=self.turn,
            cwd="/repo",
            payload=payload,
        )
        self.store.append([event])
        return event

    def says(self, text: str, **more: Any) -> Event:
        return self.event(EventKind.PROMPT, text=text, **more)

    def replies(self, text: str = "Done.") -> Event:
        return self.event(EventKind.REPLY, text=text)

    def calls_tool(self, act: Act) -> str:
        self.calls += 1
        call_id = f"call{self.calls}"
        self.event(EventKind.TOOL_CALL, call_id=call_id, act=act.as_json(), input={})
        return call_id

    def runs(self, command: str, error: str = "") -> Event:
        act = Act(SHELL, "Bash", command=command)
        call_id = self.calls_tool(act)
        if error:
            return self.event(EventKind.TOOL_FAILURE, call_id=call_id, act=act.as_json(), error=error)
        return self.event(EventKind.TOOL_RESULT, call_id=call_id, act=act.as_json(), output="")

    def writes(self, path: str, text: str = "x = 1\n", **more: Any) -> Event:
        act = Act(EDIT, "Write", path=path, text=text)
        call_id = self.calls_tool(act)
        return self.event(EventKind.TOOL_RESULT, call_id=call_id, act=act.as_json(), output="", **more)

    def ends(self) -> Event:
        return self.event(EventKind.SESSION_END, reason="other")

    def corrections(self) -> list[Correction]:
        """What detect calls a correction in everything stored so far."""
        return [one for one in self.noticed() if one.confidence >= CORRECTION_MIN]

    def noticed(self) -> list[Correction]:
        """What detect records of everything stored so far: corrections, and candidates for a judge."""
        while run_once(Detect(), self.store):
            pass
        return [row.record for row in self.store.find(Correction)]
