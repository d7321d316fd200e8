"""What formatters of any language do to a text is no change; what a person changes is, however small."""

import pytest

from hivemind_cli.pipeline.capture.lines import Changes, Text, bare, is_import, same_code

FORMATTED = [
    ("x = foo(a, b, c)", "x = foo(\n    a,\n    b,\n    c,\n)"),
    ("if (a and\n    b):", "if a and b:"),
    ("return (x)", "return x"),
    ("for (k, v) in pairs:", "for k, v in pairs:"),
    ("print((1))", "print(1)"),
    ("assert(x == 1)", "assert x == 1"),
    ("total = (a +\n         b)", "total = a + b"),
    ("x = 'it'\ny = \"is\"", 'x = "it"\ny = "is"'),
    ("const f = x => x + 1", "const f = (x) => x + 1;"),
    ("items.map(x => x.id)", "items.map((x) => x.id);"),
    ("return <div>hi</div>", "return (\n  <div>hi</div>\n);"),
    ("const o = {'a': 1, b: 2}", "const o = {\n  a: 1,\n  b: 2,\n};"),
    ("color: #FFAA00", "color: #ffaa00;"),
    ("let x = 0XFF", "let x = 0xff;"),
    ("let y = 1E5", "let y = 1e5;"),
    ("func f(a int,b string)(int,error){", "func f(a int, b string) (int, error) {"),
    ("fn f(a:i32,b:i32)->i32{a+b}", "fn f(a: i32, b: i32) -> i32 {\n    a + b\n}"),
    ("foo(a,\n    b)\n    .bar()", "foo(a, b).bar()"),
    ("SELECT a,b FROM t", "SELECT\n  a,\n  b\nFROM t;"),
    ("\tx = 1", "    x = 1"),
    ("#comment", "# comment"),
    ("x = a \\\n  + b", "x = a + b"),
]
CHANGED = [
    ("x = a * (b + c)", "x = a * b + c"),
    ("x = (a + b) * c", "x = a + b * c"),
    ("x = (a or b) and c", "x = a or b and c"),
    ("f((a, b), c)", "f(a, b, c)"),
    ("f(a, b)", "f(b, a)"),
    ("f(a)", "f"),
    ("timeout = 30", "timeout = 60"),
    ("timeout = 30", "timeout_s = 30"),
    ("x = 'a b'", "x = 'ab'"),
    ("Name = 1", "name = 1"),
    ("a.b()", "a.b().c()"),
    ("if a:", "if not a:"),
    ("x == 1", "x != 1"),
    ("color: #FFAA00", "color: #FFAA01"),
    ("x = a", "x = a + b"),
]


@pytest.mark.parametrize(("old", "new"), FORMATTED)
def test_formatting_is_the_same_code(old: str, new: str) -> None:
    assert same_code(old.splitlines(), new.splitlines())
    assert same_code(new.splitlines(), old.splitlines())


@pytest.mark.parametrize(("old", "new"), CHANGED)
def test_a_change_is_other_code(old: str, new: str) -> None:
    assert not same_code(old.splitlines(), new.splitlines())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* one\n* two", "- one\n- two"),
        ("some __bold__ words", "some **bold** words"),
        ("a long line of words\nand more", "a long line\nof words and more"),
        ("|a|b|\n|-|-|", "| a   | b   |\n| --- | --- |"),
    ],
)
def test_prose_may_be_marked_otherwise(old: str, new: str) -> None:
    assert same_code(old.splitlines(), new.splitlines(), ".md")
    assert not same_code(["10 - 3"], ["10 * 3"], ".py")


def changes(old: str, new: str, owned: str | None = None, suffix: str = ".py") -> Changes:
    """Hashes are the bare lines themselves; the agent's are all of `old`, or the lines of `owned`."""
    kept = [line for line in new.splitlines() if bare(line)]
    mine = {bare(line): line for line in (old if owned is None else owned).splitlines() if bare(line)}
    stood = [bare(line) for line in old.splitlines() if bare(line)]
    return Changes(stood, mine, Text(kept, [bare(line) for line in kept]), suffix)


