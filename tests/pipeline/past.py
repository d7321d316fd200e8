"""A person's past, told in a few words, and the skill that is made of it."""

from dataclasses import replace
from typing import Any

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.match import Weights
from hivemind_cli.core.records import Correction, CorrectionKind, Event, EventKind, SkillRevision
from hivemind_cli.index.matching import Matcher
from hivemind_cli.pipeline.codify import extractive
from hivemind_cli.pipeline.codify.revise import first_revision
from hivemind_cli.pipeline.indexing import skill_document
from hivemind_cli.storage.base import Store
from tests.pipeline.session import Session

QUOTE = "no, we build with make here, never with scons"
TASK = "build the release archive"
KEY = "lesson|shell:scons archive|scons"
TOPICS = (
    "login",
    "avatar",
    "upload",
    "invoice",
    "export",
    "theme",
    "search",
    "parser",
    "queue",
    "mail",
    "font",
    "menu",
)


class Past(Session):
    """Sessions in which the agent goes wrong now and then."""

    def goes_wrong(
        self, command: str = "scons archive --fast", task: str = TASK, quote: str = QUOTE, **changes: Any
    ) -> Correction:
        """Asked, done wrong, put right."""
        if task:
            self.says(task)
        if command:
            self.runs(command)
        act = self.store.find(Event, session_id=self.id, kind=EventKind.TOOL_CALL, newest_first=True, limit=1)
        reaction = self.says(quote)
        fields: dict[str, Any] = {
            "id": new_id(self.at),
            "workspace_id": "default",
            "project_id": self.project,
            "machine_id": "m",
            "author": "ada",
            "host": "claude",
            "session_id": self.id,
            "kind": CorrectionKind.SAID,
            "occurred_at": reaction.occurred_at,
            "act_event_id": act[0].record.id if act else "",
            "reaction_event_id": reaction.id,
            "quote": quote,
            "task": task,
            "act": Act(SHELL, "Bash", command=command).as_json() if command else {},
            "durable": True,
            "confidence": 0.9,
            "recurrence_key": KEY,
        }
        correction = Correction(**{**fields, **changes})
        self.store.append([correction])
        return correction

    def works(self, n: int) -> None:
        """So many turns of something else."""
        for i in range(n):
            self.says(f"repair the {TOPICS[(self.turn + i) % len(TOPICS)]} of the customer page, part {self.turn}")
            self.runs(f"pytest tests/{TOPICS[i % len(TOPICS)]}.py")


def skill_of(*corrections: Correction, **changes: Any) -> SkillRevision:
    """As the extractive drafter makes it."""
    return replace(first_revision(extractive.draft(corrections), corrections, ()), **changes)


def matcher_of(revision: SkillRevision, store: Store, applies_min: float = RecallConfig().applies_min) -> Matcher:
    return Matcher(skill_document(revision, store), Weights(), applies_min)
