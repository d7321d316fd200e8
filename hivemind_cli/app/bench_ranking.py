"""What the benches of rankings share: reading JSON lines, writing answers, and how right a ranking is.

A query is {"qid" or "id", "query"} a line, or {"qid", "title", "text"}; `before`, and `gold` (or `gold_expanded`, which
counts where both stand; [] says that nothing applies), may stand there. An answer is
{"qid", "ranked": [[id, score], …]} a line, best first.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.intervals import bootstrap, wilson

DEPTH = 50
"""How many are answered, at most."""
CUTS = (1, 5, 10)
Interval = tuple[float, float]
Ranking = Sequence[tuple[str, float]]
"""(id, score), best first."""
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Query:
    """One line of queries."""

    qid: Any
    title: str
    """"" where the line has none."""
    text: str
    before: int | None
    """Only documents with a smaller number may be answered; None: all."""
    gold: frozenset[str]
    """Ids of right answers; empty where the line says none."""
    line: Mapping[str, Any]
    """All that stood there."""

    @property
    def labelled(self) -> bool:
        """Does the line say what is right, or that nothing is?"""
        return bool(self.gold) or self.idle

    @property
    def idle(self) -> bool:
        """Does the line say that nothing applies?"""
        return not self.gold and self.line.get("gold") == []


class LineError(ConfigError):
    """A line that cannot be read; which file it stands in, who opened that knows."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How right a ranking is; intervals are of 95 %."""

    queries: int
    hit: Mapping[int, tuple[float, Interval]]
    """Cut -> the share of queries with a right answer among that many first ones."""
    mrr: tuple[float, Interval]
    """Mean of 1 / rank of the first right answer."""


def objects(file: IO[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number of the line, its object), in order; gzip is read as it is. LineError names the first bad line."""
    for number, line in enumerate(_plain(file), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except (ValueError, RecursionError) as exc:
            raise LineError(f"Line {number} is no JSON.", why=str(exc)[:200], fix="Give a JSON object a line.") from exc
        if not isinstance(value, dict):
            raise LineError(f"Line {number} is no JSON object.", fix="Give a JSON object a line.")
        yield number, value


def text_of(value: Mapping[str, Any], name: str, number: int) -> str:
    """A field's text; "" where it is missing or null. LineError: it is something else."""
    found = value.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise LineError(f"In line {number} `{name}` is no text.", fix="Give a string.")
    return found


def id_of(value: Mapping[str, Any], name: str, number: int) -> str:
    """An id as text. LineError: there is none, or it is neither text nor a number."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise LineError(f"Line {number} has no `{name}`.", fix="Give each line an id: a string or a number.")
    return str(found)


def whole_of(value: Mapping[str, Any], name: str, number: int) -> int | None:
    """A field's whole number; None where it is missing or null. LineError: it is something else."""
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or abs(found) >= 1 << 63:
        raise LineError(f"In line {number} `{name}` is no whole number.", fix="Give an integer of 64 bits.")
    return found


def queries(file: IO[bytes]) -> Iterator[Query]:
    """The queries in `file`, in order. LineError: a bad line, or a qid that comes twice."""
    seen: set[str] = set()
    for number, value in objects(file):
        name = "qid" if "qid" in value or "id" not in value else "id"
        qid = id_of(value, name, number)
        if qid in seen:
            raise LineError(f"Line {number} has the qid {qid!r} again.", fix="Give each query a qid of its own.")
        seen.add(qid)
        yield Query(
            qid=value[name],
            title=text_of(value, "title", number),
            text=_asked(value, number),
            before=whole_of(value, "before", number),
            gold=ids_of(value, "gold_expanded", number) or ids_of(value, "gold", number),
            line=value,
        )


def _asked(value: Mapping[str, Any], number: int) -> str:
    """What is asked beside the title; "" where it is empty or null. LineError: no field for it is there."""
    if not value.keys() & {"query", "text", "title"}:
        raise LineError(f"Line {number} has no `query`.", fix='Give {"qid", "query"} a line.')
    return text_of(value, "query", number) or text_of(value, "text", number)


def answer(qid: Any, ranking: Ranking, ids: Mapping[str, Any] | None = None) -> str:
    """One line of the answer; `ids` gives back those that were no text."""
    ranked = [[ids[id] if ids else id, round(score, 6)] for id, score in ranking[:DEPTH]]
    return json.dumps({"qid": qid, "ranked": ranked}, ensure_ascii=False)


def first_rank(ranking: Ranking, gold: Iterable[str]) -> int:
    """The rank, from 1, of the first right answer; 0 if there is none."""
    right = set(gold)
    return next((rank for rank, (id, _) in enumerate(ranking, 1) if id in right), 0)


def figures(first_ranks: Sequence[int]) -> Figures:
    """The figures of queries, from the rank of each one's first right answer (0: none)."""
    count = len(first_ranks)
    hit = {}
    for cut in CUTS:
        right = sum(0 < rank <= cut for rank in first_ranks)
        hit[cut] = (right / count if count else 0.0, wilson(right, count))
    reciprocal = [1 / rank if rank else 0.0 for rank in first_ranks]
    return Figures(count, hit, (_mean(reciprocal), bootstrap(reciprocal, _mean) or (0.0, 1.0)))


class Compared(Protocol):
    """One query with its ranking and those of its halves alone."""

    @property
    def query(self) -> Query: ...

    @property
    def ranked(self) -> Ranking: ...

    @property
    def by_words(self) -> Ranking: ...

    @property
    def by_meaning(self) -> Ranking | None: ...


def compared(way: str, answered: Sequence[Compared]) -> dict[str, Figures]:
    """hit@k and MRR of the ranking, called `way`, and of its halves alone. ConfigError: no query has gold."""
    labelled = [one for one in answered if one.query.gold]
    if not labelled:
        raise ConfigError("No query says what is right.", fix='Give queries "gold": [ids], or leave --labels out.')
    found = {way: [one.ranked for one in labelled], "BM25 alone": [one.by_words for one in labelled]}
    if labelled[0].by_meaning is not None:
        found["vector alone"] = [one.by_meaning or () for one in labelled]
    return {
        name: figures([first_rank(ranked, one.query.gold) for one, ranked in zip(labelled, rankings, strict=True)])
        for name, rankings in found.items()
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def ids_of(value: Mapping[str, Any], name: str, number: int) -> frozenset[str]:
    """A field's ids; empty where it is missing or null. LineError: it is no list of ids."""
    found = value.get(name)
    if found is None:
        return frozenset()
    if not isinstance(found, list) or not all(isinstance(one, str | int) for one in found):
        raise LineError(f"In line {number} `{name}` is no list of ids.", fix=f'Give a list: "{name}": ["a", "b"].')
    return frozenset(map(str, found))


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    """Lines, unpacked if they are packed. ConfigError: packed, but damaged."""
    peek = getattr(file, "peek", None)
    if peek is None or peek(2)[:2] != _GZIP_MAGIC:
        yield from file
        return
    try:
        with gzip.open(file) as unpacked:
            yield from unpacked
    except (OSError, EOFError) as exc:
        raise ConfigError("The gzip file is damaged.", why=str(exc), fix="Give JSON lines, packed or not.") from exc
