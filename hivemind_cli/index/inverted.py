"""Words of numbered texts, as arrays: which texts have a word, and how often. BM25 of all of them in one go.

Segments that never change, each some texts with consecutive numbers: `made` from texts, or `merged` of two. What a word
scores depends on all of them together, so that a text scores the same wherever it stands. Words are index/tokens.py's,
known by a hash of 64 bits: no text can be read from an index.

Why not tantivy, as for recall: SQL wants the scores of all texts for a WHERE, a branch or a weighed sum to choose from,
and of a row written a moment ago by the same formula. Measured at 100,000 texts of 40 words, processor time: the scores
of all 7,229 texts with one of three rarer words .6 ms (tantivy 2.5, which gives each as an object), of 61,697 1.4 ms
(19), of 99,896 2.2 ms (37); one text more .1 ms (58 for a commit, before which tantivy does not know it; and it keeps
lengths in one byte). At a million: 220 MB of mapped files, 90 MB in memory for the whole process, opened in .1 s, 5 to
23 ms a query on a busy machine.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.index.tokens import spaced
from hivemind_cli.index.wanted import weighed

K1, B = 1.2, 0.75
"""As in Lucene and tantivy."""
_MANY_SHARE = 0.04
"""Of all texts: if the rarer words have so many of them, all that have any word are scored."""
_SPREAD = 4
"""Numbers spread over so many times their count still have a place each in an array."""
_FEW = 8
"""Fewer words to look at than texts by so much are added up by sorting them."""
_BATCH_CHARS = 1 << 20
"""Texts are split into words so much at a time: the arrays take a few times that."""
_TIMES_MAX = 65_535
MERGED_MAX = 4_000_000
"""Words of texts (each once a text) in a merged segment, 6 bytes each; to merge takes some 20 bytes for each."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some texts."""

    numbers: NDArray[np.int64]
    """Of the texts, ascending."""
    lengths: NDArray[np.int32]
    """Words in each."""
    terms: NDArray[np.uint64]
    """Hashes of the words in them, ascending."""
    starts: NDArray[np.int64]
    """Where each term's texts begin in `rows`, and after the last its end."""
    rows: NDArray[np.int32]
    """Texts of each term, ascending, as places in `numbers`."""
    times: NDArray[np.uint16]
    """How often it stands there."""
    words: int = field(init=False)
    """In all texts together."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", int(self.lengths.sum(dtype=np.int64)))

    def __len__(self) -> int:
        return len(self.numbers)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """To be saved; `Segment(**arrays)` is this again."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}

    def having(self, term: int) -> slice:
        """Where the texts of a term stand in `rows` and `times`."""
        at = int(np.searchsorted(self.terms, np.uint64(term)))
        if at == len(self.terms) or int(self.terms[at]) != term:
            return slice(0, 0)
        return slice(int(self.starts[at]), int(self.starts[at + 1]))


@dataclass(frozen=True, slots=True)
class Scores:
    """Texts that have a word of a query."""

    numbers: NDArray[np.int64]
    """Ascending."""
    bm25: NDArray[np.float64]
    """Above 0."""
    most: float
    """What a text of average length with each of the query's words once would score."""

    def among(self, numbers: NDArray[np.int64]) -> "Scores":
        """Those with one of these numbers, which ascend."""
        kept = within(self.numbers, numbers)
        return Scores(self.numbers[kept], self.bm25[kept], self.most)

    def shares(self) -> NDArray[np.float64]:
        """Of `most`, 1 at most: comparable between queries."""
        shares: NDArray[np.float64] = np.minimum(self.bm25 / self.most, 1.0) if self.most else self.bm25
        return shares


def made(numbers: Sequence[int] | NDArray[np.int64], texts: Sequence[str]) -> Segment:
    """Of texts and their numbers, ascending."""
    places: defaultdict[str, int] = defaultdict(count().__next__)
    pieces, lengths = [], []
    for batch in _batches(texts):
        words = [line.split() for line in spaced("\n".join(text.replace("\n", " ") for text in batch)).split("\n")]
        lengths += [len(one) for one in words]
        pieces.append(np.fromiter(map(places.__getitem__, chain.from_iterable(words)), np.int64, sum(map(len, words))))
    found = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
    hashes = np.fromiter(map(hashed, places), np.uint64, len(places))
    order = np.argsort(hashes)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    keys = rank[found] * max(len(texts), 1) + np.repeat(np.arange(len(texts)), lengths)
    both, times = np.unique(keys, return_counts=True)
    of_term, rows = np.divmod(both, max(len(texts), 1))
    return Segment(
        np.asarray(numbers, np.int64),
        np.asarray(lengths, np.int32),
        hashes[order],
        np.searchsorted(of_term, np.arange(len(order) + 1)),
        rows.astype(np.int32),
        np.minimum(times, _TIMES_MAX).astype(np.uint16),
    )


