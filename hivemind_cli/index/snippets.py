"""The piece of a text that says most about a query, with what to highlight in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hivemind_cli.core.terms import is_unspaced, weight
from hivemind_cli.index.wanted import said

ELLIPSIS = "…"
_BLANK = re.compile(r"\s+")
_LEAD_SHARE = 4
"""A quarter of the room may stand before the first highlighted word."""
_TEXT_CHARS_MAX = 50_000
_JOINS = frozenset("_./\\:-")
"""Between two highlighted parts of one word, as in a path."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One line of a text."""

    text: str
    """White space is one blank; `…` stands where something was left out."""
    spans: tuple[tuple[int, int], ...]
    """[start, end) of `text`'s characters to highlight, in order, apart from each other."""


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    word: str


def snippet(text: str, query: str, *, chars: int = 200) -> Snippet:
    """At most about `chars` characters of `text` around the query's words; its beginning if none is there."""
    text = _BLANK.sub(" ", text[:_TEXT_CHARS_MAX]).strip()
    matches = _matches(text, query)
    start, end = _window(text, matches, chars)
    lead, tail = (ELLIPSIS if start > 0 else ""), (ELLIPSIS if end < len(text) else "")
    moved = len(lead) - start
    spans = _joined(text, [one for one in matches if start <= one.start and one.end <= end])
    return Snippet(lead + text[start:end] + tail, tuple((first + moved, last + moved) for first, last in spans))


def _matches(text: str, query: str) -> list[_Match]:
    """Where the query's words stand, whole or as parts of identifiers, in order."""
    wanted = said(query)
    if wanted is None:
        return []
    together = (part for parts in wanted.compounds for part in parts)
    words = sorted({*wanted.terms, *together}, key=lambda word: (-len(word), word))
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    found = (_Match(match.start(), match.end(), match.group().lower()) for match in pattern.finditer(text))
    return [one for one in found if _stands_alone(text, one)]


def _stands_alone(text: str, match: _Match) -> bool:
    if is_unspaced(text[match.start]):
        return True
    before, first = text[match.start - 1 : match.start], text[match.start]
    last, after = text[match.end - 1], text[match.end : match.end + 1]
    return _begins(before, first) and (not after.isalnum() or _begins(last, after) or last.isupper() != after.isupper())


def _begins(before: str, char: str) -> bool:
    """Does a word begin at `char`?"""
    if not before.isalnum():
        return True
    return char.isupper() or before.isdigit() != char.isdigit()


def _window(text: str, matches: Sequence[_Match], chars: int) -> tuple[int, int]:
    """Where to cut: the piece with the most different words of the query, and those that say most; then the first."""
    if len(text) <= chars:
        return 0, len(text)
    best, at = 0.0, 0
    last = 0
    for first, match in enumerate(matches):
        last = max(last, first)
        while last < len(matches) and matches[last].end <= match.start + chars * (_LEAD_SHARE - 1) // _LEAD_SHARE:
            last += 1
        worth = sum(0.1 + weight(word) for word in {one.word for one in matches[first:last]})
        if worth > best + 1e-9:
            best, at = worth, match.start
    start = max(min(at - chars // _LEAD_SHARE, len(text) - chars), 0)
    return _at_word(text, start, at), _to_word(text, min(start + chars, len(text)))


def _at_word(text: str, start: int, before: int) -> int:
    """The first word's beginning from `start` on, where one comes before the highlighted word."""
    if start == 0 or text[start - 1] == " ":
        return start
    blank = text.find(" ", start, before)
    return blank + 1 if blank >= 0 else start


def _to_word(text: str, end: int) -> int:
    """The last word's end up to `end`, unless that word is very long."""
    if end == len(text) or text[end] == " ":
        return end
    blank = text.rfind(" ", end - 20, end)
    return blank if blank > 0 else end


def _joined(text: str, matches: Sequence[_Match]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for match in matches:
        if spans and set(text[spans[-1][1] : match.start]) <= _JOINS:
            spans[-1] = (spans[-1][0], match.end)
        else:
            spans.append((match.start, match.end))
    return spans
