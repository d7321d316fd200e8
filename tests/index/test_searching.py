"""Search by words and meaning: what is given, in which order, and what leans on what."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.index.base import Place, Text, Where
from hivemind_cli.index.inmemory_corpus import InMemoryCorpus
from hivemind_cli.index.inmemory_vectors import InMemoryVectors
from hivemind_cli.index.searching import (
    MEANING_OF_IDENTIFIERS,
    MEANING_OF_PROSE,
    Searcher,
    meaning_of,
    weight_of_meaning,
)

ALL = Where(workspace_id="w")
Vector = NDArray[np.float32]


def at(degrees: float) -> Vector:
    """A direction; its cosine to `at(0)` is that of the angle."""
    radians = np.deg2rad(degrees)
    return np.array([np.cos(radians), np.sin(radians)], np.float32)


def searcher(texts: dict[str, str], angles: dict[str, float], **places: str) -> Searcher:
    """id -> text, and id -> its direction; those without have no vector yet. `places`: id -> session."""
    corpus, vectors = InMemoryCorpus(), InMemoryVectors(model="m")
    put = [
        Text(id=id, kind="k", workspace_id="w", text=text, session_id=places.get(id, "")) for id, text in texts.items()
    ]
    corpus.update(put, [], cursor=1)
    spots = [Place(id=id, part="body", digest="d", workspace_id="w", session_id=places.get(id, "")) for id in angles]
    vectors.update(spots, np.array([at(angle) for angle in angles.values()], np.float32), [], cursor=1)
    return Searcher(corpus, vectors)


def found(one: Searcher, query: str, meaning: Vector | None, where: Where = ALL, limit: int = 10) -> list[str]:
    return [result.text.id for result in one.search(query, where, meaning=meaning, limit=limit)]


def test_without_vectors_it_goes_by_words() -> None:
    one = searcher({"a": "valve", "b": "pump valve leaks"}, {})
    assert found(one, "pump valve", None) == found(Searcher(one.corpus), "pump valve", at(0)) == ["b", "a"]
    scores = [result.score for result in one.search("pump valve", ALL, limit=9)]
    assert all(0 < score < 1 for score in scores)


def test_what_shares_no_word_is_found_by_meaning_with_what_does() -> None:
    one = searcher({"near": "faucet drips", "word": "valve", "far": "zebra"}, {"near": 20, "word": 85, "far": 88})
    assert found(one, "the tap leaks at its valve", at(0))[:2] == ["near", "word"]


def test_prose_leans_on_meaning_and_identifiers_on_words() -> None:
    texts = {"says": "KeyError in load_table: valve", "means": "something else"}
    one = searcher(texts, {"says": 75, "means": 30})
    assert found(one, "valve trouble", at(0))[0] == "means"
    assert found(one, "KeyError load_table valve", at(0))[0] == "says"
    assert weight_of_meaning("how do I read a file") == MEANING_OF_PROSE
    assert weight_of_meaning("KeyError in load_table") == MEANING_OF_IDENTIFIERS
    assert (
        MEANING_OF_IDENTIFIERS
        < weight_of_meaning("the app fails when I open the new settings.json page of it")
        < MEANING_OF_PROSE
    )


def test_a_filter_holds_for_what_meaning_finds() -> None:
    one = searcher({"a": "x", "b": "y"}, {"a": 0, "b": 1}, a="s1", b="s2")
    assert found(one, "zebra", at(0), Where(workspace_id="w", session_ids=("s2",))) == ["b"]
    assert found(one, "zebra", at(0), Where(workspace_id="v")) == []


def test_a_search_in_a_file_compares_only_what_is_about_it() -> None:
    corpus, vectors = InMemoryCorpus(), InMemoryVectors(model="m")
    put = [
        Text(id=id, kind="k", workspace_id="w", text="t", paths=(path,)) for id, path in (("a", "x.py"), ("b", "y.py"))
    ]
    corpus.update(put, [], cursor=1)
    places = [Place(id=id, part="body", digest="d", workspace_id="w") for id in "ab"]
    vectors.update(places, np.array([at(0), at(50)], np.float32), [], cursor=1)
    assert found(Searcher(corpus, vectors), "zebra", at(0), Where(workspace_id="w", path="y.py"), limit=1) == ["b"]


def test_a_vector_of_what_is_gone_finds_nothing() -> None:
    one = searcher({"a": "x"}, {"a": 30, "gone": 0})
    assert found(one, "zebra", at(0)) == ["a"]


def test_a_text_without_a_vector_yet_is_not_pushed_back() -> None:
    texts = {"full": "valve pump leaks", "some": "valve", "new": "valve pump leaks badly"}
    one = searcher(texts, {"full": 60, "some": 60})
    assert found(one, "valve pump leaks badly", at(0))[0] == "new"
    assert one.search("valve pump leaks badly", ALL, meaning=at(0), limit=1)[0].cosine is None


def test_a_query_of_several_lines_has_the_meaning_of_its_first_and_of_all_of_it() -> None:
    said: list[list[str]] = []

    def embed(texts: Sequence[str]) -> Vector:
        said.append(list(texts))
        return np.array([at(90.0 * n) for n in range(len(texts))], np.float32)

    assert meaning_of("one line ", embed) == pytest.approx(at(0))
    both = meaning_of("title\nmore of it", embed)
    assert said == [["one line"], ["title", "title\nmore of it"]]
    assert float(both @ both) == pytest.approx(1)
    assert 0 < both[0] < both[1]
