"""What every index counts: the terms and words of a document and of a query, and documents as JSON."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from hivemind_cli.core.stopwords import BY_LANGUAGE, STOPWORDS
from hivemind_cli.core.terms import stem, weight, words
from hivemind_cli.index import occasions
from hivemind_cli.index.base import Document

QUERY_TERMS_MAX = 128
"""A pasted log must not cost more than a prompt: 128 terms over 1k documents take under a millisecond."""
_FUNCTION_WORDS = BY_LANGUAGE["en"]
"""Of words, only these are left out: another language's are rare in most collections, and may be somebody's name."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A document's terms and words, with repeats and without function words."""

    text: list[str]
    """Terms of everything: `trigger`, the body, and the commands and paths of the corrected acts."""
    trigger: list[str]
    """Terms of name, trigger and tasks."""
    words: list[str]
    """Whole words of everything."""
    named: list[str]
    """Whole words of name, trigger and tasks."""

    @classmethod
    def of(cls, document: Document) -> "Fields":
        when, _ = occasions.of_description(document.trigger)
        named = words("\n".join((document.name, when, *document.tasks)))
        acts = (str(act.get(part, "")) for act in document.acts for part in ("command", "path"))
        body = words("\n".join((occasions.of_body(document.rule or document.text), *acts)))
        trigger = _stems(named)
        return cls(trigger + _stems(body), trigger, _content(named) + _content(body), _content(named))


@dataclass(frozen=True, slots=True)
class Asked:
    """A query's distinct terms and words, without function words; at most QUERY_TERMS_MAX each."""

    terms: list[str]
    words: list[str]

    @classmethod
    def of(cls, query: str) -> "Asked":
        found = words(query)
        return cls(_heaviest(_stems(found)), _heaviest(_content(found)))


def query_terms(query: str) -> list[str]:
    """The distinct terms of `query` that are no function words, at most QUERY_TERMS_MAX; any text is fine."""
    return _heaviest(_stems(words(query)))


def rarity(having: int, documents: int) -> float:
    """BM25's weight of a term that `having` of `documents` have."""
    return math.log(1 + (documents - having + 0.5) / (having + 0.5))


def scale(rarities: float, documents: int) -> float:
    """What a BM25 score is divided by so that it compares between queries and between collections.

    rarities  the sum over the query's terms: a score grows with how many there are, and how rare
    """
    return math.sqrt(max(rarities * rarity(0, documents), 1e-9))


def to_json(document: Document) -> str:
    """ASCII JSON, so that lone surrogates of a file name survive."""
    return json.dumps(asdict(document), separators=(",", ":"))


def from_json(text: str | bytes) -> Document:
    """What `to_json` was given."""
    fields: dict[str, Any] = json.loads(text)
    for name in ("tasks", "acts", "origin", "recurrence_keys"):
        fields[name] = tuple(fields[name])
    return Document(**fields)


def _stems(found: list[str]) -> list[str]:
    return [term for term in map(stem, found) if term not in STOPWORDS]


def _content(found: list[str]) -> list[str]:
    return [word for word in found if word not in _FUNCTION_WORDS]


def _heaviest(found: list[str]) -> list[str]:
    distinct = list(dict.fromkeys(found))
    if len(distinct) > QUERY_TERMS_MAX:
        distinct = sorted(distinct, key=weight, reverse=True)[:QUERY_TERMS_MAX]
    return distinct
