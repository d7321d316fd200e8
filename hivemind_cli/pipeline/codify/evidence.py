"""What stands behind a skill: the corrections of one mistake, and the skills a project has already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import ADDS_TO, Correction, CorrectionKind, Event, SkillRevision, SkillState
from hivemind_cli.core.terms import terms
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.hand import by_hand
from hivemind_cli.pipeline.spoken import forget_words, own_words
from hivemind_cli.pipeline.wording import Polarity, opposite
from hivemind_cli.storage.base import Row, Store

NEAR_MIN = 0.6
"""Share of the shorter quote's terms that two quotes about the same act have in common to be one lesson."""
CONTRARY_MIN = 0.5
"""Share of the terms that one of two rules wants or does not want, which the other must speak of to contradict it."""
_LOOK_BACK = 500
"""Corrections of a project that are compared with a new one."""


@dataclass(frozen=True, slots=True)
class Group:
    """Corrections of one mistake in one project, as they count by now, oldest first."""

    fresh: tuple[Correction, ...]
    """Those of this batch."""
    known: tuple[Correction, ...]
    """All of the store up to the batch's end, `fresh` among them."""

    @property
    def newest(self) -> Correction:
        """The newest of `fresh`: it gives the outputs their time and names, so repeating them changes nothing."""
        return self.fresh[-1]


def groups(batch: Sequence[Row[Correction]], store: Store, until: int = 0) -> list[Group]:
    """The batch's corrections, joined by recurrence key and nearness, in the order they came.

    What is only a candidate is in no group: nothing is made of it, nor remembered, until somebody judges it.
    until  seq of the newest correction that counts as known, if it is not the batch's last
    """
    until = max(until, batch[-1].seq)
    learned_from = [row.record for row in batch if row.record.kind is not CorrectionKind.TOOL_RETRY]
    counting = judged.effective(store, learned_from)
    pending = [one for one in counting if judged.is_called(one) or judged.refused(one)]
    found: list[Group] = []
    earlier: dict[tuple[str, str], list[Correction]] = {}
    while pending:
        first = pending[0]
        place = (first.workspace_id, first.project_id)
        if place not in earlier:
            earlier[place] = _of_project(store, first, until)
        fresh = tuple(one for one in pending if same_lesson(first, one))
        known = {one.id: one for one in (*earlier[place], *fresh) if any(same_lesson(one, new) for new in fresh)}
        found.append(Group(fresh, tuple(known.values())))
        pending = [one for one in pending if one not in fresh]
    return found


def of_history(corrections: Sequence[Correction], store: Store) -> set[str]:
    """Ids of the corrections that an import found in past sessions: codified only when a person says so."""
    reactions = sorted({one.reaction_event_id for one in corrections if one.reaction_event_id})
    rows = store.find(Event, id=reactions) if reactions else []
    past = {row.record.id for row in rows if row.record.source == "import"}
    return {one.id for one in corrections if one.reaction_event_id in past}


def same_lesson(a: Correction, b: Correction) -> bool:
    """Do two corrections put the same mistake right?"""
    if a.id == b.id:
        return True
    if (a.workspace_id, a.project_id) != (b.workspace_id, b.project_id) or inverted(a, b) or contrary(a, b):
        return False
    return (bool(a.recurrence_key) and a.recurrence_key == b.recurrence_key) or near(a, b)


def near(a: Correction, b: Correction) -> bool:
    """The same act put right in much the same words."""
    if not a.act or not b.act or _signature(Act.of(a.act)) != _signature(Act.of(b.act)):
        return False
    return overlap(a.quote, b.quote) >= NEAR_MIN


def inverted(a: Correction, b: Correction) -> bool:
    """Much the same words with two of them swapped ("tabs, not spaces", "spaces, not tabs"): the opposite rule.

    Not where both put the same command right: then they want the same.
    """
    if any(one.act and Act.of(one.act).kind == SHELL for one in (a, b)):
        return False
    if overlap(a.quote, b.quote) < NEAR_MIN:
        return False
    shared = said(a.quote) & said(b.quote)
    first, second = ([term for term in dict.fromkeys(terms(one.quote)) if term in shared] for one in (a, b))
    return sum(x != y for x, y in zip(first, second, strict=True)) == 2


def contrary(a: Correction, b: Correction) -> bool:
    """Does the one ask for what the other forbids, about the same things: "always squash", "never squash"?"""
    return against(_wants(a.quote), _wants(b.quote))


def against(one: Polarity, two: Polarity) -> bool:
    """Do they want the opposite, and speak mostly of the same?"""
    first, second = one.wanted | one.unwanted, two.wanted | two.unwanted
    shared = len(first & second)
    return bool(shared) and shared >= CONTRARY_MIN * min(len(first), len(second)) and opposite(one, two)


def overlap(a: str, b: str) -> float:
    """Share of the shorter text's terms that the other has too, 0..1; of all terms if it has only one."""
    first, second = said(a), said(b)
    least = min(len(first), len(second))
    if not least:
        return 0.0
    return len(first & second) / (least if least > 1 else len(first | second))


