"""Skills tested offline with our own matcher: when a person asks, and whenever the matcher or its model changes.

A live skill that now speaks where it must not is taken out of use if no person ever touched it; else they are told.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hivemind_cli.app import reading
from hivemind_cli.core.errors import HivemindError, VersionTaken
from hivemind_cli.core.ids import derived_id, new_id
from hivemind_cli.core.records import Notice, Record, SkillCheck, SkillRevision, SkillState
from hivemind_cli.pipeline.codify.backtest import Pause, no_pause, worded
from hivemind_cli.pipeline.codify.moments import Moment, Tested
from hivemind_cli.pipeline.codify.standing import failure_told
from hivemind_cli.pipeline.codify.trial import KIND, Trial, Trials
from hivemind_cli.pipeline.hand import by_hand
from hivemind_cli.storage.base import Store

__all__ = ["Failing", "Retests", "SkillTest", "by_person", "run", "try_out", "worded"]

TESTED = (SkillState.LIVE, SkillState.DRAFT)
"""What is tested where no name is given."""
RUN_S = 0.5
"""Of tests in one round of the daemon's; the rest waits for the next."""
QUARANTINE = "its tests fail with the matcher of now"
"""How the reason begins of a version that was taken out of use."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failing:
    """One moment that is not as it must be."""

    at: str
    """prompt or tool_call."""
    id: str
    """Of the Correction it must fire before, or of the Event at which it must be silent."""
    text: str
    """Its beginning."""


@dataclass(frozen=True, slots=True)
class SkillTest:
    """What came of one skill's tests."""

    name: str
    skill_id: str
    version: int
    state: SkillState
    passed: bool | None
    """None: there is no moment to test it with."""
    mistakes: int
    """Corrections before whose mistake it must fire."""
    fires: int
    """... before which it does."""
    clean: int
    """Sampled moments at which it must be silent."""
    silent: int
    """... at which it is."""
    again: int
    """Sampled calls that are the corrected act again, which nobody put right: they prove neither."""
    gone: int
    """Moments whose session is no longer there."""
    missing: tuple[Failing, ...]
    misfires: tuple[Failing, ...]
    reason: str
    """Why it fails; "" if it does not."""
    ms: float
    """What it took, milliseconds."""


def run(
    store: Store,
    names: Sequence[str] = (),
    *,
    everything: bool = False,
    applies_min: float,
    model: str = "",
    now: datetime,
) -> list[SkillTest]:
    """Test the skills called `names`, or all that are live or drafts, or `everything`; what is new is stored.

    HivemindError: there is none, or none of a name.
    """
    skills = _chosen(store, names, everything)
    trials = Trials(store, applies_min, model)
    trials.read_ahead(skills)
    found = []
    for skill in skills:
        started = time.perf_counter()
        came, check = trials.tested(skill)
        found.append(_shown(skill, came, (time.perf_counter() - started) * 1000))
        _keep(store, skill, check, now)
    return found


def try_out(store: Store, revision: SkillRevision, *, applies_min: float, model: str = "") -> Trial:
    """Backtest and test `revision`, in the scope it has, as codify does before it goes live. Nothing is stored."""
    return Trials(store, applies_min, model).tried(revision)


def by_person(history: Iterable[SkillRevision]) -> bool:
    """Did a person ever write, accept or bring back one of these versions? Then their word stands."""
    return any(map(by_hand, history))


