"""A corpus in memory: what it finds is what any Corpus must find."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from hivemind_cli.index.base import Found, Text, Where
from hivemind_cli.index.tokens import words
from hivemind_cli.index.wanted import BODY_OF_COMPOUND, HEAD_OF_BODY, Wanted, head_of, path_ends, said, whole_path

_K1, _B = 1.2, 0.75
"""As in Lucene and tantivy."""


@dataclass(frozen=True, slots=True)
class _Entry:
    text: Text
    head: Counter[str]
    body: list[str]


class InMemoryCorpus:
    """A Corpus that forgets everything with its process."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._cursor = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"InMemoryCorpus(texts={len(self._entries)}, cursor={self._cursor})"

    def cursor(self) -> int:
        return self._cursor

    def update(
        self,
        put: Sequence[Text],
        drop: Sequence[str],
        *,
        cursor: int,
        gone: Sequence[tuple[str, str]] = (),
        pause: Callable[[], object] = lambda: None,
    ) -> None:
        with self._lock:
            dropped, sessions = set(drop), set(gone)
            entries = {
                id: entry
                for id, entry in self._entries.items()
                if id not in dropped and (entry.text.host, entry.text.session_id) not in sessions
            }
            for text in put:
                body = words("\n".join((text.title, text.text, *text.paths)))
                entries[text.id] = _Entry(text, Counter(words(head_of(text))), body)
            self._entries, self._cursor = entries, cursor

    def clear(self) -> None:
        with self._lock:
            self._entries, self._cursor = {}, 0

    def search(self, query: str, where: Where, *, limit: int, ids: Collection[str] | None = None) -> list[Found]:
        wanted = said(query)
        if wanted is None:
            return []
        entries = list(self._entries.values())
        found = [
            Found(entry.text, score, share)
            for entry, (score, share) in zip(entries, _scores(wanted, entries), strict=True)
            if score > 0 and inside(entry.text, where) and (ids is None or entry.text.id in ids)
        ]
        return sorted(found, key=lambda one: (-one.bm25, one.text.id))[: max(limit, 0)]

    def get(self, ids: Collection[str], where: Where) -> dict[str, Text]:
        entries = self._entries
        return {id: entries[id].text for id in ids if id in entries and inside(entries[id].text, where)}

    def latest(self, where: Where, *, limit: int) -> list[Text]:
        texts = [entry.text for entry in self._entries.values() if inside(entry.text, where)]
        return sorted(texts, key=lambda one: (-one.at_ms, one.id))[: max(limit, 0)]

    def count(self) -> int:
        return len(self._entries)

    def close(self) -> None:
        """Nothing is held."""


def inside(text: Text, where: Where) -> bool:
    """Does every filter hold?"""
    return (
        text.workspace_id == where.workspace_id
        and all(
            not wanted or value in wanted
            for value, wanted in (
                (text.project_id, where.project_ids),
                (text.kind, where.kinds),
                (text.host, where.hosts),
                (text.session_id, where.session_ids),
            )
        )
        and (where.since_ms is None or text.at_ms >= where.since_ms)
        and (where.until_ms is None or text.at_ms < where.until_ms)
        and (where.before is None or text.number < where.before)
        and (not where.path or any(whole_path(where.path) in path_ends(path) for path in text.paths))
    )


def _scores(wanted: Wanted, entries: Sequence[_Entry]) -> list[tuple[float, float]]:
    """BM25 and its share of each entry: body, head, and what the query wrote as one word (as rare as its parts)."""
    bodies, heads = [Counter(entry.body) for entry in entries], [entry.head for entry in entries]
    in_bodies, in_heads = _frequencies(bodies), _frequencies(heads)
    body_chars, head_chars = _norms(bodies), _norms(heads)
    asked = wanted.asked(len(entries), in_bodies.__getitem__, in_heads.__getitem__)
    scores = []
    for entry, body, head, long, short in zip(entries, bodies, heads, body_chars, head_chars, strict=True):
        score = 0.0
        for term, weight in asked.terms.items():
            score += weight * _rarity(len(entries), in_bodies[term]) * _often(body[term], long)
            score += HEAD_OF_BODY * weight * _rarity(len(entries), in_heads[term]) * _often(head[term], short)
        for parts in wanted.compounds:
            rarity = sum(_rarity(len(entries), in_bodies[part]) for part in parts)
            score += BODY_OF_COMPOUND * rarity * _often(_side_by_side(entry.body, parts), long)
        scores.append((score, asked.share(score)))
    return scores


def _frequencies(bags: Sequence[Counter[str]]) -> Counter[str]:
    return Counter(word for bag in bags for word in bag)


def _norms(bags: Sequence[Counter[str]]) -> list[float]:
    mean = sum(bag.total() for bag in bags) / len(bags) if bags else 0.0
    return [_K1 * (1 - _B + _B * bag.total() / mean) if mean else 0.0 for bag in bags]


def _rarity(count: int, having: int) -> float:
    return math.log(1 + (count - having + 0.5) / (having + 0.5))


def _often(times: int, norm: float) -> float:
    return times * (_K1 + 1) / (times + norm) if times else 0.0


def _side_by_side(body: Sequence[str], parts: tuple[str, ...]) -> int:
    return sum(tuple(body[at : at + len(parts)]) == parts for at in range(len(body)))
