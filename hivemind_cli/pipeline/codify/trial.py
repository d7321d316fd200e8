"""A new revision on trial, before it may go live: its backtest, its tests, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.match import Weights
from hivemind_cli.core.records import JSON, SkillCheck, SkillRevision
from hivemind_cli.index.matching import Matcher, fingerprint
from hivemind_cli.pipeline.codify.backtest import Backtest, Pause, backtest, no_pause, nuisance, worded
from hivemind_cli.pipeline.codify.moments import Moments, Tested, behind, moments_of, tested
from hivemind_cli.pipeline.indexing import skill_document, weights
from hivemind_cli.storage.base import Store

KIND = "moments"
"""`kind` of the checks that are stored."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it."""

    revision: SkillRevision
    """With its moments and its backtest."""
    tested: Tested
    check: SkillCheck
    """To be stored with the revision."""
    fault: str
    """Why it must stay a draft, in words; "" if it need not."""
    nuisance: str
    """Why a person must decide, with the backtest's figures; "" if nobody need."""


class Trials:
    """Tries revisions with the matcher as recall uses it now.

    applies_min  probability, 0..1, from which recall speaks (`recall.applies_min`)
    model        the embedding model's name; "" for none
    pause        called all the time: it may let others go first
    """

    def __init__(self, store: Store, applies_min: float, model: str = "", pause: Pause = no_pause) -> None:
        self._store = store
        self._applies_min = applies_min
        self._weights: Weights | None = None
        self._moments = Moments(store)
        self._pause = pause
        self.fingerprint = fingerprint(applies_min, model)

    def tried(self, revision: SkillRevision) -> Trial:
        """`revision`, matched against the whole history of its scope: seconds, where that is long."""
        matcher = self._matcher(revision)
        found = backtest(revision, self._store, matcher, self._pause)
        made = moments_of(revision, behind(revision, self._store), found)
        revision = replace(revision, moments=made, backtest=found.figures)
        came = tested(revision.moments, self._moments, matcher)
        told = nuisance(found.figures)
        return Trial(
            revision=revision,
            tested=came,
            check=self._check(revision, came),
            fault="it has no moment to fire at" if not came.mistakes and not revision.body else came.fault,
            nuisance=f"{told}. {worded(found.figures)}".rstrip(".") if told else "",
        )

    def worsened(self, trial: Trial, before: SkillRevision) -> str:
        """Why the revision on trial does worse than `before`, in words; "" if it does not, or both fail alike.

        Both against the history of now: what became noisy meanwhile is no fault of the new lines.
        """
        if not trial.fault:
            return ""
        was = self.tried(before).tested
        missing = {one.id for one in trial.tested.missing} - {one.id for one in was.missing}
        return trial.fault if missing or (trial.tested.noise and not was.noise) else ""

    def read_ahead(self, revisions: Sequence[SkillRevision]) -> None:
        """Read the moments of all of them at once: each look into the store costs more than a skill's tests."""
        self._moments.read([test for one in revisions for test in self._tests(one)])

    def tested(self, revision: SkillRevision) -> tuple[Tested, SkillCheck]:
        """The tests that `revision` carries, run again: milliseconds. Of one made without, those of its corrections."""
        self._pause()
        came = tested(self._tests(revision), self._moments, self._matcher(revision))
        return came, self._check(revision, came)

    def _tests(self, revision: SkillRevision) -> tuple[JSON, ...]:
        return revision.moments or moments_of(revision, behind(revision, self._store), Backtest({}))

    def _matcher(self, revision: SkillRevision) -> Matcher:
        if self._weights is None:
            self._weights = weights(self._store)
        return Matcher(skill_document(revision, self._store), self._weights, self._applies_min)

    def _check(self, revision: SkillRevision, came: Tested) -> SkillCheck:
        """Its id follows from the revision and the matcher: the same test twice is one record."""
        return SkillCheck(
            id=derived_id(revision.occurred_at, "check", KIND, revision.id, self.fingerprint),
            workspace_id=revision.workspace_id,
            project_id=revision.project_id,
            occurred_at=revision.occurred_at,
            skill_id=revision.skill_id,
            version=revision.version,
            kind=KIND,
            passed=came.passed,
            matcher=self.fingerprint,
            figures=came.figures(),
            reason=came.fault,
        )