class Retests:
    """The daemon's: live skills whose newest tests were run with another matcher, or never, are tested again."""

    def __init__(
        self,
        store: Store,
        *,
        applies_min: float,
        model: str,
        clock: Callable[[], datetime],
        run_s: float = RUN_S,
        pause: Pause = no_pause,
    ) -> None:
        self._store = store
        self._applies_min = applies_min
        self._model = model
        self._clock = clock
        self._run_s = run_s
        self._pause = pause
        self._settled = -1
        """seq of the newest revision when nothing was left to test."""

    def run(self) -> int:
        """Test what is due, for a moment at most; how many skills were taken out of use. Nothing need be locked."""
        newest = self._store.find(SkillRevision, newest_first=True, limit=1)
        if not newest or newest[0].seq == self._settled:
            return 0
        until = time.monotonic() + self._run_s
        trials = Trials(self._store, self._applies_min, self._model, self._pause)
        withdrawn = 0
        for skill in self._due(trials.fingerprint):
            came, check = trials.tested(skill)
            withdrawn += self._record(skill, came, check)
            if time.monotonic() >= until:
                return withdrawn
        self._settled = newest[0].seq
        return withdrawn

    def _due(self, fingerprint: str) -> list[SkillRevision]:
        live = reading.current_skills(self._store, states=[SkillState.LIVE])
        checks = self._store.find(SkillCheck, kind=KIND, matcher=fingerprint) if live else []
        done = {(row.record.skill_id, row.record.version) for row in checks}
        return [one for one in live if (one.skill_id, one.version) not in done]

    def _record(self, skill: SkillRevision, came: Tested, check: SkillCheck) -> int:
        now = self._clock()
        stored = replace(check, id=derived_id(now, KIND, check.id), occurred_at=now)
        if not came.fault:
            self._store.append([stored])
            return 0
        history = reading.history_of(self._store, skill.skill_id)
        if not history or history[-1].id != skill.id:
            return 0  # changed while it was tested: what it is now is tested in the next round
        if not came.noise or by_person(history):
            self._store.append([stored, self._told(skill, came, now)])
            return 0
        reason = f"{QUARANTINE}: {came.fault}"
        following = replace(
            skill,
            id=new_id(now),
            version=skill.version + 1,
            state=SkillState.QUARANTINED,
            reason=reason,
            occurred_at=now,
        )
        records: list[Record] = [stored, following, self._withdrawn(skill, came, now)]
        try:
            self._store.append(records)
        except VersionTaken:
            logger.info("skill=%s was changed while it was tested; it is tested again", skill.name)
            return 0
        logger.warning("skill=%s version=%d quarantined: %s", skill.name, following.version, came.fault)
        return 1

    def _told(self, skill: SkillRevision, came: Tested, now: datetime) -> Notice:
        return self._notice(skill, "skill_test_failed", *failure_told(skill, came.fault), now)

    def _withdrawn(self, skill: SkillRevision, came: Tested, now: datetime) -> Notice:
        text = f"{skill.name} was taken out of use: with the matcher of now {came.fault}."
        fix = (
            f"`hivemind skillify test {skill.name}` shows where; `hivemind skillify accept {skill.name}` brings it "
            f"back, `hivemind skillify retire {skill.name}` drops it."
        )
        return self._notice(skill, "skill_quarantined", text, fix, now)

    def _notice(self, skill: SkillRevision, about: str, text: str, fix: str, now: datetime) -> Notice:
        return Notice(
            id=new_id(now),
            workspace_id=skill.workspace_id,
            occurred_at=now,
            about=about,
            text=text,
            fix=fix,
            subject=skill.name,
        )


def _chosen(store: Store, names: Sequence[str], everything: bool) -> list[SkillRevision]:
    if names:
        found = [reading.skill_named(store, name) for name in names]
        return list({one.skill_id: one for one in found}.values())
    skills = reading.current_skills(store, states=() if everything else TESTED)
    if not skills:
        waiting = bool(reading.current_skills(store)) and not everything
        raise HivemindError(
            "There is no live skill and no draft to test." if waiting else "There is no skill to test yet.",
            fix="`hivemind skillify test --all` tests the others, too." if waiting else "`hivemind skillify run`",
        )
    return skills


def _shown(skill: SkillRevision, came: Tested, ms: float) -> SkillTest:
    return SkillTest(
        name=skill.name,
        skill_id=skill.skill_id,
        version=skill.version,
        state=skill.state,
        passed=came.passed,
        mistakes=came.mistakes,
        fires=came.fires,
        clean=came.clean,
        silent=came.silent,
        again=came.again,
        gone=came.gone,
        missing=_failing(came.missing),
        misfires=_failing(came.misfires),
        reason=came.fault,
        ms=round(ms, 1),
    )


def _failing(moments: Iterable[Moment]) -> tuple[Failing, ...]:
    return tuple(Failing(one.at, one.id, one.beginning) for one in moments)


def _keep(store: Store, skill: SkillRevision, check: SkillCheck, now: datetime) -> None:
    """Store a check that says something else than the newest of its version.

    A live skill's first test with another matcher is the daemon's to store: more than telling may follow from it.
    """
    rows = store.find(SkillCheck, skill_id=check.skill_id, version=check.version, kind=KIND, newest_first=True, limit=1)
    newest = rows[0].record if rows else None
    if newest and newest.matcher != check.matcher and skill.state is SkillState.LIVE:
        return
    same = newest and (newest.matcher, newest.passed, dict(newest.figures)) == (
        check.matcher,
        check.passed,
        dict(check.figures),
    )
    if not same:
        store.append([replace(check, id=new_id(now), occurred_at=now)])
