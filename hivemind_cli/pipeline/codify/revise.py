"""From a draft to a SkillRevision: its name, version, state, and what it is matched by."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from hivemind_cli.core.acts import Act
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import (
    JSON,
    NO_PROJECT,
    Correction,
    Scope,
    SkillLine,
    SkillRevision,
    SkillState,
)
from hivemind_cli.pipeline.codify import extractive, scope
from hivemind_cli.pipeline.codify.draft import Draft, merged
from hivemind_cli.pipeline.codify.gate import REDACTED
from hivemind_cli.pipeline.spoken import in_own_words
from hivemind_cli.skills.format import HEADINGS, fit_description, fit_line, skill_name

TASKS_MAX = 20
ACTS_MAX = 20
_TASK_CHARS_MAX = 1000
_ACT_TEXT_CHARS_MAX = 2000
_WHEN = re.compile(r"Use (?:this )?(?:when|whenever|before|after|while)\b")


def new_skill_id(corrections: Sequence[Correction]) -> str:
    """What a skill made of these corrections is called by; it follows from them, so drafting twice names it alike."""
    newest = corrections[-1]
    evidence = sorted(one.id for one in corrections)
    return "sk_" + derived_id(newest.occurred_at, "skill", newest.workspace_id, newest.project_id, *evidence)


def first_revision(
    draft: Draft, corrections: Sequence[Correction], taken: Collection[str], skill_id: str = ""
) -> SkillRevision:
    """Version 1 of a new skill. `skill_id`: as it was named before some of its evidence went."""
    newest = corrections[-1]
    place = (newest.workspace_id, newest.project_id)
    evidence = sorted(one.id for one in corrections)
    applies = scope.applies(corrections)
    for_all = newest.project_id == NO_PROJECT or bool(applies.get("everywhere"))
    return SkillRevision(
        id=derived_id(newest.occurred_at, "revision", *place, *evidence),
        workspace_id=newest.workspace_id,
        project_id=newest.project_id,
        machine_id=newest.machine_id,
        author=newest.author,
        skill_id=skill_id or new_skill_id(corrections),
        name=skill_name(draft.name, taken, draft.fallback),
        title=draft.title,
        version=1,
        scope=Scope.USER if for_all else Scope.PROJECT,
        state=SkillState.DRAFT,
        trigger=_scoped(beginning_with_when(draft.trigger), applies),
        lines=draft.lines,
        acts=_acts((), corrections),
        tasks=_tasks((), corrections),
        applies=applies,
        drafter=draft.drafter,
        reason=draft.reason,
        occurred_at=newest.occurred_at,
    )


def next_revision(skill: SkillRevision, draft: Draft, corrections: Sequence[Correction]) -> SkillRevision:
    """The skill with the draft's few lines: name, title and description stay, and so does a person's text."""
    newest = corrections[-1]
    lines = merged(skill.lines, draft)
    return replace(
        skill,
        id=derived_id(newest.occurred_at, "revision", skill.skill_id, *sorted(one.id for one in corrections)),
        machine_id=newest.machine_id,
        author=newest.author,
        version=skill.version + 1,
        lines=lines,
        body=_longer(skill.body, [line for line in lines if line not in skill.lines]) if skill.body else "",
        acts=_acts(skill.acts, corrections),
        tasks=_tasks(skill.tasks, corrections),
        applies=scope.widened(skill.applies, scope.applies(corrections)),
        drafter=draft.drafter,
        reason=draft.reason,
        occurred_at=newest.occurred_at,
    )


def rebuilt(skill: SkillRevision, lines: tuple[SkillLine, ...], evidence: Sequence[Correction]) -> SkillRevision:
    """The skill's next version with only these lines, and what it is matched by made of `evidence`, which is left.

    Its id, reason and time are still those of `skill`.
    """
    made = first_revision(plain_draft(evidence), evidence, ())
    return replace(
        skill,
        version=skill.version + 1,
        title=made.title,
        trigger=made.trigger,
        lines=lines,
        body="",
        acts=made.acts,
        tasks=made.tasks,
        applies=made.applies,
        drafter=made.drafter,
    )


def beginning_with_when(trigger: str) -> str:
    """`trigger` so that it begins with when to use the skill: that is what a host's list of skills is read for."""
    if not _WHEN.match(trigger):
        trigger = f"Use when working here: {trigger}"
    return fit_description(trigger)


def _scoped(trigger: str, applies: JSON) -> str:
    more = scope.missing_from(trigger, applies)
    return f"{trigger.rstrip('. ')}. {more}" if more else trigger


def plain_draft(corrections: Sequence[Correction]) -> Draft:
    """The draft without a model: of the person's own words, not of what they only show."""
    return extractive.draft([in_own_words(one) for one in corrections])


def _longer(body: str, lines: Sequence[SkillLine]) -> str:
    """A person's Markdown with the new lines after it, each naming its corrections."""
    added = [body.rstrip("\n")]
    for section, heading in HEADINGS.items():
        bullets = [line for line in lines if line.section == section]
        added += [f"\n## {heading}"] if bullets else []
        for line in bullets:
            added.append(f"- {fit_line(line.text)} <!-- hm:{','.join(f'c_{one}' for one in line.correction_ids)} -->")
    return "\n".join(added) + "\n"


def _tasks(known: Sequence[str], corrections: Sequence[Correction]) -> tuple[str, ...]:
    new = (" ".join(one.task.split())[:_TASK_CHARS_MAX] for one in corrections if REDACTED not in one.task)
    return tuple(task for task in dict.fromkeys((*known, *new)) if task)[-TASKS_MAX:]


def _acts(known: Sequence[JSON], corrections: Sequence[Correction]) -> tuple[JSON, ...]:
    acts = list(known)
    for one in corrections:
        if not one.act:
            continue
        act = Act.of(one.act)
        value = replace(act, text=act.text[:_ACT_TEXT_CHARS_MAX]).as_json()
        if value not in acts:
            acts.append(value)
    return tuple(acts[-ACTS_MAX:])
