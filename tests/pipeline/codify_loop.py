"""What the codify tests tell: corrections, and a loop that gives each batch three times."""

import json
from collections.abc import Callable
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
from hivemind_cli.llm.base import Provider, Reply, Request
from hivemind_cli.llm.scripted import Answer, Scripted
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

    def __init__(self, provider: Provider | None = None, **options: Any) -> None:
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

    def use(self, provider: Provider | None) -> None:
        """Ask another model from now on."""
        self.stage = Codify(provider)

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


def honest(request: Request) -> dict[str, Any]:
    """A check that finds every line carried by the first words it is shown of the turns the line names."""
    asked = json.loads(request.prompt)
    turns = {one["id"]: one for one in asked["turns"]}
    said = {line["id"]: turns[line["turns"][0]] for line in asked["lines"]}
    return {"lines": [_entry(id, one.get("person_said") or one["person_changed_it_to"]) for id, one in said.items()]}


def _entry(id: str, words: str) -> dict[str, str]:
    return {"id": id, "verdict": "carried", "words": words}


def checks(**verdicts: str) -> Callable[[Request], Answer]:
    """A check that is honest but for the lines named: what is said of each stands there."""

    def answer(request: Request) -> Answer:
        lines = honest(request)["lines"]
        return {"lines": [one | {"verdict": verdicts.get(one["id"], one["verdict"])} for one in lines]}

    return answer


class Asked(Scripted):
    """Gives one answer to every draft, and one to every check: `Loop.give` repeats each batch."""

    def __init__(
        self, draft: Answer | Callable[[Request], Answer], check: Answer | Callable[[Request], Answer] = honest
    ) -> None:
        super().__init__()
        self._of: dict[str, Answer | Callable[[Request], Answer]] = {"codify": draft, "check": check}

    def complete(self, request: Request) -> Reply:
        """The answer of its purpose."""
        self.requests.append(request)
        return Scripted([self._of[request.purpose]]).complete(request)
