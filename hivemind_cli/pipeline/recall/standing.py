"""What came of a skill before, whose it is and how new it is: each moves its probability, within bounds.

Nothing here silences a skill for good: a shift is bounded, and what came of it long ago fades.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hivemind_cli.core.records import Outcome, Verdict
from hivemind_cli.index.base import Document
from hivemind_cli.index.ranking import Ranked
from hivemind_cli.storage.base import Store

OUTCOMES_SHIFT = 0.4
"""In log odds, at most, up or down: of what a skill that applies at .30 keeps at least .22, and at most .39."""
USER_SHIFT = -0.05
"""A skill of every project stands behind the project's own."""
FRESH_SHIFT, FRESH_DAYS = 0.1, 14.0
"""For what was learned just now; half of it after so many days."""
FADE_DAYS = 60.0
"""Half-life of an outcome."""
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Told:
    """How often a skill held and how often its mistake recurred, once it had been said; faded by age."""

    held: float = 0.0
    recurred: float = 0.0

    @property
    def shift(self) -> float:
        """From the mean of the beta posterior over an even prior: 0 where nothing is known."""
        mean = (self.held + 1) / (self.held + self.recurred + 2)
        return OUTCOMES_SHIFT * (2 * mean - 1)


NOTHING_TOLD = Told()


class Standing:
    """Follows the store's outcomes. Any thread may ask while one refreshes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = 0
        self._verdicts: dict[str, dict[str, tuple[Verdict, int]]] = {}

    def refresh(self) -> int:
        """Read what is new; how many outcomes that were."""
        rows = self._store.find(Outcome, after=self._seen)
        for row in rows:  # the newest of a recall and its subject counts
            one = row.record
            of_subject = {**self._verdicts.get(one.subject_id, {})}
            of_subject[one.recall_id] = (one.verdict, int(one.occurred_at.timestamp() * 1000))
            self._verdicts[one.subject_id] = of_subject
            self._seen = row.seq
        return len(rows)

    def forget(self) -> None:
        """Read everything anew at the next refresh: something was pruned."""
        self._seen, self._verdicts = 0, {}

    def of(self, document: Document, now_ms: int) -> Told:
        """Of a skill with the memos that it was before."""
        counts = {Verdict.HELD: 0.0, Verdict.RECURRED: 0.0}
        for subject in (document.id, *document.origin):
            for verdict, at_ms in self._verdicts.get(subject, {}).values():
                if verdict in counts:
                    counts[verdict] += 0.5 ** (max(now_ms - at_ms, 0) / _DAY_MS / FADE_DAYS)
        return Told(counts[Verdict.HELD], counts[Verdict.RECURRED])


def weighed(
    ranked: Sequence[Ranked], told: Callable[[Document], Told] | None = None, now: datetime | None = None
) -> list[Ranked]:
    """The ranking with each probability moved by what came of it, its scope and its age; best first."""
    moved = [_moved(one, told(one.document) if told else NOTHING_TOLD, now) for one in ranked]
    return sorted(moved, key=lambda one: (-one.score, -one.figures["fused"]))


def shift(document: Document, told: Told, now: datetime | None) -> dict[str, float]:
    """What moves its log odds, by name; what does not move it is left out."""
    parts = {
        "outcomes": told.shift,
        "scope": 0.0 if document.project_id else USER_SHIFT,
        "fresh": _freshness(document, now) if now else 0.0,
    }
    return {name: value for name, value in parts.items() if abs(value) >= 0.0005}


def _moved(one: Ranked, told: Told, now: datetime | None) -> Ranked:
    parts = shift(one.document, told, now)
    counts = {"held": told.held, "recurred": told.recurred} if told != NOTHING_TOLD else {}
    odds = math.exp(sum(parts.values()))
    score = one.score * odds / (one.score * odds + 1 - one.score)
    return replace(one, score=score, figures={**one.figures, "fused": one.score, **parts, **counts})


def _freshness(document: Document, now: datetime) -> float:
    days = (now.timestamp() * 1000 - document.occurred_at_ms) / _DAY_MS
    return float(FRESH_SHIFT * 0.5 ** (max(days, 0.0) / FRESH_DAYS))
