"""What keeps coming back: corrections with one recurrence key, and whether a skill ended it.

corrections that count ─by key─▶ two turns or more ─▶ Recurring, what hurts most first
                                                      └─ the skill that carries one of them, and what came after
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hivemind_cli.app.reading import project_names
from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction, CorrectionKind, Outcome, SkillRevision, SkillState, Verdict
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify.evidence import carried
from hivemind_cli.storage.base import Store

HALF_LIFE_DAYS = 30
"""A correction so old hurts half as much as one of today."""
WEEKS = 8
"""Looked at for the trend: the newer half against the older."""
QUOTE_CHARS_MIN = 12
"""A shorter quote ("no!") tells a reader nothing."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """One mistake that was put right in two turns or more."""

    key: str
    retry: bool
    """An error and what then worked, not a lesson of a person."""
    quote: str
    """The words that say it best; of a silent one what was done."""
    count: int
    """Turns."""
    sessions: int
    since: datetime
    last_at: datetime
    projects: tuple[str, ...]
    hosts: tuple[str, ...]
    weeks: tuple[int, ...]
    """Turns in each of the last WEEKS weeks, the oldest first."""
    trend: str
    """rising, steady, falling, or quiet: none in the newer half of the weeks."""
    hurts: float
    """Turns, each weighed by its age."""
    skill: str
    """Name of the skill that carries it, or ""."""
    skill_state: str
    live_since: datetime | None
    """When that skill first went live with one of these corrections."""
    after_live: int
    """Turns in which it came back since then."""
    held: int
    """Times the skill was given and the work then done the corrected way."""


def recurring(
    store: Store,
    *,
    now: datetime,
    kinds: Collection[CorrectionKind] = (),
    project_ids: Collection[str] = (),
    hosts: Collection[str] = (),
    since: datetime | None = None,
    candidates: bool = False,
) -> list[Recurring]:
    """What keeps coming back, what hurts most first; only of these kinds, projects and hosts, if given.

    With `candidates` unsure corrections count, too.
    """
    filters: dict[str, Any] = {"kind": sorted(kinds), "project_id": sorted(project_ids), "host": sorted(hosts)}
    equals = {name: value for name, value in filters.items() if value}
    rows = store.find(Correction, since=since, **equals)
    groups: dict[tuple[str, str], list[Correction]] = {}
    for one in judged.effective(store, [row.record for row in rows]):
        if one.recurrence_key and not judged.refused(one) and (candidates or counts(one)):
            groups.setdefault((one.workspace_id, one.recurrence_key), []).append(one)
    shown = [group for group in groups.values() if _turns(group) >= 2 and (candidates or any(map(is_shown, group)))]
    names = project_names(store)
    skills = _Skills(store)
    found = [_recurring(group, names, skills, now) for group in shown]
    return sorted(found, key=lambda one: (one.retry, -one.hurts, one.key))


def counts(correction: Correction) -> bool:
    """Is it called a correction, and no mere candidate?"""
    return correction.kind is CorrectionKind.TOOL_RETRY or judged.is_called(correction)


def is_shown(correction: Correction) -> bool:
    """Is it sure enough to be shown without being asked for?"""
    return correction.kind is CorrectionKind.TOOL_RETRY or correction.confidence >= judged.SHOWN_MIN


class _Skills:
    """Skills by the corrections that carry them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._history: dict[str, list[SkillRevision]] = {}
        for row in store.find(SkillRevision):
            self._history.setdefault(row.record.skill_id, []).append(row.record)
        for history in self._history.values():
            history.sort(key=lambda revision: revision.version)
        self._carrying: dict[str, list[str]] = {}
        for skill_id, history in self._history.items():
            for one in {one for revision in history for one in carried(revision)}:
                self._carrying.setdefault(one, []).append(skill_id)

    def of(self, corrections: Iterable[Correction]) -> SkillRevision | None:
        """The current revision of the skill that carries, or carried, one of them; a live one before others."""
        ids = {skill_id for one in corrections for skill_id in self._carrying.get(one.id, ())}
        current = [self._history[skill_id][-1] for skill_id in sorted(ids)]
        order = [SkillState.LIVE, SkillState.REVIEW, SkillState.DRAFT, SkillState.RETIRED, SkillState.QUARANTINED]
        return min(current, key=lambda revision: order.index(revision.state), default=None)

    def live_since(self, skill: SkillRevision, corrections: Iterable[Correction]) -> datetime | None:
        """When the skill first went live with one of these corrections; None if it never did."""
        ids = {one.id for one in corrections}
        live = (one for one in self._history[skill.skill_id] if one.state is SkillState.LIVE and ids & carried(one))
        return min((one.occurred_at for one in live), default=None)

    def held(self, skill: SkillRevision) -> int:
        """Recalls of the skill whose newest outcome is that it held."""
        newest: dict[str, Outcome] = {}
        for row in self._store.find(Outcome, subject_id=skill.skill_id):
            newest[row.record.recall_id] = row.record
        return sum(one.verdict is Verdict.HELD for one in newest.values())


