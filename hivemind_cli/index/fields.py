"""What every index counts: the terms of a document and of a query, and documents as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import terms, weight
from hivemind_cli.index.base import Document

QUERY_TERMS_MAX = 128
"""A pasted log must not cost more than a prompt: 128 terms over 1k documents take under a millisecond."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A document's terms, with repeats and without function words."""

    text: list[str]
    """Over everything: `trigger`, the body, and the commands and paths of the corrected acts."""
    trigger: list[str]
    """Over name, trigger and tasks."""

    @classmethod
    def of(cls, document: Document) -> "Fields":
        trigger = _content("\n".join((document.name, document.trigger, *document.tasks)))
        acts = (str(act.get(part, "")) for act in document.acts for part in ("command", "path"))
        return cls(trigger + _content("\n".join((document.rule or document.text, *acts))), trigger)


def query_terms(query: str) -> list[str]:
    """The distinct terms of `query` that are no function words, at most QUERY_TERMS_MAX; any text is fine."""
    distinct = list(dict.fromkeys(_content(query)))
    if len(distinct) > QUERY_TERMS_MAX:
        distinct = sorted(distinct, key=weight, reverse=True)[:QUERY_TERMS_MAX]
    return distinct


def to_json(document: Document) -> str:
    """ASCII JSON, so that lone surrogates of a file name survive."""
    return json.dumps(asdict(document), separators=(",", ":"))


def from_json(text: str | bytes) -> Document:
    """What `to_json` was given."""
    fields: dict[str, Any] = json.loads(text)
    for name in ("tasks", "acts", "origin", "recurrence_keys"):
        fields[name] = tuple(fields[name])
    return Document(**fields)


def _content(text: str) -> list[str]:
    return [term for term in terms(text) if term not in STOPWORDS]
