"""JSON with comments, and JSON5: read as the json5 package reads them, and edited without touching the rest."""

import json
import math
import re
from pathlib import Path
from random import Random
from typing import Any

import json5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.hookfile import Entry, HookFile
from hivemind_cli.hosts.jsontext import Dialect, Node, Style, append, changed, parse, without
from tests.hosts.json_dialects import COMMENTS, written

TEXTS = st.text(max_size=6)
KEYS = st.sampled_from(["a", "hooks", "$x", "_y", "mit Leer", "ü", "'", '"']) | st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=6,
)
DIALECTS = st.sampled_from([Dialect.JSONC, Dialect.JSON5])
DICE = st.builds(Random, st.integers(0, 2**32))
COMMENT = re.compile("|".join(re.escape(comment.rstrip("\r\n")) for comment in COMMENTS))

COMMAND = "python hivemind_hook.py acme Start"
FILE = HookFile(label="Acme", dialect=Dialect.JSONC)
ENTRY = Entry("Start", {"type": "command", "command": COMMAND}, "")


def reference(text: str) -> Any:
    """As json5 reads it, but for the halves of a character, which it does not join: json does that."""
    return json.loads(json.dumps(json5.loads(text, allow_duplicate_keys=False)))


def _same(text: str, node: Node) -> None:
    assert reference(text[node.start : node.end]) == node.value
    for child in node.children:
        _same(text, child)


def comments(node: Node, text: str) -> list[str]:
    inner = [said for child in node.children for said in comments(child, text)]
    return sorted([*(text[start:end] for start, end in node.comments), *inner])


@settings(max_examples=60, deadline=None)
@given(value=VALUES, dialect=DIALECTS, random=DICE)
def test_every_value_is_read_as_the_reference_reads_it(value: Any, dialect: Dialect, random: Random) -> None:
    text = written(value, dialect, random)
    root = parse(text, dialect)
    assert root.value == value == reference(text)
    _same(text, root)


@settings(max_examples=60, deadline=None)
@given(value=st.dictionaries(KEYS, VALUES, max_size=5), added=VALUES, dialect=DIALECTS, random=DICE)
def test_what_is_appended_is_there_and_can_be_cut_again(
    value: dict[str, Any], added: Any, dialect: Dialect, random: Random
) -> None:
    value.pop("new", None)
    text = written(value, dialect, random)
    root = parse(text, dialect)
    longer = changed(text, [append(text, root, "new", added, Style.of(text), 0)])
    assert reference(longer) == {**value, "new": added}
    again = parse(longer, dialect)
    shorter = changed(longer, without(longer, again, {len(again.children) - 1}))
    assert reference(shorter) == value
    assert comments(parse(shorter, dialect), shorter) == comments(root, text)


@settings(max_examples=80, deadline=None)
@given(value=st.lists(VALUES, min_size=1, max_size=6), dialect=DIALECTS, random=DICE, data=st.data())
def test_any_elements_can_be_cut_and_no_comment_beside_them(
    value: list[Any], dialect: Dialect, random: Random, data: st.DataObject
) -> None:
    unwanted = data.draw(st.sets(st.integers(0, len(value) - 1)))
    text = written(value, dialect, random)
    root = parse(text, dialect)
    left = changed(text, without(text, root, unwanted))
    assert reference(left) == [item for position, item in enumerate(value) if position not in unwanted]
    beside = [text[start:end] for start, end in root.comments]
    again = parse(left, dialect)
    assert [left[start:end] for start, end in again.comments] == beside


