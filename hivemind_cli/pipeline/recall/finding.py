"""What might be said at a moment: at a call what is about the very act, else what the ranking finds."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from hivemind_cli.core.acts import READ
from hivemind_cli.core.match import Weights
from hivemind_cli.index.base import Document
from hivemind_cli.index.matching import BY_ACT, BY_WORDS, by_act
from hivemind_cli.index.ranking import Ranked, Ranker
from hivemind_cli.pipeline.recall import HYBRID, LEXICAL, Ask, Found
from hivemind_cli.pipeline.recall.acts import ActBook
from hivemind_cli.pipeline.recall.standing import Told, weighed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CANDIDATES_MAX = 20
"""Looked at closely, and kept with the decision."""


def find(
    ask: Ask,
    ranker: Ranker,
    weights: Weights,
    *,
    book: ActBook,
    meaning: "Callable[[str], NDArray[np.float32] | None] | None" = None,
    told: Callable[[Document], Told] | None = None,
    now: datetime | None = None,
) -> Found:
    """Reads the index, and may wait for `meaning`, which gives a text's vector or None: no lock is to be held.

    told  what came of a document before; now  what its age is counted from
    """
    if ask.act is not None:
        same = by_act(ask.act, book.near(ask.act, ask.scope))
        if same:
            return Found([Ranked(document, 1.0) for document in same], BY_ACT)
    words = ask.words.strip()
    asked = bool(words) and book.speaks_in(ask.scope) and not (ask.act is not None and ask.act.kind == READ)
    vector = meaning(words) if meaning is not None and asked else None  # a path that is read means nothing
    ranked = ranker.rank(words, ask.scope, weights, meaning=vector, limit=CANDIDATES_MAX)
    return Found(weighed(ranked, told, now), BY_WORDS, LEXICAL if vector is None else HYBRID)
