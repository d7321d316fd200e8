"""What a search wants of a Corpus: its words, how much each counts, and what it wrote as one word.

Of a long query (a bug report, a pasted log) the first line counts twice, and only the rarest words are asked for.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.terms import stem
from hivemind_cli.index.base import Text
from hivemind_cli.index.tokens import compounds, identifiers, words

HEAD_OF_BODY = 0.5
"""A word counts this much more where it stands in a title or first line."""
FIRST_LINE = 2.0
"""A word of the first line of several counts as two."""
BODY_OF_COMPOUND = 0.5
TERMS_MAX = 40
COMMON, RARE_ENOUGH = math.log(1 + 4), 8
"""What every fifth text has says little and costs most: where a query has so many rarer words, they are enough."""
COMPOUNDS_MAX = 12
_QUERY_CHARS_MAX = 20_000
_HEAD_CHARS_MAX = 200
_PATH_ENDS_MAX = 12
"""Folders deep that a path can be asked for by its end; the whole path always."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query's words, each with what it counts, and its compounds."""

    terms: dict[str, float]
    compounds: tuple[tuple[str, ...], ...]
    identifiers: float
    """The share of what the query wrote that is looked for as it is written: identifiers, paths, versions, hashes, and
    words of scripts without spaces."""

    def asked(self, texts: int, in_body: Callable[[str], int], in_head: Callable[[str], int]) -> "Asked":
        """The words that tell most; `in_body` and `in_head` say in how many of `texts` one is."""
        rarity = {term: _rarity(texts, in_body(term)) for term in self.terms}
        first = sorted(self.terms, key=lambda term: (-self.terms[term] * rarity[term], term))[:TERMS_MAX]
        rare = [term for term in first if rarity[term] >= COMMON]
        if len(rare) >= RARE_ENOUGH:
            first = rare
        terms = {term: self.terms[term] for term in first}
        most = sum(
            weight * (rarity[term] + HEAD_OF_BODY * _rarity(texts, in_head(term))) for term, weight in terms.items()
        )
        together = sum(_rarity(texts, in_body(part)) for parts in self.compounds for part in parts)
        return Asked(terms, most + BODY_OF_COMPOUND * together)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a corpus for a query."""

    terms: dict[str, float]
    """Word -> weight, at most TERMS_MAX."""
    most: float
    """What a text of average length would score that has each word once in head and body."""

    def share(self, score: float) -> float:
        """See Found.share."""
        return score / self.most if self.most else 0.0


def said(query: str) -> Wanted | None:
    """What `query` wants; None if it has no word."""
    terms = weighed(query)
    if not terms:
        return None
    query = query[:_QUERY_CHARS_MAX].strip()
    together = dict.fromkeys(tuple(parts) for parts in compounds(query))
    return Wanted(terms, tuple(together)[:COMPOUNDS_MAX], identifiers(query))


def weighed(query: str) -> dict[str, float]:
    """The words of `query`, each with what it counts. Function words count only where there is nothing else."""
    first, _, rest = query[:_QUERY_CHARS_MAX].strip().partition("\n")
    weights = (dict.fromkeys(words(rest), 1.0) if rest else {}) | dict.fromkeys(
        words(first), FIRST_LINE if rest else 1.0
    )
    return {word: weight for word, weight in weights.items() if _tells(word)} or weights


def head_of(text: Text) -> str:
    """The title, or else the first line that says something, in short and in one line."""
    said_first = text.title or text.text[: 2 * _HEAD_CHARS_MAX].lstrip().partition("\n")[0]
    return said_first[:_HEAD_CHARS_MAX].replace("\n", " ")


def whole_path(path: str) -> str:
    """A path as it is compared: with slashes, without `./` before and a slash behind."""
    return path.replace("\\", "/").removeprefix("./").rstrip("/") or path


def path_ends(path: str) -> Iterator[str]:
    """All by which a path can be asked for: its name, its name with the folder, ..., the whole path."""
    whole = whole_path(path)
    yield whole
    end = ""
    for name in reversed(whole.split("/")[-_PATH_ENDS_MAX:]):
        if name:
            end = f"{name}/{end}" if end else name
            yield end


def _tells(word: str) -> bool:
    return (len(word) > 1 or not word.isascii()) and stem(word) not in STOPWORDS


def _rarity(texts: int, having: int) -> float:
    return math.log(1 + (max(texts - having, 0) + 0.5) / (having + 0.5))
