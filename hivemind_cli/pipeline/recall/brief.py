"""A session's start: what was learned here lately, named in a few lines.

The skills themselves come at their moments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hivemind_cli.core import fence
from hivemind_cli.core.records import Candidate, Moment, Recall
from hivemind_cli.index.base import Document

NAMED = "named"
"""The decision for a skill that a brief names: nothing was given of it."""
LATELY = timedelta(days=4)
SESSIONS_MAX = 2
"""Starts of a project's sessions at which one version is named."""
LINES_MAX = 5
"""Of the block, our own first one included."""
_LINE_CHARS = 160
_LEAD = "Learned here lately from people's corrections; each is told in full when it applies:"


@dataclass(frozen=True, slots=True)
class Brief:
    """The text, "" for silence, and what it names."""

    candidates: tuple[Candidate, ...] = ()
    text: str = ""


def brief(documents: Sequence[Document], named: Mapping[str, int], now: datetime) -> Brief:
    """Skills of the last days that not enough sessions were told of, the newest first.

    named  `id@version` -> at how many starts it was named already
    """
    since_ms = (now - LATELY).timestamp() * 1000
    fresh = [
        one
        for one in documents
        if one.kind == "skill" and one.occurred_at_ms >= since_ms and named.get(_key(one), 0) < SESSIONS_MAX
    ]
    fresh.sort(key=lambda one: (-one.occurred_at_ms, one.id))
    chosen = fresh[: LINES_MAX - 1]
    if not chosen:
        return Brief()
    candidates = tuple(
        Candidate(id=one.id, kind=one.kind, name=one.name, version=one.version, decision=NAMED) for one in chosen
    )
    return Brief(candidates, fence.brief([_LEAD, *map(_line, chosen)]))


def named_at(recalls: Sequence[Recall]) -> dict[str, int]:
    """`id@version` -> at how many of these session starts it was named."""
    counts: dict[str, int] = {}
    for recall in recalls:
        for one in recall.candidates:
            if recall.moment is Moment.SESSION_START and one.decision == NAMED:
                counts[f"{one.id}@{one.version}"] = counts.get(f"{one.id}@{one.version}", 0) + 1
    return counts


def _key(document: Document) -> str:
    return f"{document.id}@{document.version}"


def _line(document: Document) -> str:
    rules = [line.strip() for line in document.rule.split("\n") if line.strip()]
    rule = next((line for line in rules if not line.startswith("`")), rules[0] if rules else document.trigger)
    said = " ".join(rule.split())
    return f"- {document.name}: {said if len(said) <= _LINE_CHARS else said[: _LINE_CHARS - 1].rstrip() + '…'}"
