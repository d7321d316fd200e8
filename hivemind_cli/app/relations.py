"""Which skills a waiting one contradicts or adds to, as codify knew when it made it."""

from dataclasses import dataclass

from hivemind_cli.app.reading import current_skills
from hivemind_cli.core.records import CONTRADICTS, SkillRevision, SkillState
from hivemind_cli.storage.base import Store


@dataclass(frozen=True, slots=True)
class Relation:
    """How a skill stands to another."""

    kind: str
    """CONTRADICTS, ADDS_TO (core/records.py)."""
    other: SkillRevision


def relations(store: Store, revision: SkillRevision) -> list[Relation]:
    """The skills that `revision` contradicts or adds to, as they are now; one that was retired since counts no more."""
    if not revision.relations:
        return []
    found = {one.skill_id: one for one in current_skills(store) if one.state is not SkillState.RETIRED}
    others = ((kind, found.get(str(skill_id))) for kind, skill_id in revision.relations.items())
    return [Relation(kind, one) for kind, one in others if one]


def opposed_live(store: Store, revision: SkillRevision) -> SkillRevision | None:
    """The live skill that `revision` contradicts, or that contradicts it: only the later of two was told so."""
    live = current_skills(store, states=[SkillState.LIVE])
    opposed = {one.other.skill_id for one in relations(store, revision) if one.kind == CONTRADICTS}
    return next((one for one in live if one.skill_id in opposed or _names(one, revision)), None)


def _names(one: SkillRevision, other: SkillRevision) -> bool:
    return one.skill_id != other.skill_id and one.relations.get(CONTRADICTS) == other.skill_id
