"""Cutting: to keep, and to say."""

import time

from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.text import CUT, cut_fields, tokens_about, within_tokens


def test_a_long_field_keeps_its_size_and_digest_at_its_path() -> None:
    kept = cut_fields({"a": {"b": ["x" * 100]}, "c": "short"}, 40, lambda value: value)
    assert kept["a"]["b"] == ["x" * 40]
    assert kept["c"] == "short"
    assert kept[CUT]["a.b.0"][0] == 100
    assert len(kept[CUT]["a.b.0"][1]) == 64


def test_what_is_cleaned_sees_behind_the_cut() -> None:
    kept = cut_fields(
        {"a": "x" * 36 + "secret-word" + "y" * 9000}, 40, lambda tree: {"a": tree["a"].replace("secret-word", "")}
    )
    assert "secr" not in kept["a"]
    assert len(kept["a"]) == 40


def test_a_script_of_many_tokens_gets_less_text() -> None:
    assert len(within_tokens("語" * 1000, 100)) < len(within_tokens("a" * 1000, 100))


@given(st.text(max_size=400), st.integers(min_value=1, max_value=50))
def test_what_is_said_is_a_beginning_within_the_budget(text: str, tokens_max: int) -> None:
    said = within_tokens(text, tokens_max)
    assert text.startswith(said)
    assert tokens_about(said) <= tokens_max


def test_a_book_is_cut_as_fast_as_a_page() -> None:
    began = time.process_time()
    assert 395 <= tokens_about(within_tokens("so\n" * 1_000_000, 400)) <= 400
    assert time.process_time() - began < 1
