"""What a new revision may be by now, live or waiting, and what a person is told of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import (
    ADDS_TO,
    CONTRADICTS,
    JSON,
    NO_PROJECT,
    Notice,
    Record,
    Scope,
    SkillRevision,
    SkillState,
)
from hivemind_cli.pipeline.codify.draft import Draft
from hivemind_cli.pipeline.codify.evidence import is_open
from hivemind_cli.pipeline.codify.gate import CONFLICT, MERGE, Place
from hivemind_cli.pipeline.codify.rules import RuleLine, contradicted, said_already
from hivemind_cli.pipeline.codify.trial import Trial

BESIDE = "beside"
"""A Place: lines for a live skill that must wait for a person, kept as a skill of their own until then."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the project's own rules files say to a draft."""

    against: RuleLine | None = None
    line: str = ""
    """The draft's line that it contradicts."""
    same: RuleLine | None = None

    @classmethod
    def on(cls, draft: Draft, rules: Sequence[RuleLine]) -> "Written":
        """Looked up for `draft`."""
        found = contradicted(draft.lines, rules)
        if found:
            return cls(against=found[0], line=found[1])
        return cls(same=said_already(draft.lines, rules))


def standing(trial: Trial, spot: Place, written: Written, publish: str) -> SkillRevision:
    """The revision in the state it may have now, with the reason. `publish`: `codify.publish`."""
    revision = trial.revision
    why = _waits_for(trial, spot, written, publish)
    state = SkillState.REVIEW if why else SkillState.LIVE
    if trial.fault and not updates_live(spot):  # a draft on top of a live version would take the skill out of use
        state = SkillState.DRAFT
    known = f"{written.same.place} says so already" if written.same else ""
    reasons = (revision.reason, why, trial.fault, known)
    return replace(
        revision,
        state=state,
        reason="; ".join(part for part in reasons if part),
        relations={**revision.relations, **_relation(spot)},
    )


def told(revision: SkillRevision, spot: Place, written: Written, fault: str) -> list[Record]:
    """What a person should know of it. `fault`: why its tests fail; "" if they do not."""
    decide = f"hivemind skillify review {revision.name}"
    if spot.decision == CONFLICT and spot.skill is not None:
        text = f"{revision.name} contradicts the skill {spot.skill.name}: {revision.title}"
        return [notice(revision, "conflict", text, f"Keep one of them: {decide}")]
    if written.against:
        rule = written.against
        text = f'{revision.name} says "{written.line}"; {rule.place} says "{rule.text}".'
        return [notice(revision, "conflict", text, f"Change {rule.file}, or decide on the skill: {decide}")]
    if revision.state is SkillState.LIVE and fault:
        return [notice(revision, "skill_test_failed", *failure_told(revision, fault))]
    if revision.state is SkillState.LIVE:
        return []  # told once its file is written
    if revision.state is SkillState.REVIEW:
        return [notice(revision, "review", f"{revision.name} waits for review: {revision.title}", decide)]
    return [notice(revision, "draft", f"{revision.name} stays a draft: {revision.reason}", decide)]


def failure_told(skill: SkillRevision, fault: str) -> tuple[str, str]:
    """What a person is told of a live skill whose tests fail, and what they can do."""
    return (
        f"The tests of {skill.name} (version {skill.version}) fail: {fault}. It stays live.",
        f"`hivemind skillify test {skill.name}` shows where. If it is no longer right, "
        f"`hivemind skillify retire {skill.name}`.",
    )


def notice(revision: SkillRevision, about: str, text: str, fix: str) -> Notice:
    """A Notice about `revision`; the same again for the same."""
    return Notice(
        id=derived_id(revision.occurred_at, "notice", about, revision.id),
        workspace_id=revision.workspace_id,
        occurred_at=revision.occurred_at,
        about=about,
        text=text,
        fix=fix,
        subject=revision.name,
    )


def _waits_for(trial: Trial, spot: Place, written: Written, publish: str) -> str:
    """Why a person must look at it before it goes live, in words; "" if it need not wait."""
    skill, revision = spot.skill, trial.revision
    if spot.decision == CONFLICT and skill is not None:
        return f"it contradicts the skill {skill.name}"
    if written.against:
        return f"{written.against.place} says the opposite"
    if spot.decision == BESIDE and skill is not None:
        return "; ".join(
            part for part in (f"it adds to the skill {skill.name}, which stays as it is", spot.why) if part
        )
    if revision.project_id == NO_PROJECT:
        return "it belongs to no project, so it would apply in all"
    if revision.scope is not Scope.PROJECT and spot.decision != MERGE:
        return "the person says that it holds in all projects"
    if skill is not None and not is_open(skill):
        return "it was out of use, but the mistake goes on"
    if skill is not None and spot.decision == MERGE and skill.state is SkillState.REVIEW:
        return "its earlier version waits for review"
    if publish != "auto":
        return "`codify.publish` is review"
    return "" if updates_live(spot) else trial.nuisance  # one that waits would take the skill out of use


def _relation(spot: Place) -> JSON:
    name = {CONFLICT: CONTRADICTS, BESIDE: ADDS_TO}.get(spot.decision)
    return {name: spot.skill.skill_id} if name and spot.skill is not None else {}


def updates_live(spot: Place) -> bool:
    """Is it the next version of a skill in use?"""
    return spot.decision == MERGE and spot.skill is not None and spot.skill.state is SkillState.LIVE