def merged(first: Segment, second: Segment) -> Segment:
    """Both; the numbers of `second` are the larger ones."""
    terms = np.union1d(first.terms, second.terms)
    counts = np.zeros((2, len(terms)), np.int64)
    for line, one in zip(counts, (first, second), strict=True):
        line[np.searchsorted(terms, one.terms)] = np.diff(one.starts)
    starts = np.zeros(len(terms) + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=starts[1:])
    rows = np.empty(starts[-1], np.int32)
    times = np.empty(starts[-1], np.uint16)
    for one, begins, beyond in (
        (first, starts[:-1], 0),
        (second, starts[:-1] + counts[0], len(first)),
    ):
        begin = begins[np.searchsorted(terms, one.terms)] - one.starts[:-1]
        to = np.repeat(begin, np.diff(one.starts)) + np.arange(len(one.rows))
        rows[to] = one.rows + np.int32(beyond)
        times[to] = one.times
    numbers, lengths = (
        np.concatenate([getattr(first, name), getattr(second, name)]) for name in ("numbers", "lengths")
    )
    return Segment(numbers, lengths, terms, starts, rows, times)


def worth_merging(first: Segment, second: Segment) -> bool:
    """Neighbours of like size, and not yet so large that it takes long, or much memory."""
    return len(first) <= 2 * len(second) and len(first.rows) + len(second.rows) <= MERGED_MAX


def scores(segments: Sequence[Segment], query: str) -> Scores:
    """Of all texts that have one of the query's words; function words count only where there is nothing else."""
    return _all(_asked(segments, query))


def best(segments: Sequence[Segment], query: str, count: int, allowed: NDArray[np.int64] | None = None) -> Scores:
    """Of some of these texts, the `count` highest among them; of those `allowed` (numbers, ascending) alone.

    Rare words first: once so many texts have scored more by them than the other words could give, no further text is
    looked at. Turtle and Flood, Query evaluation: strategies and optimizations (1995): MaxScore.
    """
    asked = _asked(segments, query)
    order = sorted(range(len(asked.rarities)), key=lambda term: -asked.rarities[term])
    left = sum(asked.rarities) * (K1 + 1)
    found = [_Some(segment, allowed) for segment in segments]
    for done, term in enumerate(order):
        known = np.concatenate([one.sums for one in found]) if found else np.zeros(0)
        if len(known) >= count and float(np.partition(known, len(known) - count)[len(known) - count]) > left:
            for rest in order[done:]:
                for one, places in zip(found, asked.places[rest], strict=True):
                    one.more(places, asked.rarities[rest], asked.mean)
            break
        if len(known) + sum(one.stop - one.start for one in asked.places[term]) > _MANY_SHARE * asked.texts:
            everything = _all(asked)
            return everything if allowed is None else everything.among(allowed)
        for one, places in zip(found, asked.places[term], strict=True):
            one.add(places, asked.rarities[term], asked.mean)
        left -= asked.rarities[term] * (K1 + 1)
    return _joined([(one.numbers, one.sums) for one in found], asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query's terms and where they stand."""

    segments: Sequence[Segment]
    texts: int
    mean: float
    """Words in a text."""
    places: list[list[slice]]
    """Of each term, in each segment."""
    rarities: list[float]


def _asked(segments: Sequence[Segment], query: str) -> _Asked:
    texts = sum(len(one) for one in segments)
    mean = sum(one.words for one in segments) / texts if texts else 0.0
    places = [[one.having(term) for one in segments] for term in _terms(query)]
    rarities = [_rarity(texts, sum(at.stop - at.start for at in each)) for each in places]
    return _Asked(segments, texts, mean or 1.0, places, rarities)


def _all(asked: _Asked) -> Scores:
    found = []
    for at, segment in enumerate(asked.segments):
        terms = [(each[at], rarity) for each, rarity in zip(asked.places, asked.rarities, strict=True)]
        found.append(_scores(segment, terms, asked.mean))
    return _joined(found, asked)


def _joined(found: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], asked: _Asked) -> Scores:
    if not found:
        return Scores(np.zeros(0, np.int64), np.zeros(0), sum(asked.rarities))
    numbers, bm25 = zip(*found, strict=True)
    return Scores(np.concatenate(numbers), np.concatenate(bm25), sum(asked.rarities))


