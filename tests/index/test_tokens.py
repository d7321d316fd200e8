"""Words of identifiers, paths, options and any script; and what a query wrote as one word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.index.tokens import compounds, identifiers, spaced, words
from hivemind_cli.index.wanted import path_ends, said, whole_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ModuleNotFoundError", "module not found error"),
        ("src/app.py", "src app py"),
        ("--no-verify", "no verify"),
        ("snake_case camelCase", "snake case camel case"),
        ("foo.bar()", "foo bar"),
        ("v1.2.3", "v 1 2 3"),
        ("HTTPServer parse_HTTPHeader2", "http server parse http header 2"),
        ("URLs IDs", "urls ids"),
        ("IOError", "io error"),
        ("9f8e7d6c5b deadline", "9f8e7d6c5b deadline"),
        ("550e8400-e29b", "550e8400 e 29 b"),
        ("python3 utf8", "python 3 utf 8"),
        ("Überprüfung größe", "überprüfung größe"),
        ("日本語 x", "日 本 語 x"),
        ("हिन्दी में", "हिन्दी में"),
        ("한국어를", "한국어를"),
        ("cafe\u0301", "café"),
        ("a\ud800b", "a b"),
        ("", ""),
        ("... --", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert " ".join(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run foo.bar() now", [["foo", "bar"]]),
        ("plain words only", []),
        ("std::io::Error in src/main.rs", [["std", "io", "error"], ["src", "main", "rs"]]),
        ("环境变量", [["环", "境"], ["境", "变"], ["变", "量"]]),
    ],
)
def test_what_is_written_as_one_word(text: str, expected: list[list[str]]) -> None:
    assert list(compounds(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("find a file in a folder", 0.0),
        ("KeyError", 1.0),
        ("open app.py now please", 0.25),
        ("", 0.0),
        ("环境变量", 1.0),
    ],
)
def test_how_much_of_a_query_is_identifiers(text: str, expected: float) -> None:
    assert identifiers(text) == expected


@given(st.text(max_size=200))
def test_any_text_has_words_and_they_are_stable(text: str) -> None:
    found = words(text)
    assert all(found)
    assert spaced(spaced(text)).split() == found or not text.isascii()


@given(st.lists(st.sampled_from(["load", "Cache", "HTTP", "x2", "_", ".", "/", " "]), max_size=12).map("".join))
def test_a_word_is_found_by_what_is_written_in_either_way(text: str) -> None:
    assert "".join(words(text)) == "".join(char for char in text.lower() if char.isalnum())


def test_function_words_count_only_where_there_is_nothing_else() -> None:
    wanted, only = said("how to load the cache"), said("to be or not to be")
    assert wanted is not None
    assert set(wanted.terms) == {"load", "cache"}
    assert only is not None
    assert "not" in only.terms
    assert said(" -- ") is None


def test_the_first_line_of_several_counts_twice() -> None:
    wanted = said("valve leaks\nthe pump and the valve were new")
    assert wanted is not None
    assert wanted.terms["valve"] == wanted.terms["leaks"] == 2 * wanted.terms["pump"]


def test_a_path_is_asked_for_by_its_end() -> None:
    assert list(path_ends("./a/b/c.py")) == ["a/b/c.py", "c.py", "b/c.py", "a/b/c.py"]
    assert list(path_ends("/a/c.py")) == ["/a/c.py", "c.py", "a/c.py"]
    assert whole_path("b\\c.py") == "b/c.py"
