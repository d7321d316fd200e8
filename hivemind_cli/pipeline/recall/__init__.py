"""Recall: rank what is known for a moment, and decide what the agent is told, if anything.

find     what might be said, ranked: at a call first by the act itself, else by words and meaning (finding.py)
decide   what is said of it, for what reason; it writes nothing

Silence is a decision with its reasons, kept like any other.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hivemind_cli.core.acts import Act
from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.fence import fenced
from hivemind_cli.core.records import Candidate, Moment
from hivemind_cli.core.text import within_tokens
from hivemind_cli.index.base import Document, Index, Scope
from hivemind_cli.index.matching import BY_ACT, call_applies_min, call_query
from hivemind_cli.index.ranking import Ranked
from hivemind_cli.pipeline.recall.abstain import spoken
from hivemind_cli.pipeline.recall.acts import ActBook

OVERRULED = "said otherwise since"
"""A person asked for the opposite later; what they say last counts until they decide."""
LEXICAL, HYBRID = "lexical", "hybrid"
REPEAT = "The call did not run. Repeat it unchanged if it is still meant; it will then pass."
CORRECTED_PER_CLEAN_MIN = 2
"""Calls of an act that were put right, for each that was not, before one is held: else it is a habit, no mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What recall is asked, at one moment of one session."""

    moment: Moment
    scope: Scope
    query: str
    """The prompt, the subagent's task, or the call in short."""
    act: Act | None = None
    """At a tool call; else None."""
    task: str = ""
    """What the call asks of a subagent; "" for every other call."""
    event_id: str = ""
    """The prompt or call itself: what was learned from it is not said back to it."""
    may_hold: bool = False
    """The host can deny this call, and no person is being asked about it."""
    given: Collection[str] = ()
    """`id@version` of what this agent was given, and `hold:id` of what was held."""
    again: Collection[str] = ()
    """Ids whose mistake came back after they were given: they may be said again."""
    unread: Collection[str] = ()
    """Ids a call was held for just now: the agent cannot have read why."""
    chars_max: int | None = None
    """What the host takes of a text."""

    @property
    def words(self) -> str:
        """What is compared by words and meaning."""
        return self.task or (call_query(self.act) if self.act is not None else self.query)


@dataclass(frozen=True, slots=True)
class Found:
    """What might be said at a moment, best first."""

    ranked: Sequence[Ranked] = ()
    by: str = ""
    """BY_ACT: each is about the very act; BY_WORDS: by words and meaning."""
    tier: str = LEXICAL


@dataclass(frozen=True, slots=True)
class Tried:
    """What holding would have done before: the corrected act in the person's own history, until it was corrected."""

    corrected: int
    """Calls of the act that a correction of the same mistake followed."""
    clean: int
    """Calls that nobody put right."""

    @property
    def arms(self) -> bool:
        """May a call be held?"""
        return self.corrected >= CORRECTED_PER_CLEAN_MIN * self.clean


@dataclass(frozen=True, slots=True)
class Decision:
    """What recall decided: the candidates with their reasons, and the text for the agent ("" is silence)."""

    candidates: tuple[Candidate, ...] = ()
    text: str = ""
    held: bool = False
    given: tuple[str, ...] = ()
    """What to add to the list of what this agent was given."""
    tier: str = LEXICAL


Lookup = Callable[[Document], Tried | None]
"""What holding would have done before; None while that was not looked up: then nothing is held."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A candidate on its way to a decision."""

    ranked: Ranked
    decision: str
    figures: Mapping[str, Any] = field(default_factory=dict)


def decide(ask: Ask, found: Found, config: RecallConfig, *, book: ActBook, tried: Lookup) -> Decision:
    """What to say at this moment of what was `found`. `book` holds the index's documents by their acts."""
    if not config.enabled:
        return Decision()
    if found.by == BY_ACT:
        return _at_the_act(ask, found, config, book, tried)
    needed = config.applies_min if ask.act is None or ask.task else call_applies_min(config.applies_min)
    return _choose(found, ask, replace(config, applies_min=needed), book)


def said_before(
    index: Index,
    scope: Scope,
    given: Collection[str],
    config: RecallConfig,
    *,
    book: ActBook,
    chars_max: int | None = None,
) -> Decision:
    """After a compaction: what the session had been given, once more, since its context lost it; the latest first.

    given  lines in the order in which they were first given. A memo is said as the skill that it became.
    """
    nth = {one.partition("@")[0]: n for n, one in enumerate(given) if not one.startswith("hold:")}
    last = [(max(nth.get(id, -1) for id in (one.id, *one.origin)), one) for one in index.all(scope)]
    known = [(n, one) for n, one in last if n >= 0 and not book.overruled(one, scope)]
    documents = [one for _, one in sorted(known, key=lambda each: -each[0])][: config.limit]
    if not documents or not config.enabled:
        return Decision()
    candidates = tuple(_candidate(_Judged(Ranked(document, 1.0), "injected")) for document in documents)
    return Decision(
        candidates,
        fenced([_part(document, config) for document in documents], chars_max=chars_max),
        given=tuple(f"{document.id}@{document.version}" for document in documents),
    )


def late(decision: Decision) -> Decision:
    """The same decision, but the deadline had passed: nothing was said."""
    return _unsaid(decision, "timed out")


def unsayable(decision: Decision) -> Decision:
    """The same decision, but the host takes no such answer at this event: nothing was said."""
    return _unsaid(decision, "not sayable here")


