"""What would a skill have done in the person's whole history? Asked before it goes live; no model is needed.

The history is read once, a piece at a time: counts are kept, and a sample of the moments where nothing was the matter.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from hivemind_cli.core.acts import Act
from hivemind_cli.core.intervals import wilson
from hivemind_cli.core.records import JSON, Correction, CorrectionKind, Event, EventKind, Scope, SkillRevision
from hivemind_cli.index.matching import BY_ACT, Matcher
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify.evidence import carried
from hivemind_cli.storage.base import Store

CHUNK = 500
"""Events held at a time."""
BEFORE_TURNS = 3
"""A skill that speaks so many turns before a correction, or fewer, speaks in time for the mistake."""
FAR_TURNS = 5
"""Where no correction of the same mistake is so many turns before or after, a moment is clean beyond doubt."""
SAMPLE_MAX = 50
"""Clean prompts, and clean calls, that a skill is tested with."""
CLEAN_MAX = 0.2
"""Share of the prompts, or of the calls, from which a skill that speaks there says nothing about any of them."""
OFTEN, SELDOM_RIGHT = 0.05, 0.1
"""Heard at more than one moment in twenty, and right at fewer than one in ten of these: it is a nuisance. All three
shares are held against the end of the 95 % interval that speaks for the skill: a short history proves nothing."""
PROMPT, TOOL_CALL = EventKind.PROMPT.value, EventKind.TOOL_CALL.value
"""`at` of a moment."""
COUNTS = ("prompts", "calls", "fired", "before", "own", "clean", "clean_prompts", "clean_calls", "again")


Pause = Callable[[], None]
"""Called at each moment: it may let others go first."""


def no_pause() -> None:
    """Where nobody waits."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What came of a backtest."""

    figures: JSON
    """prompts, calls   moments looked at; a correction itself is none
    fired            at so many of them the skill would have spoken: before + clean
    before           ... just before a correction of the same mistake; `own` of these: one that the skill rests on
    clean            ... elsewhere: clean_prompts + clean_calls, where its words fit, + again, the corrected act, which
                     nobody put right
    since, until     time of the first and the last moment, ISO 8601; none without a moment
    """
    prompts: tuple[str, ...] = ()
    """Event ids of sampled clean prompts, oldest first."""
    calls: tuple[str, ...] = ()
    """... of sampled clean tool calls."""


@dataclass(frozen=True, slots=True)
class _Mistake:
    """A correction of the mistake that the skill is about, and where in its session it was made."""

    event_id: str
    turn: int
    at: datetime
    own: bool


def backtest(revision: SkillRevision, store: Store, matcher: Matcher, pause: Pause = no_pause) -> Backtest:
    """Match `revision` against all that its scope holds: its project's prompts and calls, or all of the person's."""
    mistakes = _mistakes(revision, matcher.document.recurrence_keys, store)
    corrections = {one.event_id for each in mistakes.values() for one in each}
    counts = Counter(dict.fromkeys(COUNTS, 0))
    prompts, calls = _Sample(), _Sample()
    first: datetime | None = None
    last: datetime | None = None
    for event in _history(revision, store):
        pause()
        said = moment_of(event)
        if not said or event.id in corrections:
            continue
        first = min(first or event.occurred_at, event.occurred_at)
        last = max(last or event.occurred_at, event.occurred_at)
        near = mistakes.get((event.host, event.session_id), ())
        counts["prompts" if isinstance(said, str) else "calls"] += 1
        counts.update(_named(event, fired(matcher, said), near))
        if any(abs(one.turn - event.turn) <= FAR_TURNS for one in near):
            continue
        if isinstance(said, Act):
            calls.offer(event, f"{said.command}\0{said.path}\0{said.text}")
        elif " ".join(said.split()) not in revision.tasks:
            prompts.offer(event, said)
    span = {"since": first.isoformat(), "until": last.isoformat()} if first and last else {}
    return Backtest({**counts, **span}, prompts.ids(), calls.ids())


def moment_of(event: Event) -> str | Act | None:
    """A prompt's words, or a call's act; None for what recall is not asked at."""
    if event.kind is EventKind.PROMPT:
        return str(event.payload.get("text", "")).strip() or None
    act = event.payload.get("act")
    return Act.of(act) if event.kind is EventKind.TOOL_CALL and isinstance(act, Mapping) else None


def fired(matcher: Matcher, said: str | Act) -> str:
    """BY_ACT or BY_WORDS if the skill speaks there, "" if it is silent."""
    return matcher.at_prompt(said) if isinstance(said, str) else matcher.at_call(said)


