"""What an agent did, in words no host owns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core.acts import EDIT, OTHER, READ, SHELL, Act, command_heads

HEADS = [
    ("git push", ("git push",)),
    ("FOO=bar BAZ='a b' tool sub --flag", ("tool sub",)),
    ("cd app && FOO=1 sudo /usr/bin/git push -f origin", ("git push",)),
    ("cd app", ("cd app",)),
    ("export A=1; source venv/bin/activate; tool run", ("tool run",)),
    ("make test 2>&1 | tail -5 > out.txt", ("make test", "tail")),
    ("tool a &> log; tool b >> log 2>/dev/null <in", ("tool a", "tool b")),
    ("> out tool sub", ("tool sub",)),
    ("tool <<< words", ("tool",)),
    ("(cd a && tool b)", ("tool b",)),
    ("{ tool b; }", ("tool b",)),
    ("! tool b || other c", ("tool b", "other c")),
    ("tool b &", ("tool b",)),
    ("if [ -f x ]; then tool b; else other c; fi", ("tool b", "other c")),
    ("for f in *.py; do tool fix $f; done", ("tool fix",)),
    ("while true; do tool b; done", ("tool b",)),
    ("bash -lc 'cd x && tool b'", ("tool b",)),
    ('/bin/sh -c "tool b; other c"', ("tool b", "other c")),
    ("bash -c \"bash -c 'tool b'\"", ("tool b",)),
    ("bash script.sh", ("bash",)),
    ("eval tool b", ("tool b",)),
    ("find . -name x | xargs -n1 -I {} tool add {}", ("find", "tool add")),
    ("sudo -u bob -E tool b", ("tool b",)),
    ("env -i A=1 tool b", ("tool b",)),
    ("timeout -k 5 30s tool b", ("tool b",)),
    ("time nice -n 5 nohup tool b", ("tool b",)),
    ("command -v tool", ("command tool",)),
    ("git -C ../other commit -m 'x y'", ("git commit",)),
    ("tool --config=a.toml run", ("tool run",)),
    ("tool src/a.py run", ("tool",)),
    ("# rm it all\ntool b # then other c", ("tool b",)),
    ("tool b#c", ("tool",)),
    ("tool a \\\n  --flag \\\n  && other c", ("tool a", "other c")),
    ("tool \\\n  sub", ("tool sub",)),
    ("cat <<EOF > f\nrm -rf /\nother c\nEOF\ntool b", ("cat", "tool b")),
    ("cat <<-'END' | tool b\n\tother c && $(x\n\tEND\ntool d", ("cat", "tool b", "tool d")),
    ("cat <<A <<B\nx y\nA\nz w\nB\ntool b", ("cat", "tool b")),
    ("cat <<EOF\nnever closed; tool b", ("cat",)),
    (
        "git commit -m \"$(cat <<'EOF'\nfix: don't (do\n\nrm -rf /\nEOF\n)\" && git push",
        ("git commit", "git push", "cat"),
    ),
    ("echo $(git rev-parse HEAD)", ("git rev-parse",)),
    ("tool `other c` b", ("tool", "other c")),
    ("diff <(tool a) <(tool b)", ("diff", "tool a", "tool b")),
    ("tool $((1 + (2 * 3))) x", ("tool",)),
    ('tool say "a; b && c | d"', ("tool say",)),
    ("tool b; tool b", ("tool b",)),
    ("it's not shell", ("it's not",)),
    ('""', ()),
    ("", ()),
    ("   \n ; && ", ()),
    ("$CMD", ("$CMD",)),
    ("python -m tool x", ("python tool",)),
]


@pytest.mark.parametrize(("command", "heads"), HEADS)
def test_the_heads_of_a_shell_line(command: str, heads: tuple[str, ...]) -> None:
    assert command_heads(command) == heads


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(
            ["a b", "'", '"', "$(", ")", "`", "<<E", "\n", "E", "|", ">", "<(", "\\", "${", "# ", "bash -c "]
        ),
        max_size=15,
    ).map("".join)
)
def test_no_text_raises(command: str) -> None:
    heads = command_heads(command)
    assert len(set(heads)) == len(heads)
    assert all(heads)
    assert command_heads(command) == heads


def test_deep_nesting_ends() -> None:
    assert command_heads("$(" * 5000 + "tool b")
    assert command_heads("bash -c '" * 50) is not None
    command_heads("`" * 20_001)
    command_heads("<<A " * 20_000)


@given(
    st.fixed_dictionaries(
        {}, optional={name: st.text(max_size=20) for name in ("kind", "tool", "command", "path", "text")}
    )
)
def test_an_act_survives_its_json(value: dict[str, str]) -> None:
    act = Act.of(value)
    assert Act.of(act.as_json()) == act
    assert act.signature == Act.of(act.as_json()).signature
    assert len(act.short) <= 200
    assert "\n" not in act.short


def test_an_act_of_nothing_is_other() -> None:
    assert Act.of({}).kind == OTHER
    assert Act.of({"kind": 3, "tool": None}).kind == "3"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("src/app/main.py", "src/app/*.py"),
        ("main.py", "*.py"),
        ("Makefile", "Makefile"),
        ("a/Makefile", "a/Makefile"),
        ("", ""),
    ],
)
def test_the_class_of_a_path(path: str, wanted: str) -> None:
    assert Act(EDIT, "Edit", path=path).path_class == wanted


def test_what_makes_two_calls_the_same_act() -> None:
    assert (
        Act(SHELL, "Bash", command="cd x && git push -f").signature == Act(SHELL, "shell", command="git push").signature
    )
    assert Act(SHELL, "Bash", command="git pull").signature != Act(SHELL, "Bash", command="git push").signature
    assert Act(EDIT, "Write", path="a/b.py").signature == Act(EDIT, "Edit", path="a/c.py").signature
    assert Act(EDIT, "Write", path="a/b.py").signature != Act(READ, "Read", path="a/b.py").signature
    assert Act(OTHER, "WebSearch", text="x").signature == "tool:WebSearch"
    assert Act(EDIT, "Edit", command="git push").heads == ()
