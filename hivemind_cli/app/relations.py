"""Which skills a waiting one contradicts or adds to, as its reason says."""

import re
from dataclasses import dataclass

from hivemind_cli.app.reading import current_skills, history_of
from hivemind_cli.core.records import SkillRevision, SkillState
from hivemind_cli.storage.base import Store

CONTRADICTS, ADDS_TO = "contradicts", "adds to"
_NAMED = re.compile(r"\bit (contradicts|adds to) the skill ([a-z0-9]+(?:-[a-z0-9]+)*)")


@dataclass(frozen=True, slots=True)
class Relation:
    """How a skill stands to another."""

    kind: str
    """contradicts, adds to."""
    other: SkillRevision


def relations(store: Store, revision: SkillRevision) -> list[Relation]:
    """The skills in use that `revision` contradicts or adds to; one that was retired since counts no more.

    One out of use stands as it did before somebody took it out of use.
    """
    reasons = [revision.reason]
    if revision.state is SkillState.RETIRED:
        reasons = [one.reason for one in history_of(store, revision.skill_id)]
    named = list(dict.fromkeys(_NAMED.findall("\n".join(reasons))))
    if not named:
        return []
    found = {one.name: one for one in current_skills(store) if one.state is not SkillState.RETIRED}
    others = ((kind, found.get(name)) for kind, name in named)
    return [Relation(kind, one) for kind, one in others if one and one.skill_id != revision.skill_id]


def opposed_live(store: Store, revision: SkillRevision) -> SkillRevision | None:
    """The live skill that `revision` contradicts."""
    opposed = (one.other for one in relations(store, revision) if one.kind == CONTRADICTS)
    return next((one for one in opposed if one.state is SkillState.LIVE), None)
