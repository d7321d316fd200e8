"""Recall: rank what is known for a moment, and decide what the agent is told, if anything.

Deciding reads the index and what the session was already given; it writes nothing. Silence is a decision
with its reasons, kept like any other.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from hivemind_cli.core.acts import Act
from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.fence import fenced
from hivemind_cli.core.match import Weights, content
from hivemind_cli.core.records import Candidate, Moment
from hivemind_cli.core.text import within_tokens
from hivemind_cli.index.base import Document, Index, Scope
from hivemind_cli.index.matching import (
    Scored,
    by_act,
    by_words,
    call_applies_min,
    call_query,
    candidate_documents,
)
from hivemind_cli.pipeline.recall.acts import ActBook

OVERRULED = "said otherwise since"
"""A person asked for the opposite later; what they say last counts until they decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What recall is asked, at one moment of one session."""

    moment: Moment
    scope: Scope
    query: str
    """The prompt, the subagent's task, or the call in short."""
    act: Act | None = None
    """At a tool call; else None."""
    event_id: str = ""
    """The prompt or call itself: what was learned from it is not said back to it."""
    may_hold: bool = False
    """The host can deny this call, and no person is being asked about it."""
    given: Collection[str] = ()
    """`id@version` of what the session's agent was given, and `hold:id` of what was held."""
    again: Collection[str] = ()
    """Ids whose mistake came back after they were given: they may be said again."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What recall decided: the candidates with their reasons, and the text for the agent ("" is silence)."""

    candidates: tuple[Candidate, ...] = ()
    text: str = ""
    held: bool = False
    given: tuple[str, ...] = ()
    """What to add to the session's list."""


def decide(
    ask: Ask,
    index: Index,
    config: RecallConfig,
    weights: Weights,
    *,
    book: ActBook,
    clean: Callable[[Document], bool],
) -> Decision:
    """What to say at this moment.

    `book` holds the index's documents by their acts. `clean(document)` tells whether the corrected act was, in this
    person's history, mostly corrected when it came up: only then may a call be held for it.
    """
    if not config.enabled:
        return Decision()
    if ask.act is not None:
        return _at_call(ask, ask.act, index, config, weights, book, clean)
    found = by_words(content(ask.query), candidate_documents(index, ask.query, ask.scope), weights)
    return _choose(found, ask, config, config.applies_min, book)


def said_before(index: Index, scope: Scope, given: Collection[str], config: RecallConfig) -> Decision:
    """After a compaction: what the session had been given, once more, since its context lost it."""
    ids = {one.partition("@")[0] for one in given if not one.startswith("hold:")}
    documents = [document for document in index.all(scope) if document.id in ids][: config.limit]
    if not documents or not config.enabled:
        return Decision()
    candidates = tuple(_candidate(Scored(document, 0.0, 1.0), "injected") for document in documents)
    return Decision(candidates, fenced([_part(document, config) for document in documents]))


def _at_call(
    ask: Ask,
    act: Act,
    index: Index,
    config: RecallConfig,
    weights: Weights,
    book: ActBook,
    clean: Callable[[Document], bool],
) -> Decision:
    known = by_act(act, book.near(act, ask.scope))
    same = [one for one in known if not book.overruled(one.document, ask.scope)]
    if known and not same:  # the person's last word counts, until they have decided which of the two holds
        return Decision(tuple(_candidate(one, OVERRULED) for one in known))
    may_hold = config.hold == "once" and ask.may_hold and not any(_was_held(one.document, ask) for one in same)
    for scored in same:
        document = scored.document
        if may_hold and document.holds and clean(document):
            others = tuple(_candidate(other, "not the best match") for other in same if other is not scored)
            part = _part(document, config)
            reason = "The call did not run. Repeat it unchanged if it is still meant; it will then pass."
            return Decision(
                (_candidate(scored, "held"), *others),
                fenced([part, reason]),
                held=True,
                given=(f"hold:{document.id}", f"{document.id}@{document.version}"),
            )
    if same:
        return _choose(
            same, ask, replace(config, margin_min=0.0), config.applies_min, book
        )  # each fits: no doubt to weigh
    query = call_query(act)
    found = by_words(content(query), candidate_documents(index, query, ask.scope), weights)
    return _choose(found, ask, config, call_applies_min(config.applies_min), book)


def _choose(found: Sequence[Scored], ask: Ask, config: RecallConfig, applies_min: float, book: ActBook) -> Decision:
    """Abstain by score, by repetition, by budget, and by margin to what the budget leaves out."""
    decisions: list[str] = []
    keys: set[str] = set()
    chosen: list[Scored] = []
    rest = 0.0
    for scored in found:
        document = scored.document
        decision = "injected"
        if ask.event_id and ask.event_id in document.origin:
            decision = "own correction"
        elif scored.score < applies_min:
            decision = "below threshold"
        elif _repeated(document, ask):
            decision = "repeated"
        elif keys & set(document.recurrence_keys):
            decision = "same lesson"
        elif book.overruled(document, ask.scope):
            decision = OVERRULED
        elif len(chosen) >= config.limit:
            decision = "over budget"
            rest = max(rest, scored.score)
        else:
            chosen.append(scored)
        if decision not in ("below threshold", OVERRULED):
            keys.update(key for key in document.recurrence_keys if key)
        decisions.append(decision)
    said = [scored.document for scored in chosen if not rest or scored.score - rest >= config.margin_min]
    candidates = tuple(
        _candidate(scored, "margin" if decision == "injected" and scored.document not in said else decision)
        for scored, decision in zip(found, decisions, strict=True)
    )
    if not said:
        return Decision(candidates)
    return Decision(
        candidates,
        fenced([_part(document, config) for document in said]),
        given=tuple(f"{document.id}@{document.version}" for document in said),
    )


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


def _candidate(scored: Scored, decision: str) -> Candidate:
    document = scored.document
    return Candidate(
        id=document.id,
        kind=document.kind,
        name=document.name,
        version=document.version,
        bm25=round(scored.bm25, 4),
        score=round(scored.score, 4),
        decision=decision,
    )


def late(decision: Decision) -> Decision:
    """The same decision, but the deadline had passed: nothing was said."""
    candidates = tuple(
        replace(one, decision="timed out") if one.decision in ("injected", "held") else one
        for one in decision.candidates
    )
    return Decision(candidates)