def _recurring(group: Sequence[Correction], names: dict[str, str], skills: _Skills, now: datetime) -> Recurring:
    turns = {one.reaction_event_id or one.id: one.occurred_at for one in group}
    skill = skills.of(group)
    live_since = skills.live_since(skill, group) if skill else None
    weeks = _weeks(turns.values(), now)
    return Recurring(
        key=group[0].recurrence_key,
        retry=group[0].kind is CorrectionKind.TOOL_RETRY,
        quote=_best_words(group),
        count=len(turns),
        sessions=len({(one.host, one.session_id) for one in group}),
        since=min(turns.values()),
        last_at=max(turns.values()),
        projects=tuple(sorted({names.get(one.project_id, one.project_id) for one in group} - {""})),
        hosts=tuple(sorted({one.host for one in group})),
        weeks=weeks,
        trend=_trend(weeks),
        hurts=round(sum(_weight(at, now) for at in turns.values()), 3),
        skill=skill.name if skill else "",
        skill_state=skill.state.value if skill else "",
        live_since=live_since,
        after_live=sum(at > live_since for at in turns.values()) if live_since else 0,
        held=skills.held(skill) if skill else 0,
    )


def _turns(group: Sequence[Correction]) -> int:
    """One prompt may put several acts right, and what the hand did beside it is the same turn."""
    return len({one.reaction_event_id or one.id for one in group})


def _weight(at: datetime, now: datetime) -> float:
    days = max((now - at) / timedelta(days=1), 0.0)
    return float(0.5 ** (days / HALF_LIFE_DAYS))


def _weeks(times: Iterable[datetime], now: datetime) -> tuple[int, ...]:
    weeks = [0] * WEEKS
    for at in times:
        back = max(int((now - at) / timedelta(weeks=1)), 0)
        if back < WEEKS:
            weeks[WEEKS - 1 - back] += 1
    return tuple(weeks)


def _trend(weeks: Sequence[int]) -> str:
    older, newer = sum(weeks[: WEEKS // 2]), sum(weeks[WEEKS // 2 :])
    if not newer:
        return "quiet"
    return "rising" if newer > older else "falling" if newer < older else "steady"


def _says_little(one: Correction) -> tuple[bool, bool, float, int, str]:
    words = one.quote.strip()
    return len(words) < QUOTE_CHARS_MIN, one.durable is not True, -one.confidence, len(words), one.id


def _best_words(group: Sequence[Correction]) -> str:
    """The shortest quote that says something, a lasting and sure one before others."""
    spoken = [one for one in group if one.quote.strip()]
    if spoken:
        return min(spoken, key=_says_little).quote
    last = max(group, key=lambda one: one.occurred_at)
    act = Act.of(last.act)
    if last.kind is CorrectionKind.TOOL_RETRY:
        return f"{act.short} → {' '.join(last.after.split())}"
    return f"{last.cause}: {act.path or act.short}" if last.act else last.cause
