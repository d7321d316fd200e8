"""Codify: Corrections become SkillRevisions, each line resting on the corrections that carry it.

Group, gate, draft, check, publish. Nothing here touches a disk: others write the files of what is live. A batch
given twice names the same records.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import (
    Correction,
    GateSkip,
    Notice,
    Record,
    Scope,
    SkillRevision,
    SkillState,
)
from hivemind_cli.llm.base import Provider
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify import model
from hivemind_cli.pipeline.codify.backtest import Pause, no_pause
from hivemind_cli.pipeline.codify.check import checked, screened
from hivemind_cli.pipeline.codify.draft import Draft
from hivemind_cli.pipeline.codify.evidence import Group, Shelf, carried, groups, is_open, of_history, turns
from hivemind_cli.pipeline.codify.gate import CONFLICT, HOSTILE, KEEP, MERGE, Place, akin, immature, place, refusal
from hivemind_cli.pipeline.codify.revise import first_revision, new_skill_id, next_revision, plain_draft
from hivemind_cli.pipeline.codify.rules import Rules, no_rules
from hivemind_cli.pipeline.codify.standing import BESIDE, Written, standing, told, updates_live
from hivemind_cli.pipeline.codify.trial import Trials
from hivemind_cli.pipeline.hand import REJECTED
from hivemind_cli.storage.base import Row, Store

__all__ = ["CODIFY", "CODIFY_HISTORY", "Codify"]

CODIFY, CODIFY_HISTORY = "codify", "codify_history"
"""Cursors: of what was captured as it happened, and of what imports found in past sessions."""

logger = logging.getLogger(__name__)
_GATE = "not worth a skill: "
"""How the reason of a skip begins that a model decided: remembered, it is not asked again until evidence doubles."""


class Codify:
    """The stage. `provider` None: every skill is drafted from the person's words alone.

    publish      auto: project skills that pass their moments go live; review: they wait for a person
    applies_min  probability, 0..1, from which recall speaks (`recall.applies_min`)
    embedding    the embedding model's name; "" for none
    pause        called all the time while a skill is tried on the whole history: it may let others go first
    rules        project_id -> lines of its rules files: a skill that contradicts one waits for a person
    history      only what imports found in past sessions, else only what was captured as it happened
    """

    reads = Correction
    batch_size = 200

    def __init__(
        self,
        provider: Provider | None = None,
        *,
        publish: str = "auto",
        applies_min: float = RecallConfig().applies_min,
        embedding: str = "",
        rules: Rules = no_rules,
        pause: Pause = no_pause,
        history: bool = False,
    ) -> None:
        self.name = CODIFY_HISTORY if history else CODIFY
        self._history = history
        self._provider = provider
        self._publish = publish
        self._applies_min = applies_min
        self._embedding = embedding
        self._rules = rules
        self._pause = pause

    def step(self, batch: Sequence[Row[Correction]], store: Store) -> list[Record]:
        """SkillRevisions, GateSkips and Notices that follow from `batch`, which is not empty and in seq order.

        A provider that fails is no failure of the stage: the skill is drafted without it, and a Notice says so.
        """
        past = of_history([row.record for row in batch], store)
        mine = [row for row in batch if (row.record.id in past) == self._history]
        return self.look_at(mine, store, until=batch[-1].seq) if mine else []

    def look_at(self, batch: Sequence[Row[Correction]], store: Store, *, until: int = 0) -> list[Record]:
        """As `step`, for corrections that may have been read before; `until`: how far all of them were, if farther."""
        outputs: dict[str, Record] = {}
        shelves: dict[str, Shelf] = {}
        for group in groups(batch, store, until):
            workspace_id = group.newest.workspace_id
            shelf = shelves.setdefault(workspace_id, Shelf(store, workspace_id))
            for record in self._codified(group, shelf, store):
                outputs[record.id] = record
                if isinstance(record, SkillRevision):
                    shelf.put(record)
        return list(outputs.values())

    def _codified(self, group: Group, shelf: Shelf, store: Store) -> list[Record]:
        project_id = group.newest.project_id
        on_shelf = {one for skill in shelf.of_project(project_id) for one in carried(skill)}
        fresh = [one for one in group.fresh if one.id not in on_shelf]
        outputs, allowed_fresh = _refused(fresh)
        if not allowed_fresh:
            return _unremembered(outputs, store)
        allowed = [one for one in group.known if not refusal(one)]
        why = immature(allowed)
        spot = place(Group(tuple(allowed_fresh), tuple(allowed)), shelf)
        if not why:
            why = _closed(spot, allowed, shelf)
        if why:
            return _unremembered([*outputs, _skip(allowed, why)], store)
        if _said_no(allowed, store):
            return _unremembered(outputs, store)
        evidence = [one for one in allowed if one.id not in on_shelf]
        return [*_unremembered(outputs, store), *self._written(evidence, spot, shelf, store)]

    def _written(self, evidence: list[Correction], spot: Place, shelf: Shelf, store: Store) -> list[Record]:
        skills = [one for one in shelf.of_project(evidence[-1].project_id) if is_open(one)]
        skill_id = new_skill_id(evidence)
        draft, spot, notices = self._draft(evidence, spot, skills, skill_id)
        if draft is None:
            return [*notices, _skip(evidence, f"{_GATE}{spot.decision}")]
        left = _not_refused(evidence, store)
        if len(left) < len(evidence):  # a person said so while the model thought: Withdraw has read that already
            why = "judged no correction" if not left else "" if spot.skill else immature(left)
            if why:
                return [*notices, _skip(evidence, why)]
            evidence, draft = left, plain_draft(left)
        if spot.skill is not None:
            was_open, spot = is_open(spot.skill), Place(spot.decision, shelf.newest(spot.skill))
            if was_open and spot.skill is not None and not is_open(spot.skill) and spot.decision == MERGE:
                return [*notices, _skip(evidence, _out_of_use(spot.skill))]
        draft = screened(draft, evidence)
        if draft is None:
            return [*notices, _skip(evidence, HOSTILE)]
        written = Written.on(draft, self._rules(evidence[-1].project_id))
        if spot.decision == MERGE and spot.skill is not None and self._waits(spot.skill, written):
            # On top of a live version, one that waits would take the skill out of use.
            spot = Place(BESIDE, spot.skill)
        trials = Trials(store, self._applies_min, self._embedding, self._pause)
        trial = trials.tried(_revised(spot, draft, evidence, shelf, skill_id))
        if updates_live(spot) and spot.skill is not None and (why := trials.worsened(trial, spot.skill)):
            spot = Place(BESIDE, spot.skill, f"merged, it would fail its tests: {why}")
            trial = trials.tried(_revised(spot, draft, evidence, shelf, skill_id))
        revision = standing(trial, spot, written, self._publish)
        logger.info(
            "codified skill=%s version=%d state=%s corrections=%d drafter=%s",
            revision.name,
            revision.version,
            revision.state,
            len(evidence),
            revision.drafter,
        )
        return [revision, trial.check, *notices, *told(revision, spot, written, trial.fault)]

    def _draft(
        self, evidence: list[Correction], spot: Place, skills: list[SkillRevision], skill_id: str
    ) -> tuple[Draft | None, Place, list[Record]]:
        """The draft, where it belongs by now, and what a person should know. No draft: `decision` is the reason.

        skill_id  what a new skill made of the evidence is called by: receipts name it before there is one
        """
        if self._provider is None:
            return plain_draft(evidence), spot, []
        try:
            opinion = model.ask(self._provider, evidence, skills, subject=self._subject(spot, skill_id))
            if opinion.draft is None:
                return None, Place(opinion.reason or "the model saw no lesson"), []
            spot, useful = _placed(opinion, spot, skills, evidence)
            if not useful:
                return plain_draft(evidence), spot, []
            subject = self._subject(spot, skill_id)
            merging = subject != skill_id
            return checked(self._provider, opinion.draft, evidence, merging=merging, subject=subject), spot, []
        except ProviderError as exc:
            draft = plain_draft(evidence)
            return replace(draft, reason=f"{draft.reason}; no model drafted it: {exc}"), spot, [_failed(evidence, exc)]

    def _subject(self, spot: Place, skill_id: str) -> str:
        """skill_id that a draft for `spot` will have."""
        merging = spot.decision == MERGE and spot.skill is not None and not self._waits(spot.skill)
        return spot.skill.skill_id if merging and spot.skill is not None else skill_id

    def _waits(self, skill: SkillRevision, written: Written | None = None) -> bool:
        """Is `skill` live, and may more of it go live only by a person's hand? Its file may be a person's own."""
        policy = (
            bool(written and written.against)
            or self._publish != "auto"
            or skill.scope is not Scope.PROJECT
            or bool(skill.body)
        )
        return skill.state is SkillState.LIVE and policy


def _revised(spot: Place, draft: Draft, evidence: Sequence[Correction], shelf: Shelf, skill_id: str) -> SkillRevision:
    """The next version of the skill that `spot` merges into, or the first of a new one, not tried yet."""
    if spot.decision == MERGE and spot.skill is not None:
        return next_revision(spot.skill, draft, evidence)
    return first_revision(draft, evidence, shelf.names(), skill_id)


def _placed(
    opinion: model.Opinion, spot: Place, skills: Sequence[SkillRevision], evidence: Sequence[Correction]
) -> tuple[Place, bool]:
    """Where the lesson belongs by the facts and the model's opinion; and is its draft of use there?"""
    if spot.decision == KEEP and opinion.decision != KEEP:
        target = next((one for one in skills if one.name == opinion.target), None)
        if opinion.decision == MERGE and (target is None or not akin(evidence, target)):
            return spot, True
        return Place(opinion.decision, target), True
    if spot.decision == MERGE and opinion.decision == CONFLICT and spot.skill is not None:
        return Place(CONFLICT, spot.skill), True
    if opinion.decision == MERGE and (spot.skill is None or opinion.target != spot.skill.name):
        return spot, False  # the facts say otherwise: its lines are a delta to another skill, of no use here
    return spot, True


