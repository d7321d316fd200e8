"""The validator is strict, small, and never guesses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.errors import ProviderError
from hivemind_cli.llm.schema import checked, parse_answer, problem, without_bounds

LINE = {
    "type": "object",
    "properties": {
        "section": {"type": "string", "enum": ["do", "do_not"]},
        "weight": {"type": "number"},
        "ids": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
    },
    "required": ["section"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"section": "do"}, ""),
        ({"section": "do", "weight": 1, "ids": ["abc"]}, ""),
        ({"section": "maybe"}, "none of"),
        ({}, "lacks section"),
        ({"section": "do", "extra": 1}, "unknown extra"),
        ({"section": "do", "weight": True}, "not number"),
        ({"section": "do", "weight": "1"}, "not number"),
        ({"section": "do", "ids": ["abcd"]}, "longer than 3"),
        ({"section": "do", "ids": ["a", "b", "c"]}, "more than 2"),
        ({"section": "do", "ids": [1]}, "ids[0] is int"),
        ([], "is list, not object"),
        (None, "NoneType"),
    ],
)
def test_what_does_not_fit_is_named(value: Any, says: str) -> None:
    found = problem(value, LINE)
    assert says in found if says else found == ""


def test_a_keyword_outside_the_subset_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="pattern"):
        problem("x", {"type": "string", "pattern": "y"})


@pytest.mark.parametrize("text", ['{"section": "do"}', '  {"section": "do"}\n', '```json\n{"section": "do"}\n```'])
def test_an_answer_may_be_bare_or_fenced(text: str) -> None:
    assert parse_answer(text, LINE) == {"section": "do"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot help with that.",
        'Sure! {"section": "do"}',
        '{"section": "do"} {"section": "do"}',
        '{"section": "do"',
        "[" * 50_000,
        '"do"',
        "null",
        json.dumps({"section": "do", "ids": ["x" * 300_000]}),
    ],
)
def test_nonsense_is_an_error_and_never_an_answer(text: str) -> None:
    with pytest.raises(ProviderError):
        parse_answer(text, LINE)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_whatever_a_model_says_it_fits_or_is_a_provider_error(value: Any) -> None:
    try:
        assert checked(value, LINE)["section"] in ("do", "do_not")
    except ProviderError:
        pass


def test_bounds_are_left_out_for_the_vendor_and_nothing_else() -> None:
    assert without_bounds(LINE)["properties"]["ids"] == {"type": "array", "items": {"type": "string"}}
    assert without_bounds(LINE)["additionalProperties"] is False
    assert LINE["properties"]["ids"]["maxItems"] == 2  # type: ignore[index]
