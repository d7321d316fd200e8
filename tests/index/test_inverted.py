"""BM25 over arrays is the formula, however the texts came in."""

import itertools
import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.index.inverted import K1, B, best, made, merged, scores
from hivemind_cli.index.tokens import words
from hivemind_cli.index.wanted import said

PIECES = [
    "csv",
    "OOM",
    "parseHTTPHeader2",
    "src/app.py",
    "検索",
    "v1.2",
    "9f8e7d6c5b",
    "ß",
    "é",
    "\n",
    "\r\n",
    " ",
    "x" * 50,
]
TEXTS = st.lists(
    st.one_of(st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join), st.text(max_size=12)), max_size=9
)


def by_hand(texts: list[str], query: str) -> dict[int, float]:
    """Place of each text that has a word of the query -> BM25."""
    bags = [Counter(words(text)) for text in texts]
    wanted = said(query)
    mean = sum(bag.total() for bag in bags) / len(bags) if bags else 0.0
    found: dict[int, float] = {}
    for word in wanted.terms if wanted else ():
        having = sum(word in bag for bag in bags)
        rarity = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
        for place, bag in enumerate(bags):
            if bag[word]:
                norm = K1 * (1 - B + B * bag.total() / mean)
                found[place] = found.get(place, 0.0) + rarity * bag[word] * (K1 + 1) / (bag[word] + norm)
    return found


@settings(deadline=None, max_examples=50)
@given(TEXTS, st.one_of(st.lists(st.sampled_from(PIECES), max_size=4).map(" ".join), st.text(max_size=9)), st.data())
def test_scores_are_bm25_whatever_the_segments(texts: list[str], query: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=3)))
    ends = [0, *cuts, len(texts)]
    segments = [made(range(begin, end), texts[begin:end]) for begin, end in itertools.pairwise(ends)]
    if len(segments) > 2:
        segments[:2] = [merged(*segments[:2])]
    found = scores(segments, query)
    expected = by_hand(texts, query)
    assert found.numbers.tolist() == sorted(expected)
    np.testing.assert_allclose(found.bm25, [expected[place] for place in sorted(expected)], rtol=1e-9)
    assert ((found.shares() > 0) & (found.shares() <= 1)).all()


def test_a_text_of_average_length_with_each_word_once_has_the_whole_share() -> None:
    found = scores([made([1, 2, 3], ["csv loader crashed", "all went fine", "tests stay green"])], "loader csv")
    assert found.numbers.tolist() == [1]
    np.testing.assert_allclose(found.shares(), [1.0])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
def test_the_best_are_the_best_of_all(seed: int, count: int, some: bool) -> None:
    random = np.random.default_rng(seed)
    known = [f"w{number}" for number in range(40)]
    chances = 1 / np.arange(1, 41) ** 1.3
    said = random.choice(40, (400, 9), p=chances / chances.sum()).tolist()
    texts = [" ".join(known[word] for word in row[: 1 + number % 9]) for number, row in enumerate(said)]
    segments = [made(range(begin, begin + 100), texts[begin : begin + 100]) for begin in range(0, 400, 100)]
    query = " ".join(known[word] for word in random.integers(0, 40, 4))
    allowed = np.sort(random.choice(400, 150, replace=False)) if some else None
    everything = scores(segments, query)
    if allowed is not None:
        everything = everything.among(allowed)
    found = best(segments, query, count, allowed)
    known_scores = dict(zip(everything.numbers.tolist(), everything.bm25.tolist(), strict=True))
    assert found.numbers.tolist() == sorted(found.numbers.tolist())
    np.testing.assert_allclose(found.bm25, [known_scores[number] for number in found.numbers.tolist()])
    highest = np.sort(everything.bm25)[::-1][:count]
    np.testing.assert_allclose(np.sort(found.bm25)[::-1][:count], highest)
