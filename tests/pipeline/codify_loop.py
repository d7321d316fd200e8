"""What the codify tests tell: corrections, and a loop that gives each batch three times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import (
    Correction,
    CorrectionKind,
    Event,
    EventKind,
    GateSkip,
    Record,
    SkillRevision,
)
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.pipeline.codify import Codify
from hivemind_cli.storage.inmemory import InMemoryStore

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
QUOTE = "no, we build with make here, never with scons"


def correction_(n: int = 1, **changes: Any) -> Correction:
    fields: dict[str, Any] = {
        "id": f"01ARZ3NDEKTSV4RRFFQ69G{n:04}",
        "workspace_id": "default",
        "project_id": "p",
        "machine_id": "m",
        "author": "ann",
        "host": "claude",
        "session_id": f"s{n}",
        "kind": CorrectionKind.SAID,
        "occurred_at": DAY + timedelta(hours=n),
        "act_event_id": f"a{n}",
        "reaction_event_id": f"r{n}",
        "quote": QUOTE,
        "task": "build the release archive",
        "act": Act("shell", "Bash", command="scons archive --fast").as_json(),
        "durable": True,
        "confidence": 0.9,
        "recurrence_key": "lesson|shell:scons archive|scons",
    }
    return Correction(**{**fields, **changes})


class Loop:
    """A store, and the stage run over it as the runner does."""

    def __init__(self, provider: Scripted | None = None, **options: Any) -> None:
        self.store = InMemoryStore()
        self.stage = Codify(provider, **options)

    def give(self, *records: Record) -> list[Record]:
        """Store `records` and run the stage over what is new; its outputs."""
        self.store.append(records)
        start = self.store.cursor("codify")
        batch = self.store.find(Correction, after=start)
        outputs = self.stage.step(batch, self.store)
        assert self.stage.step(batch, self.store) == outputs  # nothing is committed yet: the same again
        self.store.commit("codify", outputs, cursor_from=start, cursor_to=batch[-1].seq)
        again = self.stage.step(batch, self.store)
        assert self.store.append(again) == 0  # and after it, nothing new
        return outputs

    def skill(self, *records: Record) -> SkillRevision:
        """The one revision that came of `records`."""
        (revision,) = [one for one in self.give(*records) if isinstance(one, SkillRevision)]
        return revision


def reasons_(outputs: list[Record]) -> list[str]:
    assert all(isinstance(one, GateSkip) for one in outputs), outputs
    return [one.reason for one in outputs if isinstance(one, GateSkip)]


def prompt_(n: int, text: str) -> Event:
    return Event(
        id=f"01BRZ3NDEKTSV4RRFFQ69G{n:04}",
        workspace_id="default",
        project_id="p",
        machine_id="m",
        author="ann",
        host="claude",
        session_id="t",
        kind=EventKind.PROMPT,
        occurred_at=DAY,
        native_key=f"k{n}",
        payload={"text": text},
    )
