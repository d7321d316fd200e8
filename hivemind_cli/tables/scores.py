"""What the sidecars answer to one scoring call: numbers of versions, ascending, and their scores, highest is nearest.

Versions that are not among them have no vector (NULL), no word in common with the query (0), or neither (0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.index.columns import VectorColumn
from hivemind_cli.index.inverted import within
from hivemind_cli.index.quantized import among_best
from hivemind_cli.tables.catalog import ColumnInfo
from hivemind_cli.tables.nearness import Call
from hivemind_cli.tables.sidecar import Sidecar

FEW_SHARE = 0.1
"""Of a column's rows: so few are counted one by one, and not found among all."""
NARROW = 4
"""Numbers spread over so many times their count are still added up in one array."""


class Embedding(Protocol):
    """A workspace's own model."""

    @property
    def model(self) -> str:
        """Whose vectors these are."""

    def __call__(self, texts: Sequence[str]) -> "NDArray[np.float32]":
        """[len(texts), dim]. ModelError."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Versions and scores."""

    numbers: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.numbers)

    def best(self, count: int) -> "Scored":
        """The `count` highest, and all that are as high as the last of them."""
        if count <= 0:
            return NONE
        if count >= len(self):
            return self
        least = np.partition(self.scores, len(self) - count)[len(self) - count]
        return self.where(self.scores >= least)

    def first(self, count: int) -> "Scored":
        """The `count` highest; of those as high as the last, any."""
        if count >= len(self):
            return self
        at = np.sort(np.argpartition(self.scores, len(self) - count)[len(self) - count :])
        return Scored(self.numbers[at], self.scores[at])

    def where(self, kept: NDArray[np.bool_]) -> "Scored":
        """Some of them."""
        at = np.flatnonzero(kept)
        return Scored(self.numbers[at], self.scores[at])

    def among(self, numbers: NDArray[np.int64]) -> "Scored":
        """Those with one of these numbers, which ascend."""
        return self.where(within(self.numbers, numbers))

    def relation(self) -> dict[str, NDArray[np.generic]]:
        """To join with."""
        return {"seq": self.numbers, "score": self.scores}


NONE = Scored(np.zeros(0, np.int64), np.zeros(0))


def scored(call: Call, values: Sequence[Any], sidecar: Sidecar, *, words_only: bool = False) -> Scored:
    """All versions' scores; of hybrid only the words' part, weighed by the engine, where `words_only`."""
    given = [values[number - 1] for number in call.values]
    if call.text is None:
        return _cosines(call.vector, given[0], sidecar)
    if call.vector is None:
        found = sidecar.scores(call.text, given[0])
        return Scored(found.numbers, found.bm25)
    shares = sidecar.scores(call.text, given[1])
    said = Scored(shares.numbers, shares.shares())
    if words_only:
        return said
    return both(_cosines(call.vector, given[0], sidecar), said, given[2], given[3])


def best(
    call: Call, values: Sequence[Any], sidecar: Sidecar, count: int, allowed: "NDArray[np.int64] | None" = None
) -> Scored:
    """The `count` best, in the order of their numbers; of those `allowed` (ascending) alone."""
    given = [values[number - 1] for number in call.values]
    if call.vector is None and call.text is not None:
        words = sidecar.best(call.text, given[0], count, allowed)
        return Scored(words.numbers, words.bm25).first(count)
    near = given[0] if call.vector is not None and call.vector.type.dim else None
    if call.vector is None or near is None:
        found = scored(call, values, sidecar)
        return (found if allowed is None else found.among(allowed)).first(count)
    said, weights = NONE, (1.0, 0.0)
    if call.text is not None:
        shares = sidecar.scores(call.text, given[1])
        said, weights = Scored(shares.numbers, shares.shares()), (given[2], given[3])
    if allowed is not None:
        said = said.among(allowed)
    return _nearest(sidecar.vectors(call.vector), near, said, weights, count, allowed).first(count)