class _Some:
    """Texts of a segment that have been met, and what they score so far."""

    def __init__(self, segment: Segment, allowed: NDArray[np.int64] | None) -> None:
        self._segment, self._allowed = segment, allowed
        self._rows = np.zeros(0, np.int64)
        self.sums: NDArray[np.float64] = np.zeros(0)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Of the texts, ascending."""
        return self._segment.numbers[self._rows]

    def add(self, places: slice, rarity: float, mean: float) -> None:
        """What a word gives to all texts that have it."""
        rows, times = self._segment.rows[places], self._segment.times[places]
        if self._allowed is not None:
            kept = within(self._segment.numbers[rows], self._allowed)
            rows, times = rows[kept], times[kept]
        if not len(rows):
            return
        gained = _gained(rarity, times, self._segment.lengths[rows], mean)
        self._rows, which = np.unique(np.concatenate([self._rows, rows]), return_inverse=True)
        self.sums = np.bincount(which, np.concatenate([self.sums, gained])).astype(np.float64, copy=False)

    def more(self, places: slice, rarity: float, mean: float) -> None:
        """What a word gives to the texts that have been met."""
        rows = self._segment.rows[places]
        if not len(rows) or not len(self._rows):
            return
        at = np.minimum(np.searchsorted(rows, self._rows.astype(np.int32)), len(rows) - 1)
        have = np.flatnonzero(rows[at] == self._rows)
        times = self._segment.times[places][at[have]]
        self.sums[have] += _gained(rarity, times, self._segment.lengths[self._rows[have]], mean)


def _gained(rarity: float, times: NDArray[np.uint16], lengths: NDArray[np.int32], mean: float) -> NDArray[np.float64]:
    """BM25 of one word."""
    norm = K1 * (1 - B) + (K1 * B / mean) * lengths
    found: NDArray[np.float64] = (rarity * (K1 + 1)) * times / (times + norm)
    return found


def within(numbers: NDArray[np.int64], some: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Of each of `numbers`: is it one of `some`? Both ascend."""
    if not len(some) or not len(numbers):
        return np.zeros(len(numbers), np.bool_)
    first, last = int(numbers[0]), int(numbers[-1])
    if last - first < _SPREAD * (len(numbers) + len(some)):
        there = np.zeros(last - first + 1, np.bool_)
        there[some[(some >= first) & (some <= last)] - first] = True
        return there[numbers - first]
    found: NDArray[np.bool_] = some[np.minimum(np.searchsorted(some, numbers), len(some) - 1)] == numbers
    return found


def _scores(
    segment: Segment, asked: Sequence[tuple[slice, float]], mean: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers and scores of a segment's texts that have a term: where it stands there, and its rarity."""
    there = [one for one in asked if one[0].start < one[0].stop]
    many = sum(at.stop - at.start for at, _ in there) * _FEW > len(segment)
    sums = np.zeros(len(segment) if many else 0)
    rows_of, parts = [], []
    for at, rarity in there:
        rows, times = segment.rows[at], segment.times[at]
        part = _gained(rarity, times, segment.lengths[rows], mean)
        if many:
            np.add.at(sums, rows, part)
        else:
            rows_of.append(rows)
            parts.append(part)
    if many:
        places = np.flatnonzero(sums)
        return segment.numbers[places], sums[places]
    if not there:
        return segment.numbers[:0], sums
    places, which = np.unique(np.concatenate(rows_of), return_inverse=True)
    return segment.numbers[places], np.bincount(which, np.concatenate(parts)).astype(np.float64, copy=False)


@lru_cache(maxsize=256)
def _terms(query: str) -> tuple[int, ...]:
    return tuple(hashed(word) for word in weighed(query))


def hashed(word: str) -> int:
    """Of a word, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _rarity(texts: int, having: int) -> float:
    return math.log(1 + (texts - having + 0.5) / (having + 0.5))


def _batches(texts: Sequence[str]) -> "list[Sequence[str]]":
    batches, begun, chars = [], 0, 0
    for at, text in enumerate(texts):
        chars += len(text)
        if chars >= _BATCH_CHARS:
            batches.append(texts[begun : at + 1])
            begun, chars = at + 1, 0
    return [*batches, texts[begun:]] if begun < len(texts) else batches
