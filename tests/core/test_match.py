"""How well a query fits, 0..1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.match import RULE_FACTOR, Weights, content, fit, rarity

WORDS = st.frozensets(
    st.sampled_from(["migrat", "deploy", "server", "the", "a", "日本", "ü", "test", "table"]), max_size=6
)


def test_the_same_words_fit_wholly_and_others_not_at_all() -> None:
    query = content("run the database migrations before the deployment")
    assert fit(query, [query], frozenset(), Weights()) == pytest.approx(1.0)
    assert fit(query, [content("paint every button green")], content("use rounded corners"), Weights()) == 0.0


def test_a_rule_counts_less_than_a_task() -> None:
    query = content("deploy the server")
    assert fit(query, [], query, Weights()) == pytest.approx(RULE_FACTOR)


def test_function_words_alone_fit_nothing() -> None:
    assert content("the and of it") == frozenset()
    assert fit(content("the and of"), [content("the and of")], frozenset(), Weights()) == 0.0


def test_a_near_task_beats_a_far_one() -> None:
    query = content("add a column to the orders table")
    near = fit(query, [content("add a column to the users table")], frozenset(), Weights())
    far = fit(query, [content("add a button to the settings page")], frozenset(), Weights())
    assert near > far


def test_frequent_words_weigh_less() -> None:
    prompts = [f"fix the server problem number {i}" for i in range(30)] + ["deploy migration"] * 3
    found = rarity(prompts)
    assert found["server"] < found["deploy"]
    assert Weights(found).of("server") < Weights().of("server")
    assert all(0.2 <= weight <= 1 for weight in found.values())
    assert rarity(prompts[:10]) == {}


@given(WORDS, st.lists(WORDS, max_size=3), WORDS, st.dictionaries(st.sampled_from(["server", "test"]), st.floats(0, 1)))
def test_a_fit_is_between_zero_and_one(
    query: frozenset[str], tasks: list[frozenset[str]], rule: frozenset[str], rare: dict[str, float]
) -> None:
    assert 0.0 <= fit(query, tasks, rule, Weights(rare)) <= 1.0