def _nearest(
    column: VectorColumn,
    near: "NDArray[np.float32]",
    said: Scored,
    weights: tuple[float, float],
    count: int,
    allowed: "NDArray[np.int64] | None",
) -> Scored:
    """Weighed sums, the best `count` among them. `said`: of those allowed alone."""
    if allowed is not None and len(allowed) <= FEW_SHARE * len(column):
        numbers, cosines = column.cosines_among(near, allowed)
        return both(Scored(numbers, cosines.astype(np.float64)), said, *weights)
    rough = column.rough(near)
    if rough is None:
        numbers, cosines = column.cosines(near)
        exact = Scored(numbers, cosines.astype(np.float64))
        return both(exact if allowed is None else exact.among(allowed), said, *weights)
    nearly = Scored(rough.numbers, rough.cosines.astype(np.float64))
    found = both(nearly if allowed is None else nearly.among(allowed), said, *weights)
    places = among_best(found.scores, count, abs(weights[0]) * rough.slack)
    numbers = found.numbers if places is None else found.numbers[places]
    at = np.minimum(np.searchsorted(rough.numbers, numbers), len(rough.numbers) - 1)
    at = at[rough.numbers[at] == numbers]
    exact = Scored(rough.numbers[at], rough.exactly(at).astype(np.float64))
    return both(exact, said.among(numbers), *weights)


def vector(column: ColumnInfo, value: Any, embedding: Embedding) -> "NDArray[np.float32] | None":
    """A value to be compared with a column, as float32 [dim]; text is embedded. WrongValue, ModelError."""
    if value is None:
        return None
    if isinstance(value, str):
        if column.model and column.model != embedding.model:
            raise WrongValue(
                f"{column.name} holds vectors of {column.model}, and texts are embedded by {embedding.model} by now.",
                fix="Give a vector, or set `embedding.model` back.",
            )
        value = embedding([value])[0]
    try:
        with np.errstate(over="ignore"):  # infinity is told below
            found = np.asarray(value, np.float32)
    except (TypeError, ValueError, OverflowError) as exc:
        raise WrongValue(f"{column.name} is compared with a vector.", why=str(exc)[:200]) from exc
    if found.ndim != 1 or not np.isfinite(found).all():
        raise WrongValue(f"{column.name} is compared with a vector of numbers.", why="This one has NaN or infinity.")
    if column.type.dim and len(found) != column.type.dim:
        raise WrongValue(
            f"{column.name} holds vectors of length {column.type.dim}, and this one has {len(found)}.",
            fix="Embed the query with the model that made the column.",
        )
    return found


def _cosines(column: ColumnInfo | None, near: "NDArray[np.float32] | None", sidecar: Sidecar) -> Scored:
    if column is None or near is None or not column.type.dim:
        return NONE
    numbers, scores = sidecar.vectors(column).cosines(near)
    return Scored(numbers, scores.astype(np.float64))


def both(near: Scored, said: Scored, near_weight: float, said_weight: float) -> Scored:
    """The weighed sum; what is missing in one of them counts 0 there."""
    if not len(said):
        return Scored(near.numbers, near_weight * near.scores)
    if not len(near):
        return Scored(said.numbers, said_weight * said.scores)
    begin, end = int(near.numbers[0]), int(near.numbers[-1])
    gapless = end - begin + 1 == len(near)
    if gapless and begin <= said.numbers[0] and said.numbers[-1] <= end:
        sums = near_weight * near.scores
        sums[said.numbers - begin] += said_weight * said.scores
        return Scored(near.numbers, sums)
    first = int(min(near.numbers[0], said.numbers[0]))
    room = int(max(near.numbers[-1], said.numbers[-1])) - first + 1
    if room > NARROW * (len(near) + len(said)) + 1000:
        numbers = np.union1d(near.numbers, said.numbers)
        sums = np.zeros(len(numbers))
        sums[np.searchsorted(numbers, near.numbers)] = near_weight * near.scores
        sums[np.searchsorted(numbers, said.numbers)] += said_weight * said.scores
        return Scored(numbers, sums)
    wide = np.zeros(room)
    there = np.zeros(room, np.bool_)
    at = near.numbers - first
    wide[at], there[at] = near_weight * near.scores, True
    at = said.numbers - first
    wide[at] += said_weight * said.scores
    there[at] = True
    at = np.flatnonzero(there)
    return Scored(at + first, wide[at])
