"""Decay: which live skills nobody needed for a long time. They are proposed for retirement; nothing is removed here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hivemind_cli.app.reading import current_skills
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Correction, Notice, Outcome, Recall, Scope, SkillRevision, SkillState
from hivemind_cli.storage.base import Store

KEPT = "kept"
"""Notice.about: a person wants to keep the skill `subject`, needed or not."""
_PUBLISHED = "published"
_UNJUDGED = timedelta(days=3)
"""So long a session may go on before each recall that spoke in it has its Outcome."""
_UNJUDGED_MAX = 2000
"""Recalls looked at for that."""
_SPOKEN = ("injected", "held")


@dataclass(frozen=True, slots=True)
class Unneeded:
    """One live skill that nobody needed since `last_at`."""

    skill: SkillRevision
    last_at: datetime
    """When it was last given to an agent, corrected, kept, or changed."""
    days: int
    """Whole days since then."""


def unneeded(
    store: Store, days: int, now: datetime, *, skills: Sequence[SkillRevision] | None = None
) -> list[Unneeded]:
    """Live skills that were not needed within `days`, the longest first; 0 days: none ever.

    skills  what `current_skills` gave, where that was asked already

    Needed: given to an agent or held for, its mistake corrected again, or its file or state changed. What an import
    brings counts at its own dates.
    """
    if days <= 0:
        return []
    since = now - timedelta(days=days)
    known = current_skills(store) if skills is None else skills
    old = [one for one in known if one.state is SkillState.LIVE and one.occurred_at < since]
    found = []
    spoken = _spoken_lately(store, now) if old else frozenset()
    for skill in old:
        if skill.skill_id in spoken or _needed(store, skill, since):
            continue
        last = _last(store, skill)
        found.append(Unneeded(skill, last, (now - last).days))
    return sorted(found, key=lambda one: one.last_at)


def keep(store: Store, skill: SkillRevision, now: datetime) -> Notice:
    """A person wants the skill as it is: it is not proposed again before as many days have passed anew."""
    if skill.state is not SkillState.LIVE:
        raise HivemindError(
            f"{skill.name} is not live: it is {skill.state.value}.",
            fix=f"`hivemind skillify accept {skill.name}` makes it live.",
        )
    notice = Notice(
        id=new_id(now),
        workspace_id=skill.workspace_id,
        occurred_at=now,
        about=KEPT,
        text=f"{skill.name} is kept by a person.",
        subject=skill.skill_id,
    )
    store.append([notice])
    return notice


def _needed(store: Store, skill: SkillRevision, since: datetime) -> bool:
    told = (
        store.count(Outcome, since=since, subject_id=skill.skill_id)
        or store.count(Notice, since=since, about=KEPT, subject=skill.skill_id)
        or store.count(Notice, since=since, about=_PUBLISHED, subject=skill.name)
    )
    same = _same_mistake(store, skill)
    return bool(told) or bool(same and store.count(Correction, since=since, **same))


def _spoken_lately(store: Store, now: datetime) -> frozenset[str]:
    rows = store.find(Recall, since=now - _UNJUDGED, newest_first=True, limit=_UNJUDGED_MAX)
    said = (one for row in rows if row.record.text for one in row.record.candidates)
    return frozenset(one.id for one in said if one.decision in _SPOKEN)


def _last(store: Store, skill: SkillRevision) -> datetime:
    """Of whatever counts, the newest."""
    told = store.find(Outcome, subject_id=skill.skill_id, newest_first=True, limit=1)
    notices = [
        *store.find(Notice, about=KEPT, subject=skill.skill_id, newest_first=True, limit=1),
        *store.find(Notice, about=_PUBLISHED, subject=skill.name, newest_first=True, limit=1),
    ]
    same = _same_mistake(store, skill)
    corrected = store.find(Correction, **same) if same else []
    times = [row.record.occurred_at for row in told] + [row.record.occurred_at for row in notices]
    return max([skill.occurred_at, *times, *(row.record.occurred_at for row in corrected)])


def _same_mistake(store: Store, skill: SkillRevision) -> dict[str, Any]:
    """What finds the corrections of its mistake, wherever it applies; {} if it rests on none."""
    ids = sorted({one for line in skill.lines for one in line.correction_ids})
    rows = store.find(Correction, id=ids) if ids else []
    keys = sorted({row.record.recurrence_key for row in rows} - {""})
    if not keys:
        return {}
    place = {"project_id": skill.project_id} if skill.scope is Scope.PROJECT else {}
    return {"recurrence_key": keys, "workspace_id": skill.workspace_id, **place}
