"""Snippets: the piece that says most, and what of it is highlighted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.index.snippets import snippet

LONG = " ".join(f"line {n} of the build log says nothing much." for n in range(60))


def marked(text: str, query: str, chars: int = 200) -> list[str]:
    found = snippet(text, query, chars=chars)
    return [found.text[start:end] for start, end in found.spans]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("raise ModuleNotFoundError here", "module found", ["Module", "Found"]),
        ("raise ModuleNotFoundError here", "ModuleNotFoundError", ["ModuleNotFoundError"]),
        ("see src/app.py, line 3", "app.py", ["app.py"]),
        ("run with --no-verify", "--no-verify", ["no-verify"]),
        ("the cafeteria opens; a café too", "café", ["café"]),
        ("tables and stables", "tables", ["tables"]),
        ("parse_header(x)", "parseHeader", ["parse_header"]),
        ("设置环境变量", "环境", ["环境"]),
        ("nothing of it", "zebra", []),
    ],
)
def test_what_is_highlighted(text: str, query: str, expected: list[str]) -> None:
    assert marked(text, query) == expected


def test_the_piece_with_most_of_the_words_is_given() -> None:
    text = f"{LONG} the pump lost pressure\nbecause its valve leaked. {LONG}"
    found = snippet(text, "valve pressure log", chars=120)
    assert "pressure because its valve" in found.text
    assert found.text[0] == found.text[-1] == "…"
    assert len(found.text) <= 122


def test_without_a_match_it_is_the_beginning() -> None:
    found = snippet(LONG, "zebra", chars=50)
    assert LONG.startswith(found.text[:-1])
    assert found.spans == ()


@given(st.text(max_size=300), st.text(max_size=40), st.integers(10, 80))
def test_spans_lie_inside_in_order_and_apart(text: str, query: str, chars: int) -> None:
    found = snippet(text, query, chars=chars)
    ends = [0]
    for start, end in found.spans:
        assert ends[-1] <= start < end <= len(found.text)
        ends.append(end)
    assert len(found.text) <= chars + 2
