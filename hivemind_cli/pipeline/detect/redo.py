"""`redo`: the same request again, in other words too. What came of the first one was not it."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache

from hivemind_cli.core.match import content
from hivemind_cli.core.records import CorrectionKind, Event, EventKind
from hivemind_cli.core.terms import weight
from hivemind_cli.pipeline.detect.finding import Finding, History, said_in

SAME_MIN = 0.8
"""Share of the terms, weighed, that two requests have in common to be the same."""
NEAR_MIN = 0.55
"""... if both name the same file or thing."""
COMPARED_CHARS_MAX = 4000
"""A pasted log must not cost seconds (40 KB prompts took 1.6 s each)."""
TERMS_MIN = 3
BRIEF_TERMS = 4
"""Requests so short ("commit and push it") are routine; only at once after the other are they the same again."""
ROUTINE = 3
"""Asked so often, it is a habit or a program's prompt, not a request that failed."""
WITHIN = timedelta(days=1)
_SPECIFIC = re.compile(
    r"[\w.~-]{0,80}/[\w./~-]+|\b[\w-]{1,80}\.[A-Za-z]\w{0,5}\b|`[^`\n]{1,80}`|https?://\S+|\b\w*\d\w*\b|\b\w+_\w+\b|\b[a-z]+[A-Z]\w*\b"
    r"|(?<=\w )[A-Z][a-z]+\b"
)
"""What tells one target from another: paths, files, quoted code, numbers, identifiers, names within a sentence."""


def redo(event: Event, history: History) -> Iterator[Finding]:
    """The same request as an earlier one of this session, or of the project's last sessions within a day."""
    if event.kind is not EventKind.PROMPT:
        return
    said = said_in(event)
    wanted = _terms(said)
    if len(wanted) < TERMS_MIN or said.lstrip().startswith("/"):
        return
    own = [e for e in history.events if e.kind is EventKind.PROMPT]
    same = [e for e in own if _same(said, said_in(e))]
    if len(same) + 1 >= ROUTINE:
        return
    earlier = same[-1] if same else None
    if earlier is not None:
        if not _answered(history.events, earlier) or (len(wanted) <= BRIEF_TERMS and earlier is not own[-1]):
            return
    elif not own:  # a session's first request
        others = [e for e in history.prompts_elsewhere(event, WITHIN) if _same(said, said_in(e))]
        earlier = others[0] if len(others) == 1 and len(wanted) > BRIEF_TERMS else None
    if earlier is None:
        return
    last = history.last_act()
    yield Finding(
        kind=CorrectionKind.REDO,
        reaction=event,
        act_event=last[0] if last else None if own else earlier,
        act=last[1] if last else None,
        quote=said,
        task=said_in(earlier),
        confidence=0.6 if own else 0.5,
        durable=None,
        cause="asked for the same again" if own else "asked for the same again in the next session",
    )


def _answered(events: Sequence[Event], earlier: Event) -> bool:
    """Did the agent do anything about it? Else it was only sent twice."""
    after = False
    for event in events:
        if after and event.kind in (EventKind.REPLY, EventKind.TOOL_CALL):
            return True
        after = after or event is earlier
    return False


def _same(one: str, other: str) -> bool:
    wanted, asked = _terms(one), _terms(other)
    if not asked or len(wanted) > 4 * len(asked) or len(asked) > 4 * len(wanted):
        return False
    shared = _weigh(wanted & asked) / max(_weigh(wanted | asked), 1e-9)
    if shared < NEAR_MIN:
        return False
    names, others = _specifics(one), _specifics(other)
    if shared >= SAME_MIN:
        return names == others or (not names and not others)
    return bool(names) and names == others


@lru_cache(maxsize=256)
def _terms(text: str) -> frozenset[str]:
    """Every prompt is compared with all before it in its session."""
    return content(text[:COMPARED_CHARS_MAX])


@lru_cache(maxsize=256)
def _specifics(text: str) -> frozenset[str]:
    found = (match.strip("`.,:;").casefold() for match in _SPECIFIC.findall(text[:COMPARED_CHARS_MAX]))
    return frozenset(one for one in found if one)


def _weigh(found: frozenset[str]) -> float:
    return sum(weight(term) for term in found)