def test_the_place_of_a_change_is_shown() -> None:
    found = changes("aaa = 1\nbbb = 2\nccc = 3\nddd = 4\n", "aaa = 1\nbbb = 2\nccc = 5\nddd = 4\n")
    assert (found.removed, found.added) == (["ccc = 3"], ["ccc = 5"])
    assert (found.above, found.below) == (["aaa = 1", "bbb = 2"], ["ddd = 4"])
    assert not found.whole


def test_two_places_are_set_apart() -> None:
    lines = [f"line{n} = {n}" for n in range(12)]
    other = [*lines]
    other[1], other[10] = "line1 = 0", "line10 = 0"
    found = changes("\n".join(lines), "\n".join(other))
    assert found.removed == ["line1 = 1", "…", "line10 = 10"]
    assert found.added == ["line1 = 0", "…", "line10 = 0"]


def test_a_moved_line_is_not_gone() -> None:
    assert changes("aaa = 1\nbbb = 2\nccc = 3\n", "bbb = 2\nccc = 3\naaa = 1\n").removed == []


def test_one_of_several_equal_lines_is_missed() -> None:
    assert changes("return None\nxxx = 1\nreturn None\n", "return None\nxxx = 1\nreturn False\n").removed == [
        "return None"
    ]


def test_braces_alone_are_nobodys() -> None:
    assert changes("f() {\n}\n", "f() {\n  ];\n", owned="}\n").removed == []


def test_a_persons_own_lines_in_one_statement_with_the_agents_may_be_joined() -> None:
    old = "call(\n    first,\n    timeout=30,\n    last,\n)\n"
    assert changes(old, "call(first, timeout=30, last)\n", owned="    timeout=30,\n").removed == []
    assert changes(old, "call(first, timeout=60, last)\n", owned="    timeout=30,\n").removed == ["    timeout=30,"]


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "from a import b",
        "use std::io;",
        "using System;",
        "#include <stdio.h>",
        "const fs = require('fs')",
        "require_relative 'x'",
    ],
)
def test_imports_are_known_in_many_languages(line: str) -> None:
    assert is_import(line)


def test_an_import_put_in_another_ones_place_is_a_change() -> None:
    old = "import requests\n\nrequests.get(url)\n"
    assert changes(old, "import httpx\n\nhttpx.get(url)\n").removed == ["import requests", "requests.get(url)"]


def test_an_import_that_is_used_and_gone_is_a_change() -> None:
    assert changes("import zlib\nzlib.crc32(x)\n", "zlib.crc32(x)\n").removed == ["import zlib"]


def test_a_file_too_long_to_align_is_looked_through() -> None:
    old = "".join(f"row{n} = {n}\n" for n in range(3000))
    new = "start = 0\n" + "".join(f"row{n} = {n}\n" for n in range(3000) if n != 1500) + "end = 1\n"
    assert changes(old, new).removed == ["row1500 = 1500"]


def test_without_the_rest_of_the_file_the_agents_lines_are_looked_for() -> None:
    new = Text(["x = foo(", "a,", "b)"], ["1", "2", "3"])
    assert Changes([], {"h": "x = foo(a, b)"}, new, ".py").removed == []
    assert Changes([], {"h": "x = foo(a, c)"}, new, ".py").removed == ["x = foo(a, c)"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = ('one '\n     'two')", 'x = "one two"'),
        ("raise E(f'{a} is '\n        f'{b}')", 'raise E(f"{a} is {b}")'),
        ("for ((a, b), (c, d)) in x:", "for (a, b), (c, d) in x:"),
        ("x = (\n    'a %s'\n    % b\n)\n@wraps", "x = 'a %s' % b\n@wraps"),
        ("assert x, (\n    'a, b %s' % c\n)", "assert x, 'a, b %s' % c"),
    ],
)
def test_wraps_that_real_formatters_make(old: str, new: str) -> None:
    assert same_code(old.splitlines(), new.splitlines())


def test_within_a_reformatted_text_only_the_changed_line_is_found() -> None:
    old = "".join(f"value_{n} = compute(first_{n}, second_{n}, timeout_{n})\n" for n in range(30))
    new = "".join(
        f"value_{n} = compute(\n    first_{n},\n    second_{n},\n    timeout_{n if n != 17 else 99},\n)\n"
        for n in range(30)
    )
    assert changes(old, new).removed == ["value_17 = compute(first_17, second_17, timeout_17)"]
    assert changes(old, new.replace("timeout_99", "timeout_17")).removed == []
