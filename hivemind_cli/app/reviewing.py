"""What waits for a person's decision, with all that helps to decide: words, evidence, history, tests, neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hivemind_cli.app import decay, reading, skillset, versions
from hivemind_cli.app.relations import relations
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import CONTRADICTS, Notice, SkillCheck, SkillRevision, SkillState
from hivemind_cli.pipeline.codify.backtest import worded
from hivemind_cli.skills.format import render
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.forgetting import is_blank

RETIREMENT = "retirement"
"""`kind` of a live skill that is proposed for retirement."""
ACCEPT, REJECT, KEEP, SKIP, EDIT = "accept", "reject", "keep", "skip", "edit"
NO_HISTORY = "There is no history to test against."


@dataclass(frozen=True, slots=True)
class Other:
    """A skill that the waiting one contradicts or adds to."""

    relation: str
    """contradicts, adds to."""
    name: str
    version: int
    state: SkillState
    text: tuple[str, ...]
    """Lines, as a person reads them."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One skill that waits."""

    skill: SkillRevision
    kind: str
    """review, draft, quarantined, retirement."""
    why: str
    project: str
    text: tuple[str, ...]
    """Lines, as a person reads them."""
    file: str
    """The SKILL.md as it would be written; for an editor."""
    against: int | None
    """The version that was in use last, which `diff` compares with."""
    diff: tuple[str, ...]
    """Unified; empty where nothing was in use before, or the words are the same."""
    lines: tuple[reading.Why, ...]
    backtest: str
    """In one sentence."""
    moments: str
    """How its tests went, in words."""
    others: tuple[Other, ...] = field(default=())
    against_rules: str = ""
    """What it says, and what a rules file of the project says against it; "" for nothing."""

    @property
    def displaces(self) -> str:
        """The live skill that goes out of use if this one is accepted; "" for none."""
        live = (one.name for one in self.others if one.relation == CONTRADICTS and one.state is SkillState.LIVE)
        return next(live, "")


def waiting(store: Store, retire_after_days: int, now: datetime, *, retired: bool = False) -> list[Waiting]:
    """Reviews, quarantined ones, drafts, proposals for retirement; then, if asked for, `retired` ones."""
    states = (*reading.WAITING, SkillState.RETIRED) if retired else reading.WAITING
    found = [one for one in reading.current_skills(store, states=states) if not is_blank(one)]
    projects = reading.project_names(store)
    found.sort(key=lambda one: (states.index(one.state), one.name))
    shown = [_shown(store, one, one.state.value, one.reason, projects) for one in found]
    proposed = [
        _shown(store, one.skill, RETIREMENT, f"nobody needed it for {one.days} days", projects)
        for one in decay.unneeded(store, retire_after_days, now)
    ]
    gone = [one for one in shown if one.kind == SkillState.RETIRED.value]
    return [*shown[: len(shown) - len(gone)], *proposed, *gone]


def shown_one(store: Store, skill: SkillRevision, retire_after_days: int, now: datetime) -> Waiting:
    """A skill as `waiting` shows it, whether it waits or not."""
    proposed = [each for each in decay.unneeded(store, retire_after_days, now) if each.skill.id == skill.id]
    kind = RETIREMENT if proposed else skill.state.value
    why = f"nobody needed it for {proposed[0].days} days" if proposed else skill.reason
    return _shown(store, skill, kind, why, reading.project_names(store))


def decide(
    store: Store, skill: SkillRevision, verb: str, now: datetime, *, text: str = "", seen: int = 0
) -> list[SkillRevision]:
    """Carry out a person's decision; the new revisions. SKIP and KEEP make none.

    text  for EDIT: the whole SKILL.md
    seen  the version that the person decided about, if another may have come meanwhile. HivemindError: one has
    """
    if seen and seen != skill.version:
        raise HivemindError(
            f"{skill.name} was changed meanwhile: it is version {skill.version} now, not {seen}.",
            fix=f"`hivemind skillify review {skill.name}` shows it.",
        )
    if verb == ACCEPT:
        return skillset.accept_instead(store, skill, now)
    if verb == REJECT:
        live = skill.state is SkillState.LIVE
        return [skillset.retire(store, skill, now) if live else skillset.reject(store, skill, now)]
    if verb == EDIT:
        return [skillset.edit(store, skill, text, now)]
    if verb == KEEP:
        decay.keep(store, skill, now)
    return []


def tests_told(check: SkillCheck | None, moments: Sequence[Any]) -> str:
    """How a skill's tests went, in words."""
    if check is None:
        fire = sum(one.get("expect") == "fire" for one in moments)
        return f"{fire} where it must fire, {len(moments) - fire} where it must not; not run yet" if moments else "none"
    said = check.figures
    counts = [
        f"fires {said.get('fires', 0)}/{said['mistakes']}" if said.get("mistakes") else "",
        f"silent {said.get('silent', 0)}/{said['clean']}" if said.get("clean") else "",
    ]
    told = ", ".join(one for one in counts if one) or "nothing to test with"
    verdict = {True: "", False: " (fails)", None: ""}[check.passed]
    return f"{told}{verdict}{f': {check.reason}' if check.reason and not check.passed else ''}"


def newest_check(store: Store, skill: SkillRevision) -> SkillCheck | None:
    """Of its moments, for this very version."""
    rows = store.find(
        SkillCheck, skill_id=skill.skill_id, version=skill.version, kind="moments", newest_first=True, limit=1
    )
    return rows[0].record if rows else None


def left_in_the_way(store: Store, skills: Sequence[SkillRevision]) -> list[str]:
    """What of skills just made live could not be written, in words."""
    names = {one.name: one.occurred_at for one in skills}
    rows = store.find(Notice, about="publish_failed", subject=sorted(names)) if names else []
    return [f"{row.record.text} {row.record.fix}".strip() for row in rows if _since(row.record, names)]


def _since(notice: Notice, names: dict[str, datetime]) -> bool:
    return notice.occurred_at >= names[notice.subject]


def _shown(store: Store, skill: SkillRevision, kind: str, why: str, projects: dict[str, str]) -> Waiting:
    history = reading.history_of(store, skill.skill_id)
    live = versions.in_use(history) if kind != RETIREMENT else None
    others = tuple(
        Other(
            one.kind.replace("_", " "),
            one.other.name,
            one.other.version,
            one.other.state,
            tuple(versions.readable(one.other)),
        )
        for one in relations(store, skill)
    )
    return Waiting(
        skill=skill,
        kind=kind,
        why=why,
        project=projects.get(skill.project_id, ""),
        text=tuple(versions.readable(skill)),
        file=render(skill),
        against=live.version if live else None,
        diff=tuple(versions.diff(live, skill)) if live else (),
        lines=tuple(reading.why(store, skill)),
        backtest=worded(skill.backtest) or NO_HISTORY,
        moments=tests_told(newest_check(store, skill), skill.moments),
        others=others,
        against_rules="" if others else _against_rules(store, skill),
    )


def _against_rules(store: Store, skill: SkillRevision) -> str:
    """As codify told it when it made this version."""
    rows = store.find(Notice, id=derived_id(skill.occurred_at, "notice", "conflict", skill.id))
    return rows[0].record.text if rows else ""