@settings(max_examples=80, deadline=None)
@given(
    value=VALUES,
    random=DICE,
    noise=st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["", *"{}[],:/*'\"\\\n+-.x0e"])), max_size=2),
)
def test_what_the_reference_refuses_is_refused(value: Any, random: Random, noise: list[tuple[int, str]]) -> None:
    text = written(value, Dialect.JSON5, random)
    for at, letter in noise:
        text = text[:at] + letter + text[at + 1 :]
    try:
        expected = reference(text)
    except (ValueError, TypeError, AttributeError):
        with pytest.raises(ValueError):
            parse(text, Dialect.JSON5)
    else:
        assert parse(text, Dialect.JSON5).value == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+.5", 0.5),
        ("-0xfF", -255),
        ("5.e1", 50.0),
        ("+Infinity", math.inf),
        ("'a\\\r\nb\\\u2028c'", "abc"),
        ("'\\x41\\u00e9\\v\\q\\0'", "A\u00e9\vq\0"),
        ("'\\ud83d\\ude00'", "\U0001f600"),
        ("{\\u0061b$: 1, über_2: 2, true: 3}", {"ab$": 1, "über_2": 2, "true": 3}),
        ("\ufeff\u00a0[1,]//x", [1]),
    ],
)
def test_json5(text: str, value: Any) -> None:
    assert parse(text, Dialect.JSON5).value == value
    with pytest.raises(ValueError, match="line 1 column"):
        parse(text, Dialect.JSONC)


@pytest.mark.parametrize(
    "text", ["[1,,2]", "[,]", "{,}", "/* [1]", "[1] // \n 2", "[1 /* */ 2]", "{'a': 1}", "{a: 1}", "+1"]
)
def test_what_is_no_json_with_comments_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text, Dialect.JSONC)


OURS = f"""{{
        "matcher": "",
        "hooks": [
          {{
            "type": "command",
            "command": "{COMMAND}"
          }}
        ]
      }}"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '{\n  // mine\n  "a": 1, // one\n}\n',
            '{\n  // mine\n  "a": 1, // one\n  "hooks": {\n    "Start": [\n      ' + OURS + "\n    ]\n  },\n}\n",
        ),
        (
            '{\n  "a": 1 // one\n  // last\n}\n',
            '{\n  "a": 1, // one\n  // last\n  "hooks": {\n    "Start": [\n      ' + OURS + "\n    ]\n  }\n}\n",
        ),
        (
            '{\n  "hooks": {\n    "Start": [\n      {"hooks": []}, // foreign\n    ],\n  },\n}\n',
            '{\n  "hooks": {\n    "Start": [\n      {"hooks": []}, // foreign\n      ' + OURS + ",\n    ],\n  },\n}\n",
        ),
        (
            '{\n  "hooks": {\n    "Start": [\n      // none yet\n    ]\n  }\n}\n',
            '{\n  "hooks": {\n    "Start": [\n      // none yet\n      ' + OURS + "\n    ]\n  }\n}\n",
        ),
        ('{"a":1, /* one */}', '{"a":1, /* one */"hooks":{"Start":[{"matcher":"","hooks":[%s]}]},}'),
    ],
)
def test_our_entry_comes_and_goes_and_every_comment_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(before)
    (edit,) = FILE.plan(path, [ENTRY])
    minified = f'{{"type":"command","command":"{COMMAND}"}}'
    assert edit.after == (after.replace("%s", minified)).encode()
    path.write_bytes(edit.after or b"")
    assert FILE.plan(path, [ENTRY]) == []
    (edit,) = FILE.plan_removal(path)
    assert edit.after == before.encode()


def test_a_comment_beside_ours_outlives_it(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    ours = f'{{"hooks": [{{"command": "{COMMAND}"}}]}}'
    path.write_text('{"hooks": {"Start": [\n  // watch this one\n  ' + ours + " // ours\n]}}")
    (edit,) = FILE.plan_removal(path)
    assert edit.after == b'{"hooks": {"Start": [\n  // watch this one\n  // ours\n]}}'


def test_a_host_of_strict_json_gets_no_comments(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"a": 1} // mine')
    with pytest.raises(HostError, match="is not JSON that hivemind can edit") as refused:
        HookFile(label="Acme").plan(path, [ENTRY])
    assert "Extra data: line 1 column 10" in str(refused.value)