def nuisance(figures: Mapping[str, Any]) -> str:
    """Why a skill with these figures must not go live unasked, in words; "" if it may.

    The corrected act itself, made again and not put right, does not speak against it: nobody may have looked.
    """
    shares = []
    for moments, clean in (("prompts", "clean_prompts"), ("calls", "clean_calls")):
        of, at = int(figures.get(moments, 0)), int(figures.get(clean, 0))
        at_least, _ = wilson(at, of) if of else (0.0, 0.0)
        if at_least > CLEAN_MAX:
            return f"it would speak at {at:,} of {of:,} {'prompts' if moments == 'prompts' else 'tool calls'}"
        shares.append(at_least)
    before = int(figures.get("before", 0))
    vain = int(figures.get("clean_prompts", 0)) + int(figures.get("clean_calls", 0))
    _, right_at_most = wilson(before, before + vain)
    if max(shares) > OFTEN and right_at_most < SELDOM_RIGHT:
        return f"it would have spoken {before + vain:,} times, {before:,} of them before this mistake"
    return ""


def worded(figures: Mapping[str, Any]) -> str:
    """A backtest in one sentence; "" if there was none."""
    if not figures:
        return ""
    count = {name: int(figures.get(name, 0)) for name in COUNTS}
    looked_at = f"{_counted(count['prompts'], 'prompt')} and {_counted(count['calls'], 'call')}"
    if not count["prompts"] + count["calls"]:
        return "There was no history to try it on."
    if not count["fired"]:
        return f"Would never have fired in {looked_at}."
    own = f" ({count['own']:,} of them its own evidence)" if count["own"] else ""
    again = f" ({count['again']:,} of them the same act, which nobody put right)" if count["again"] else ""
    return (
        f"Would have fired {_counted(count['fired'], 'time')} in {looked_at}: "
        f"{count['before']:,} just before this same mistake{own}, {count['clean']:,} on clean moments{again}."
    )


class _Sample:
    """Up to SAMPLE_MAX moments that say different things, evenly over all that were offered; always the same ones."""

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[datetime, str]] = {}
        self._every = 1
        self._offered = 0

    def offer(self, event: Event, text: str) -> None:
        """Take it, or not."""
        said = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if said in self._kept:
            return
        self._offered += 1
        if self._offered % self._every:
            return
        self._kept[said] = (event.occurred_at, event.id)
        if len(self._kept) > 4 * SAMPLE_MAX:
            self._kept = dict(list(self._kept.items())[1::2])
            self._every *= 2

    def ids(self) -> tuple[str, ...]:
        """Oldest first."""
        kept = sorted(self._kept.values())
        step = max(len(kept) / SAMPLE_MAX, 1)
        return tuple(kept[int(i * step)][1] for i in range(min(len(kept), SAMPLE_MAX)))


def _history(revision: SkillRevision, store: Store) -> Iterator[Event]:
    place = _place(revision)
    after = 0
    while True:
        rows = store.find(
            Event,
            kind=[EventKind.PROMPT, EventKind.TOOL_CALL],
            after=after,
            limit=CHUNK,
            author=revision.author,
            **place,
        )
        if not rows:
            return
        after = rows[-1].seq
        yield from (row.record for row in rows)


def _place(revision: SkillRevision) -> dict[str, Any]:
    """Whose prompts and calls recall may compare with it."""
    place: dict[str, Any] = {"workspace_id": revision.workspace_id}
    return place | {"project_id": revision.project_id} if revision.scope is Scope.PROJECT else place


def _mistakes(revision: SkillRevision, keys: Sequence[str], store: Store) -> dict[tuple[str, str], list[_Mistake]]:
    """(host, session_id) -> corrections of the same mistake, as they count by now."""
    own = carried(revision)
    rows = store.find(Correction, id=sorted(own)) if own else []
    wanted = [key for key in keys if key]
    if wanted:
        rows = [*rows, *store.find(Correction, recurrence_key=wanted, **_place(revision))]
    found = {row.record.id: row.record for row in rows if row.record.kind is not CorrectionKind.TOOL_RETRY}
    counting = [one for one in judged.effective(store, list(found.values())) if judged.is_called(one)]
    ids = {id for one in counting for id in (one.act_event_id, one.reaction_event_id) if id}
    events = {row.record.id: row.record for row in store.find(Event, id=sorted(ids))} if ids else {}
    mistakes: dict[tuple[str, str], list[_Mistake]] = {}
    for one in counting:
        reaction, act = events.get(one.reaction_event_id), events.get(one.act_event_id)
        turn = reaction.turn if reaction else act.turn + 1 if act else None
        if turn is not None:
            mistake = _Mistake(one.reaction_event_id, turn, one.occurred_at, one.id in own)
            mistakes.setdefault((one.host, one.session_id), []).append(mistake)
    return mistakes


def _named(event: Event, by: str, near: Sequence[_Mistake]) -> Sequence[str]:
    """The counts that one moment adds to."""
    if not by:
        return ()
    ahead = [one for one in near if _just_before(event, one)]
    if ahead:
        return ("fired", "before", "own") if any(one.own for one in ahead) else ("fired", "before")
    if event.kind is EventKind.PROMPT:
        return ("fired", "clean", "clean_prompts")
    return ("fired", "clean", "again" if by == BY_ACT else "clean_calls")


def _just_before(event: Event, mistake: _Mistake) -> bool:
    turns = mistake.turn - event.turn
    return 0 <= turns <= BEFORE_TURNS and (turns > 0 or event.occurred_at <= mistake.at)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
