"""The ranking by words and meaning, with vectors made up so that one sees what counts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hivemind_cli.core.match import Weights
from hivemind_cli.index.base import Document, Place, Scope
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.index.inmemory_vectors import InMemoryVectors
from hivemind_cli.index.ranking import Ranked, Ranker
from hivemind_cli.index.weighing import HYBRID, LEXICAL, WORDS, fitted, of_fit, probabilities

HERE = Scope("w", "p")
QUERY: NDArray[np.float32] = np.eye(8, dtype=np.float32)[0]


def document(id: str, trigger: str = "", **more: Any) -> Document:
    fields: dict[str, Any] = {
        "kind": "skill",
        "version": 1,
        "name": id,
        "workspace_id": "w",
        "project_id": "",
        "text": "",
    }
    return Document(id=id, trigger=trigger, **{**fields, **more})


def at_cosine(cosine: float, axis: int = 1) -> NDArray[np.float32]:
    """A unit vector at this cosine to QUERY."""
    vector = np.zeros(8, np.float32)
    vector[0], vector[axis] = cosine, np.sqrt(1 - cosine**2)
    return vector


def ranker(documents: list[Document], near: dict[tuple[str, str], float] | None = None) -> Ranker:
    """`near`: (id, part) -> cosine to QUERY."""
    index = InMemoryIndex()
    index.update(documents, [], cursor=1)
    vectors = InMemoryVectors(model="m")
    if near:
        of = {one.id: one for one in documents}
        places = [
            Place(id=id, part=part, digest="", workspace_id=of[id].workspace_id, project_id=of[id].project_id)
            for id, part in near
        ]
        vectors.update(places, np.stack([at_cosine(one) for one in near.values()]), [], cursor=1)
    return Ranker(index, vectors)


def ranked(of: Ranker, query: str, *, meaning: bool = False, scope: Scope = HERE) -> list[Ranked]:
    return of.rank(query, scope, Weights(), meaning=QUERY if meaning else None, limit=50)


LAMPS = document("lamps", "Use when testing the lamps of a module.")
PUMPS = document("pumps", "Use when cleaning pumps and hoses.")
MAILS = document("mails", "Use when writing mails to a customer.", tasks=("answer the customer about the lamp",))


def test_by_words_alone_the_document_that_shares_words_comes_first() -> None:
    found = ranked(ranker([LAMPS, PUMPS, MAILS]), "clean the hoses of both pumps")
    assert found[0].document == PUMPS
    assert found[0].cosine is None
    assert all(0 <= one.score <= 1 for one in found)


def test_a_document_that_shares_no_word_is_found_by_its_meaning() -> None:
    of = ranker([LAMPS, PUMPS, MAILS], {("lamps", "trigger"): 0.1, ("pumps", "trigger"): 0.7, ("mails", "task"): 0.1})
    assert ranked(of, "scrub the tubing") == []
    first, *rest = ranked(of, "scrub the tubing", meaning=True)
    assert first.document == PUMPS
    assert first.cosine == pytest.approx(0.7)
    assert all(first.score > one.score for one in rest)


def test_what_is_near_is_surer_where_nothing_else_is() -> None:
    alone = ranker([LAMPS, PUMPS], {("lamps", "trigger"): 0.6, ("pumps", "trigger"): 0.1})
    rivals = ranker([LAMPS, PUMPS], {("lamps", "trigger"): 0.6, ("pumps", "trigger"): 0.58})
    assert ranked(alone, "", meaning=True)[0].score > ranked(rivals, "", meaning=True)[0].score


def test_a_lesson_told_under_a_like_prompt_applies_though_no_word_is_shared() -> None:
    """Cosines as of real paraphrases (.42 and more) and of unrelated prompts of the same project (.26 at most)."""
    memo = document("memo", tasks=("the order page is slow",), kind="memo", text="Measure first.")
    other = document("other", tasks=("rename the branch",), kind="memo", text="Ask first.")
    for cosine, applies in ((0.5, True), (0.62, True), (0.26, False)):
        of = ranker([memo, other], {("memo", "task"): cosine, ("memo", "body"): cosine - 0.1, ("other", "task"): 0.15})
        first = ranked(of, "why does checkout take ages", meaning=True)[0]
        assert first.document == memo
        assert (first.score >= 0.5) is applies


def test_by_words_alone_a_told_document_counts_by_its_fit_and_nothing_else() -> None:
    of = ranker([LAMPS, PUMPS, MAILS])
    [mails] = [one for one in ranked(of, "the customer asks about a lamp") if one.document == MAILS]
    assert mails.score == of_fit(mails.figures["fit"])
    [alone] = ranked(ranker([MAILS]), "the customer asks about a lamp")
    assert alone.score == mails.score


def test_a_memo_counts_as_told_by_its_words_and_its_task_though_it_lists_no_tasks() -> None:
    memo = document("m", "the order page is slow", kind="memo", rule="measure first", text="measure first")
    [found] = ranked(ranker([memo]), "the order page got slow")
    assert found.score == of_fit(found.figures["fit"]) > 0.5


def test_another_scope_is_never_seen_by_words_or_meaning() -> None:
    far = document("far", "Use when testing the lamps of a module.", workspace_id="other")
    theirs = document("theirs", "Use when testing the lamps of a module.", project_id="q")
    near = dict.fromkeys([("far", "trigger"), ("theirs", "trigger"), ("lamps", "trigger")], 0.9)
    found = ranked(ranker([far, theirs, LAMPS], near), "testing lamps", meaning=True)
    assert [one.document.id for one in found] == ["lamps"]


def test_what_a_skill_is_not_for_does_not_bring_it_up() -> None:
    said = document("said", "Use when cleaning pumps. Do not use for lamps or modules: testing them is another's.")
    assert ranked(ranker([said, LAMPS]), "test the lamps of this module")[0].document == LAMPS
    assert [one.document for one in ranked(ranker([said]), "lamps modules")] == []


def test_a_document_not_embedded_yet_is_ranked_by_its_words() -> None:
    of = ranker([LAMPS, PUMPS], {("pumps", "trigger"): 0.15})
    assert ranked(of, "testing the lamps of the module", meaning=True)[0].document == LAMPS


@pytest.mark.parametrize("meaning", [True, False])
@pytest.mark.parametrize("query", ["", " \n", "the and of", "\udcff", "灯", "x" * 50_000])
def test_any_query_is_fine(query: str, meaning: bool) -> None:
    of = ranker([LAMPS, PUMPS, document("bare")], {("lamps", "trigger"): 0.3})
    assert all(0 <= one.score <= 1 for one in ranked(of, query, meaning=meaning))


FIGURE = st.floats(0, 5)
SHARES = ("covered", "fit", "near_trigger", "near_body", "near_task", "near_rule")


@settings(max_examples=100, deadline=None)
@given(
    tier=st.sampled_from([HYBRID, LEXICAL]),
    sort=st.sampled_from(["written", "told"]),
    some=st.lists(
        st.fixed_dictionaries(dict.fromkeys(WORDS, FIGURE) | dict.fromkeys(SHARES, st.floats(0, 1))),
        min_size=1,
        max_size=5,
    ),
    name=st.sampled_from([*WORDS, *SHARES]),
    more=st.floats(0, 2),
    terms=st.integers(0, 40),
)
def test_more_of_a_good_thing_never_hurts(
    tier: str, sort: str, some: list[dict[str, float]], name: str, more: float, terms: int
) -> None:
    weights = fitted(tier, sort)
    before = probabilities([dict(one) for one in some], terms, weights)
    some[0][name] += more
    after = probabilities([dict(one) for one in some], terms, weights)
    assert after[0] >= before[0] - 1e-12
    assert all(now <= then + 1e-12 for now, then in zip(after[1:], before[1:], strict=True))


def test_the_fit_that_was_enough_before_is_about_as_likely_as_not() -> None:
    assert 0.45 < of_fit(0.3) < 0.55
    assert of_fit(0.0) < 0.05 < 0.95 < of_fit(0.8)