def turns(corrections: Iterable[Correction]) -> int:
    """In how many different turns they were made: one prompt may put several acts right."""
    return len({one.reaction_event_id or one.id for one in corrections})


class Shelf:
    """The newest revision of each skill of one workspace, those of this very step included."""

    def __init__(self, store: Store, workspace_id: str) -> None:
        self._store = store
        self._current: dict[str, SkillRevision] = {}
        self._ever: dict[str, set[str]] = {}
        self._turned_down: dict[str, set[str]] = {}
        self._corrections: dict[str, Correction] = {}
        for row in store.find(SkillRevision, workspace_id=workspace_id):
            self.put(row.record)

    def put(self, revision: SkillRevision) -> None:
        """Add a revision; an older version than the known one changes nothing."""
        self._ever.setdefault(revision.skill_id, set()).update(carried(revision))
        known = self._current.get(revision.skill_id)
        if known is not None and known.version >= revision.version:
            return
        self._current[revision.skill_id] = revision
        if known is not None and by_hand(revision):
            gone = carried(known) - carried(revision)
            self._turned_down.setdefault(revision.skill_id, set()).update(gone)

    def newest(self, skill: SkillRevision) -> SkillRevision:
        """`skill` as it is by now: a person, or another stage, may have changed it while a model thought."""
        for row in self._store.find(SkillRevision, skill_id=skill.skill_id):
            self.put(row.record)
        return self._current[skill.skill_id]

    def of_project(self, project_id: str) -> list[SkillRevision]:
        """The project's skills, oldest first."""
        found = (revision for revision in self._current.values() if revision.project_id == project_id)
        return sorted(found, key=lambda revision: revision.skill_id)

    def carrying(self, correction_ids: Iterable[str], project_id: str) -> SkillRevision | None:
        """The skill one of whose lines rests on one of these corrections; one that waits before a live one."""
        wanted = set(correction_ids)
        found = [one for one in self.of_project(project_id) if wanted & self.evidence(one)]
        order = {SkillState.REVIEW: 0, SkillState.DRAFT: 1, SkillState.LIVE: 2}
        return min(found, key=lambda one: order.get(one.state, 3), default=None)

    def evidence(self, skill: SkillRevision) -> set[str]:
        """The corrections its lines rest on, or rested on till a person took them away; of one out of use, any ever."""
        if not is_open(skill):
            return self._ever[skill.skill_id]
        return carried(skill) | self._turned_down.get(skill.skill_id, set())

    def turned_down(self, skill: SkillRevision) -> set[str]:
        """Corrections that a version rested on until a person rejected or undid it, or edited their lines away.

        Those too of what waited beside it, to be added to it, and was put out of use.
        """
        beside = (one for one in self._current.values() if one.relations.get(ADDS_TO) == skill.skill_id)
        gone = (self._ever[one.skill_id] for one in beside if not is_open(one))
        return self._turned_down.get(skill.skill_id, set()).union(*gone) - carried(skill)

    def behind(self, skill: SkillRevision) -> list[Correction]:
        """As `evidence`, the corrections themselves; a pruned one is gone."""
        ids = sorted(self.evidence(skill))
        unread = [one for one in ids if one not in self._corrections]
        if unread:
            self._corrections.update((row.record.id, row.record) for row in self._store.find(Correction, id=unread))
        return [self._corrections[one] for one in ids if one in self._corrections]

    def names(self) -> set[str]:
        """Names in use anywhere in the workspace."""
        return {revision.name for revision in self._current.values()}


def is_open(skill: SkillRevision) -> bool:
    """Is it in use, or may it come to be?"""
    return skill.state not in (SkillState.RETIRED, SkillState.QUARANTINED)


def carried(revision: SkillRevision) -> set[str]:
    """The corrections its lines rest on."""
    return {one for line in revision.lines for one in line.correction_ids}


@lru_cache(maxsize=4096)
def _signature(act: Act) -> str:
    return act.signature


@lru_cache(maxsize=4096)
def said(text: str) -> frozenset[str]:
    """The topic terms of a quote; each quote is compared with many."""
    return content(text)


def forget_quotes() -> None:
    """Remember no words of a person."""
    forget_words()
    said.cache_clear()
    _wants.cache_clear()


@lru_cache(maxsize=4096)
def _wants(quote: str) -> Polarity:
    """A question wants nothing."""
    words = own_words(quote)
    return Polarity(frozenset(), frozenset()) if words.endswith(("?", "？")) else Polarity.of(words)


@lru_cache(maxsize=4096)
def named(act: Act) -> frozenset[str]:
    """What tells one act from another: the terms of the command's first head, or of the path."""
    return content(act.heads[0] if act.heads else act.path)


def _of_project(store: Store, like: Correction, until: int) -> list[Correction]:
    rows = store.find(
        Correction,
        workspace_id=like.workspace_id,
        project_id=like.project_id,
        newest_first=True,
        limit=_LOOK_BACK,
    )
    known = (row for row in reversed(rows) if row.seq <= until)
    learned_from = [row.record for row in known if row.record.kind is not CorrectionKind.TOOL_RETRY]
    return judged.effective(store, learned_from)
