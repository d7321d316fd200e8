"""Sessions, corrections, judgements and skills told in a few words, for whoever counts them."""

from datetime import datetime, timedelta
from typing import Any

from hivemind_cli.core.records import (
    Correction,
    CorrectionKind,
    EventKind,
    Judgement,
    Project,
    Record,
    SaidKind,
    Scope,
    SkillLine,
    SkillRevision,
    SkillState,
)
from tests.storage.samples import START, event


def session(name: str, at: datetime, prompts: int, *, project: str = "p1", host: str = "claude") -> list[Record]:
    """So many prompts, and as many calls, a minute apart."""
    changes: dict[str, Any] = {"project_id": project, "host": host}
    return [
        event(n, name, id=f"{host}-{name}-{n}", occurred_at=at + timedelta(minutes=n), **changes)
        if n < prompts
        else event(n, name, id=f"{host}-{name}-{n}", occurred_at=at, kind=EventKind.TOOL_CALL, **changes)
        for n in range(2 * prompts)
    ]


def correction(number: int, name: str, at: datetime, **changes: Any) -> Correction:
    known: dict[str, Any] = {
        "id": f"c{number}",
        "workspace_id": "default",
        "project_id": "p1",
        "machine_id": "m1",
        "author": "ada",
        "host": "claude",
        "session_id": name,
        "kind": CorrectionKind.SAID,
        "occurred_at": at,
        "act_event_id": "",
        "reaction_event_id": f"e{number}",
        "quote": f"words {number}",
        "task": "",
        "confidence": 0.9,
        "recurrence_key": f"k{number}",
    }
    return Correction(**(known | changes))


def judgement(number: int, of: Correction, by: str, said: SaidKind) -> Judgement:
    return Judgement(
        id=f"j{number}",
        workspace_id="default",
        project_id=of.project_id,
        host=of.host,
        session_id=of.session_id,
        occurred_at=of.occurred_at + timedelta(minutes=number),
        event_id=of.reaction_event_id,
        correction_id=of.id,
        by=by,
        said=said,
    )


def project(number: int) -> Project:
    return Project(
        id=f"pr{number}",
        workspace_id="default",
        project_id=f"p{number}",
        name=f"project {number}",
        root="/",
        remote="",
        occurred_at=START,
    )


def revision(version: int, state: SkillState, at: datetime, *ids: str) -> SkillRevision:
    return SkillRevision(
        id=f"r{version}",
        workspace_id="default",
        project_id="p1",
        machine_id="m1",
        author="ada",
        skill_id="sk_1",
        name="use-tabs",
        title="Use tabs",
        version=version,
        scope=Scope.PROJECT,
        state=state,
        trigger="",
        lines=(SkillLine(section="do", text="tabs", correction_ids=ids),),
        body="",
        acts=(),
        tasks=(),
        drafter="extractive",
        reason="",
        occurred_at=at,
    )
