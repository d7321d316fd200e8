"""JSON of strangers: what comes through is what was said, and whatever comes, nothing but a refusal is raised."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.serve.http.parsing import DEPTH_MAX, parse
from hivemind_cli.serve.http.problems import Refused

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_json_says_comes_through(value: Any) -> None:
    for ascii_only in (True, False):
        assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200) | st.text(alphabet='[]{},:"\\u0d8efF1-.eNaInfity ', max_size=60).map(str.encode))
def test_whatever_comes_is_a_value_that_can_be_said_again_or_refused(body: bytes) -> None:
    try:
        value = parse(body)
    except Refused as refused:
        assert refused.status == 400 and refused.what
    else:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")


def test_it_is_refused_from_a_certain_depth_on() -> None:
    assert parse(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)
    for deeper in (DEPTH_MAX + 1, 1000, 1_000_000):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            with pytest.raises(Refused, match="nested"):
                parse(opening * deeper + b"0" + closing * deeper)
