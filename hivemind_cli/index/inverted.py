"""Words of numbered texts, as arrays: which texts have a word, and how often. BM25 of all of them in one go.

Segments that never change, each some texts with consecutive numbers: `made` from texts, or `merged` of two. What a word
scores depends on all of them together, so that a text scores the same wherever it stands. Words are index/tokens.py's,
known by a hash of 64 bits: no text can be read from an index.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.index.tokens import spaced
from hivemind_cli.index.wanted import said

K1, B = 1.2, 0.75
"""As in Lucene and tantivy."""
_BATCH_CHARS = 1 << 20
"""Texts are split into words so much at a time: the arrays take a few times that."""
_TIMES_MAX = 65_535


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

    def __len__(self) -> int:
        return len(self.numbers)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """To be saved; `Segment(**arrays)` is this again."""
        return {name: getattr(self, name) for name in self.__slots__}

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


def scores(segments: Sequence[Segment], query: str) -> Scores:
    """Of all texts that have one of the query's words; function words count only where there is nothing else."""
    wanted = said(query)
    terms = [hashed(word) for word in wanted.terms] if wanted else []
    texts = sum(len(one) for one in segments)
    words = sum(int(one.lengths.sum(dtype=np.int64)) for one in segments)
    mean = words / texts if words else 1.0
    places = [[one.having(term) for one in segments] for term in terms]
    rarities = [_rarity(texts, sum(at.stop - at.start for at in each)) for each in places]
    numbers, bm25 = [], []
    for at, segment in enumerate(segments):
        score = np.zeros(len(segment))
        for each, rarity in zip(places, rarities, strict=True):
            rows, times = segment.rows[each[at]], segment.times[each[at]]
            if len(rows):
                norm = K1 * (1 - B) + (K1 * B / mean) * segment.lengths[rows]
                score[rows] += (rarity * (K1 + 1)) * times / (times + norm)
        found = np.flatnonzero(score)
        numbers.append(segment.numbers[found])
        bm25.append(score[found])
    if not numbers:
        return Scores(np.zeros(0, np.int64), np.zeros(0), sum(rarities))
    return Scores(np.concatenate(numbers), np.concatenate(bm25), sum(rarities))


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