def _unsaid(decision: Decision, why: str) -> Decision:
    candidates = tuple(
        replace(one, decision=why) if one.decision in ("injected", "held", "named") else one
        for one in decision.candidates
    )
    return Decision(candidates, tier=decision.tier)


def _at_the_act(ask: Ask, found: Found, config: RecallConfig, book: ActBook, tried: Lookup) -> Decision:
    """The call is the very act that was corrected: held once, where that would have been right before."""
    same = [one for one in found.ranked if not book.overruled(one.document, ask.scope)]
    if not same:  # the person's last word counts, until they have decided which of the two holds
        return Decision(tuple(_candidate(_Judged(one, OVERRULED)) for one in found.ranked))
    looked_up = {one.document.id: tried(one.document) for one in same}
    reason = _to_hold(same, ask, looked_up) if config.hold == "once" and ask.may_hold else None
    if reason is None:  # each fits: no doubt to weigh
        return _choose(replace(found, ranked=same), ask, replace(config, margin_min=0.0), book, looked_up)
    document = reason.document
    judged = [_Judged(reason, "held", _history(looked_up[document.id]))]
    judged += [_Judged(one, "not the best match") for one in same if one is not reason]
    return Decision(
        tuple(map(_candidate, judged)),
        fenced([_part(document, config), REPEAT], chars_max=ask.chars_max),
        held=True,
        given=() if document.id in ask.unread else (f"hold:{document.id}", f"{document.id}@{document.version}"),
    )


def _to_hold(same: Sequence[Ranked], ask: Ask, looked_up: Mapping[str, Tried | None]) -> Ranked | None:
    """For which a call is held: none where one was held before, unless the agent cannot have read why."""
    unread = next((one for one in same if one.document.id in ask.unread), None)
    if unread or any(_was_held(one.document, ask) for one in same):
        return unread
    for one in same:
        before = looked_up[one.document.id]
        if one.document.holds and before is not None and before.arms:
            return one
    return None


def _choose(
    found: Found,
    ask: Ask,
    config: RecallConfig,
    book: ActBook,
    looked_up: Mapping[str, Tried | None] | None = None,
) -> Decision:
    """Abstain by score, by repetition, by budget, and by margin to what the budget leaves out."""
    out = {one.document.id: reason for one in found.ranked if (reason := _ruled_out(one, ask, config, book))}
    keys: set[str] = set()
    for one in found.ranked:  # of one lesson the best is said, or was
        own = {key for key in one.document.recurrence_keys if key}
        reason = out.get(one.document.id, "")
        if not reason and keys & own:
            out[one.document.id] = "same lesson"
        if reason not in ("below threshold", OVERRULED):
            keys |= own
    open_ = [one for one in found.ranked if one.document.id not in out]
    count = spoken(
        [one.score for one in open_],
        applies_min=config.applies_min,
        margin_min=config.margin_min,
        limit=config.limit,
    )
    said = [one.document for one in open_[:count]]
    for place, one in enumerate(open_):
        out[one.document.id] = "injected" if place < count else "margin" if place < config.limit else "over budget"
    lead = {"left_out": open_[config.limit].score} if len(open_) > config.limit else {}
    judged = [
        _Judged(
            one,
            out[one.document.id],
            {"needed": config.applies_min, **lead, **_history((looked_up or {}).get(one.document.id))},
        )
        for one in found.ranked
    ]
    candidates = tuple(map(_candidate, judged))
    if not said:
        return Decision(candidates, tier=found.tier)
    return Decision(
        candidates,
        fenced([_part(document, config) for document in said], chars_max=ask.chars_max),
        given=tuple(f"{document.id}@{document.version}" for document in said),
        tier=found.tier,
    )


def _ruled_out(one: Ranked, ask: Ask, config: RecallConfig, book: ActBook) -> str:
    """Why it is not said, whatever else was found; "" if it may be."""
    document = one.document
    if ask.event_id and ask.event_id in document.origin:
        return "own correction"
    if one.score < config.applies_min:
        return "below threshold"
    if _repeated(document, ask):
        return "repeated"
    return OVERRULED if book.overruled(document, ask.scope) else ""


def _was_held(document: Document, ask: Ask) -> bool:
    """Was a call held for it in this session, or for the memo it was then?"""
    return any(f"hold:{one}" in ask.given for one in (document.id, *document.origin))


def _repeated(document: Document, ask: Ask) -> bool:
    if document.id in ask.again:
        return False
    if f"{document.id}@{document.version}" in ask.given:
        return True
    return any(f"{origin}@0" in ask.given for origin in document.origin)


def _part(document: Document, config: RecallConfig) -> str:
    """What the agent reads of one document, within the budget, cut at a line's end."""
    return within_tokens(document.text.strip(), config.tokens_max)


def _history(before: Tried | None) -> dict[str, int]:
    return {"corrected": before.corrected, "clean": before.clean} if before else {}


def _candidate(judged: _Judged) -> Candidate:
    one, document = judged.ranked, judged.ranked.document
    figures = {**one.figures, **judged.figures}
    return Candidate(
        id=document.id,
        kind=document.kind,
        name=document.name,
        version=document.version,
        bm25=round(one.bm25, 4),
        cosine=None if one.cosine is None else round(one.cosine, 4),
        score=round(one.score, 4),
        decision=judged.decision,
        figures={name: round(value, 4) for name, value in figures.items()},
    )