def _not_refused(evidence: Sequence[Correction], store: Store) -> list[Correction]:
    gone = {one.id for one in judged.effective(store, evidence) if judged.refused(one)}
    return [one for one in evidence if one.id not in gone]


def _refused(fresh: Sequence[Correction]) -> tuple[list[GateSkip], list[Correction]]:
    """What the gate never lets through, by reason; and the rest."""
    refused: dict[str, list[Correction]] = {}
    allowed = []
    for one in fresh:
        why = refusal(one)
        if why:
            refused.setdefault(why, []).append(one)
        else:
            allowed.append(one)
    return [_skip(corrections, why) for why, corrections in refused.items()], allowed


def _closed(spot: Place, allowed: Sequence[Correction], shelf: Shelf) -> str:
    """Why a person's decision stands in the way; "" if none does. Twice the evidence reopens the question."""
    skill = spot.skill
    if spot.decision != MERGE or skill is None:
        return ""
    if is_open(skill):
        gone = shelf.turned_down(skill)
        if gone.isdisjoint(one.id for one in allowed):
            return ""
        then = [one for one in allowed if one.id in gone | carried(skill)]
        return f"more of this was turned down for {skill.name}" if turns(allowed) < 2 * turns(then) else ""
    if turns(allowed) >= 2 * max(turns(shelf.behind(skill)), 1):
        return ""
    return _out_of_use(skill)


