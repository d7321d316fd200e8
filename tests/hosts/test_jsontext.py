"""Editing a person's JSON text without touching the rest of it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.hosts.jsontext import Node, Style, append, changed, parse, without

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
LAYOUTS = st.sampled_from(
    [
        {"indent": 2},
        {"indent": "\t"},
        {"indent": None},
        {"separators": (",", ":")},
        {"indent": 4, "ensure_ascii": False},
    ]
)


def _same(text: str, node: Node) -> None:
    assert json.loads(text[node.start : node.end]) == node.value
    for child in node.children:
        _same(text, child)


@settings(max_examples=150, deadline=None)
@given(value=VALUES, layout=LAYOUTS)
def test_every_node_knows_its_place(value: Any, layout: dict[str, Any]) -> None:
    text = f" {json.dumps(value, **layout)}\n"
    _same(text, parse(text))


@settings(max_examples=150, deadline=None)
@given(value=st.dictionaries(st.text(max_size=4), VALUES, max_size=5), added=VALUES, layout=LAYOUTS)
def test_what_is_appended_is_there_and_can_be_cut_again(value: Any, added: Any, layout: dict[str, Any]) -> None:
    value.pop("new", None)
    text = json.dumps(value, **layout)
    root = parse(text)
    longer = changed(text, [append(text, root, "new", added, Style.of(text), 0)])
    assert json.loads(longer) == {**value, "new": added}
    again = parse(longer)
    shorter = changed(longer, without(longer, again, {len(again.children) - 1}))
    assert json.loads(shorter) == value


@settings(max_examples=100, deadline=None)
@given(value=st.lists(VALUES, min_size=1, max_size=6), layout=LAYOUTS, data=st.data())
def test_any_elements_can_be_cut(value: list[Any], layout: dict[str, Any], data: st.DataObject) -> None:
    unwanted = data.draw(st.sets(st.integers(0, len(value) - 1)))
    text = json.dumps(value, **layout)
    left = changed(text, without(text, parse(text), unwanted))
    assert json.loads(left) == [item for position, item in enumerate(value) if position not in unwanted]


def test_the_rest_of_the_text_is_not_touched() -> None:
    text = '{\n   "a" : [1,2 ,\t3],\n   "b":1.50e3\n}\n'
    root = parse(text)
    longer = changed(text, [append(text, root, "c", {"d": [1]}, Style.of(text), 0)])
    assert longer == '{\n   "a" : [1,2 ,\t3],\n   "b":1.50e3,\n   "c": {\n      "d": [\n         1\n      ]\n   }\n}\n'


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        "{",
        "// note\n{}",
        "{'a': 1}",
        "[" * 5_000 + "]" * 5_000,
        "NaN,",
        "NaN",
        "[1,]",
        "01",
        "[1 2]",
        "{} {}",
        "",
    ],
)
def test_what_is_not_plain_json_is_refused(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)):
        parse(text)