def _out_of_use(skill: SkillRevision) -> str:
    return f"the skill {skill.name} was put out of use"


def _said_no(allowed: Sequence[Correction], store: Store) -> bool:
    """Did a model, or a person, say that there is no lesson in them, and is there not twice the evidence since?"""
    for skip in _skips_of(allowed, store):
        then = [one for one in allowed if one.id in skip.correction_ids]
        most = max(turns(then), 1 if then else len(skip.correction_ids))
        if skip.reason.startswith((_GATE, REJECTED)) and turns(allowed) < 2 * most:
            return True
    return False


def _skips_of(allowed: Sequence[Correction], store: Store) -> list[GateSkip]:
    """What was decided of these corrections, or of others of their key."""
    newest, ids = allowed[-1], {one.id for one in allowed}
    keys = sorted({one.recurrence_key for one in allowed})
    rows = store.find(GateSkip, workspace_id=newest.workspace_id, project_id=newest.project_id, recurrence_key=keys)
    return [row.record for row in rows if row.record.recurrence_key or ids & set(row.record.correction_ids)]


def _unremembered(skips: Sequence[GateSkip], store: Store) -> list[Record]:
    """Those of `skips` that say something new: another reason, or twice the evidence."""
    new: list[Record] = []
    for skip in skips:
        same = [known for known in _skips(skip, store) if known.reason == skip.reason and skip.recurrence_key]
        most = max((len(known.correction_ids) for known in same if known.id != skip.id), default=0)
        if len(skip.correction_ids) >= 2 * most:
            new.append(skip)
    return new


def _skips(like: Correction | GateSkip, store: Store) -> list[GateSkip]:
    rows = store.find(
        GateSkip, workspace_id=like.workspace_id, project_id=like.project_id, recurrence_key=like.recurrence_key
    )
    return [row.record for row in rows]


def _skip(corrections: Sequence[Correction], why: str) -> GateSkip:
    newest = corrections[-1]
    ids = tuple(sorted(one.id for one in corrections))
    return GateSkip(
        id=derived_id(newest.occurred_at, "skip", why, *ids),
        workspace_id=newest.workspace_id,
        project_id=newest.project_id,
        occurred_at=newest.occurred_at,
        recurrence_key=newest.recurrence_key,
        correction_ids=ids,
        reason=why,
    )


def _failed(evidence: Sequence[Correction], exc: ProviderError) -> Notice:
    newest = evidence[-1]
    return Notice(
        id=derived_id(newest.occurred_at, "notice", "provider_failed", newest.id),
        workspace_id=newest.workspace_id,
        occurred_at=newest.occurred_at,
        about="provider_failed",
        text=f"A skill was drafted without a model. {exc.what} {exc.why}".strip(),
        fix=exc.fix or "hivemind status",
    )
