"""`hivemind skillify`: the list, the review in a real terminal and in scripts, and what a person's commands do."""

import json
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from hivemind_cli.app import reviewing
from hivemind_cli.app.reading import current_skills, history_of
from hivemind_cli.cli import review_screen
from hivemind_cli.cli.door import Door
from hivemind_cli.cli.screen import ESCAPE
from hivemind_cli.cli.skillify import sitting
from hivemind_cli.core.records import Correction, Notice, SkillRevision, SkillState
from hivemind_cli.skills.format import render
from tests.app.skills import NOW, revision, store_of
from tests.cli.here import Done, door_here, run_here
from tests.cli.terminal import Terminal
from tests.pipeline.codify_loop import correction_

CONTRADICTS = "from 1 correction; it contradicts the skill deploy"
AGAINST = {"contradicts": "sk_deploy"}
LONG = "never deploy by hand " * 40


def items(*, long: bool = False) -> list[reviewing.Waiting]:
    """A contradiction, a change of what was in use, a draft, and a proposal for retirement."""
    store = store_of(
        revision(1, "A@c1"),
        revision(1, "B@c2", name="against", state=SkillState.REVIEW, reason=CONTRADICTS, relations=AGAINST),
        revision(1, "A@c1", name="change"),
        revision(2, "A@c1", name="change", state=SkillState.RETIRED),
        revision(3, LONG if long else "A@c1", "B", name="change", state=SkillState.REVIEW, reason="again"),
        revision(1, "A", name="draft", state=SkillState.DRAFT, reason="fires too often"),
        revision(1, "A", name="old", days=200),
    )
    return reviewing.waiting(store, 90, NOW)


class Pressed:
    """A screen on which a person presses these keys, one after the other. `shown`: what they saw, newest last."""

    def __init__(self, keys: str, size: tuple[int, int] = (80, 24)) -> None:
        self.keys = list(keys)
        self.size = size
        self.shown: list[str] = []

    def show(self, lines: list[tuple[str, str]]) -> None:
        self.shown.append("\n".join(text for text, _ in lines))

    def key(self) -> str:
        return self.keys.pop(0)


def sit(keys: str, **options: bool) -> tuple[list[str], Pressed]:
    """What was decided, and the screen."""
    one, screen = sitting.Sitting(items(**options)), Pressed(keys)
    one.run(screen)  # type: ignore[arg-type]
    assert not screen.keys
    return [each.told for each in one.decisions], screen


@pytest.mark.parametrize(
    ("keys", "decided"),
    [
        ("q", []),
        (ESCAPE, []),
        ("aq", ["accept against"]),
        ("arq", ["accept against", "reject change"]),
        ("asrq", ["accept against", "skip change", "reject draft"]),
        ("auq", []),
        ("auruq", []),
        ("aurq", ["reject against"]),
        ("ssskq", ["skip against", "skip change", "skip draft", "keep old"]),
        ("sssrq", ["skip against", "skip change", "skip draft", "retire old"]),
        ("sssaq", ["skip against", "skip change", "skip draft"]),
        ("kx1q", []),
        ("ssss", ["skip against", "skip change", "skip draft", "skip old"]),
        ("sssk\n", ["skip against", "skip change", "skip draft", "keep old"]),
        ("ssskuuq", ["skip against", "skip change"]),
        ("?xaq", ["accept against"]),
        ("  bbq", []),
    ],
)
def test_each_key_decides_what_it_says_and_nothing_else(keys: str, decided: list[str]) -> None:
    assert sit(keys)[0] == decided


def test_the_screen_says_what_a_key_would_do() -> None:
    _, screen = sit("asuq")
    first, second, *_ = screen.shown
    assert "1 of 4: against v1" in first and "accept (deploy retires)" in first and "u undo" not in first
    assert "It contradicts deploy v1 (live)" in first and "- A" in first and "- B" in first
    assert "2 of 4: change v3" in second and "Against version 1" in second and "+- B" in second
    assert "q quit, carry out 1" in second and "u undo" in second
    assert "Taken back: skip change." in screen.shown[-1]
    assert correction_(1).quote in second and "2026-03-01 ann, claude" in second
    assert reviewing.NO_HISTORY in second


def test_a_long_text_is_read_page_by_page() -> None:
    _, screen = sit("s  q", long=True)
    assert "more lines (space" in screen.shown[1]
    assert screen.shown[1] != screen.shown[2]
    assert "change v3" in screen.shown[3]  # what is decided about stays in sight
    assert all("a accept" in one for one in screen.shown)


SIZES = st.tuples(st.integers(1, 200), st.integers(1, 60))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300), SIZES, st.integers(0, 99), st.integers(0, 3))
def test_what_waits_fits_any_terminal_and_moves_no_cursor(text: str, size: tuple[int, int], top: int, n: int) -> None:
    store = store_of(
        revision(1, f"{text} A@c1", title=text, trigger=text),
        revision(2, "A@c1", "B", state=SkillState.RETIRED),
        revision(3, "A", f"{text}@c2", state=SkillState.REVIEW, reason=text),
        revision(1, text, name="other", state=SkillState.REVIEW, reason=CONTRADICTS, relations=AGAINST),
    )
    item = reviewing.waiting(store, 90, NOW)[n % 2]
    width, height = size
    lines, _ = review_screen.item_lines(
        item, width=width, height=height, place="1 of 2", top=top, pending=n, message=text
    )
    assert 1 <= len(lines) <= height
    assert all(char.isprintable() for line, _ in lines for char in line)
    assert len(review_screen.help_lines(width, height)) <= height
    assert len(review_screen.fault_lines("x", text, width, height)) <= height
    assert len(review_screen.end_lines([text, text], width, height)) <= height


def test_at_80_by_24_no_line_is_cut_but_the_name() -> None:
    for item in items(long=True):
        lines, _ = review_screen.item_lines(item, width=80, height=24, place="1 of 4")
        assert len(lines) == 24 and max(cell_len(line) for line, _ in lines) <= 80


# The person's editor


class Lent(Pressed):
    """... that an editor may borrow."""

    def lent(self) -> "Lent":
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...


def editor(folder: Path, *steps: str) -> str:
    """An editor that does one of `steps`, shell lines about "$1", at each start."""
    script = folder / "editor"
    cases = "\n".join(f"{n}) {step} ;;" for n, step in enumerate(steps, 1))
    script.write_text(
        f'#!/bin/sh\necho x >> "{folder}/starts"\ncase $(wc -l < "{folder}/starts" | tr -d " ") in\n{cases}\nesac\n'
    )
    script.chmod(0o700)
    return str(script)


@pytest.mark.parametrize(
    ("steps", "keys", "decided", "said"),
    [
        (['echo "- mine" >> "$1"'], "eq", ["edit against"], "2 of 4"),
        ([":"], "eq", [], "Nothing was changed."),
        (["exit 3"], "eq", [], "ended with 3"),
        (['echo gone > "$1"'], "edq", [], "The edit was dropped."),
        (['echo gone > "$1"', 'grep -q gone "$1" && cp "$MADE" "$1"'], "eeq", ["edit against"], "2 of 4"),
        (['sed -i.bak "s/^name: .*/name: Else/" "$1"'], "edq", [], "The edit was dropped."),
    ],
    ids=["edited", "unchanged", "a failing editor", "dropped", "edited again", "another name"],
)
def test_an_edit_counts_once_it_can_be_read(
    steps: list[str],
    keys: str,
    decided: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, *steps))
    one, screen = sitting.Sitting(items()), Lent(keys)
    made = tmp_path / "made.md"
    made.write_text(one.items[0].file + "- made\n")
    monkeypatch.setenv("MADE", str(made))
    one.run(screen)  # type: ignore[arg-type]
    assert [each.told for each in one.decisions] == decided
    assert said in screen.shown[-1]
    assert all(each.text.endswith(("- mine\n", "- made\n")) for each in one.decisions)


def test_the_copy_for_the_editor_is_for_no_other_eyes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    monkeypatch.setenv("VISUAL", editor(tmp_path, f'stat -c %a "$1" > {seen}; echo "$1" >> {seen}'))
    monkeypatch.setenv("EDITOR", "false")
    sitting.Sitting(items()).run(Lent("eq"))  # type: ignore[arg-type]
    mode, path = seen.read_text().split()
    assert mode == "600" and not Path(path).exists()
    assert stat.S_ISREG(seen.stat().st_mode)


# The commands


def told_of() -> list[Correction | SkillRevision]:
    """Skills like those of `items`, and what they rest on."""
    return [
        revision(1, "A@c1"),
        revision(1, "B@c2", name="against", state=SkillState.REVIEW, reason=CONTRADICTS, relations=AGAINST),
        revision(1, "A", name="draft", state=SkillState.DRAFT, reason="fires too often"),
        revision(1, "A", name="old", days=400),
        revision(1, "A", name="gone", state=SkillState.RETIRED),
        *(correction_(n, id=f"c{n}") for n in (1, 2)),
    ]


@pytest.fixture
def daemon(own_home: Path) -> Iterator[Door]:
    """A home with these skills, and its daemon."""
    opened = Door.open()
    opened.store.append(told_of())
    yield opened
    opened.client.stop()


@pytest.fixture
def door(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """... and the owner in this process."""
    opened = door_here()
    monkeypatch.setattr(Door, "open", lambda: opened)
    opened.store.append(told_of())
    yield opened
    opened.client.stop()


def run(*words: str) -> Done:
    return run_here("skillify", *words)


def told(*words: str) -> Any:
    done = run(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def states(door: Door) -> dict[str, str]:
    return {one.name: one.state.value for one in current_skills(door.store)}


def test_the_list_says_what_stands_how_and_what_is_next(door: Door) -> None:
    done = run()
    assert (done.returncode, "\x1b" in done.stdout) == (0, False)
    lines = done.stdout.splitlines()
    assert lines[0] == "2 live" and "1 waiting for review" in lines and "1 draft" in lines
    assert "1 retired (--all lists them)" in lines and not any(line.startswith("  gone") for line in lines)
    assert f"    {CONTRADICTS}" in lines and "    fires too often" in lines
    assert any("retire it?" in line for line in lines)
    assert done.stderr == "Next: `hivemind skillify review`, 3 decisions, a key each.\n"
    assert "\n  gone  v1" in run("--all").stdout
    listed = told()
    assert [one["name"] for one in listed["proposed"]] == ["old"] and len(listed["skills"]) == 5


def test_a_review_with_a_change_of_mind_and_its_end(daemon: Door) -> None:
    at = Terminal("skillify", "review")
    assert "contradicts the skill deploy" in at.reads("1 of 3.*\\? help")
    at.press("a")
    at.reads("2 of 3.*\\? help")
    at.press("u")
    assert "Taken back" in at.reads("1 of 3.*\\? help")
    at.press("a")
    at.reads("2 of 3.*\\? help")
    at.press("\x1b[B")
    at.reads("2 of 3.*\\? help")
    at.press("s")
    at.reads("proposed for retirement.*\\? help")
    at.press("k")
    assert "keep old" in at.reads("You decided.*Ctrl-C")
    assert states(daemon)["against"] == "review"  # nothing is done yet
    at.press("q")
    code, said = at.ends()
    assert code == 0, said
    assert "against v2: live" in said and "deploy v2: retired" in said and "old: kept" in said
    assert states(daemon) == {
        "against": "live",
        "deploy": "retired",
        "draft": "draft",
        "gone": "retired",
        "old": "live",
    }
    assert daemon.store.count(Notice, about="kept", subject="sk_old") == 1


SLOW = [pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize("number", [signal.SIGINT, *SLOW])
def test_whatever_interrupts_a_review_everything_is_as_it_was(daemon: Door, number: signal.Signals) -> None:
    at = Terminal("skillify", "review")
    at.reads("1 of 3.*\\? help")
    at.press("ar")
    at.reads("3 of 3.*\\? help")
    at.process.send_signal(number)
    code, said = at.ends()
    assert code != 0 and "\x1b[?1049l" in said and "Traceback" not in said
    assert states(daemon) == {"against": "review", "deploy": "live", "draft": "draft", "gone": "retired", "old": "live"}


def test_a_script_lists_and_decides(door: Door) -> None:
    listed = told("review")["waiting"]
    assert [(one["skill"]["name"], one["may"]) for one in listed] == [
        ("against", ["accept", "reject", "skip"]),
        ("draft", ["accept", "reject", "skip"]),
        ("old", ["keep", "reject", "skip"]),
    ]
    assert listed[0]["displaces"] == "deploy" and listed[0]["lines"][0]["corrections"][0]["quote"]
    done = run("review")
    assert done.returncode == 1 and "--accept NAME" in done.stderr and not done.stdout
    decided = told("review", "--accept", "against", "--reject", "draft", "--skip", "old")["decided"]
    assert [(one["skill"], one["done"]) for one in decided] == [("against", True), ("draft", True), ("old", True)]
    assert states(door) == {
        "against": "live",
        "deploy": "retired",
        "draft": "retired",
        "gone": "retired",
        "old": "live",
    }


def test_what_cannot_be_decided_is_told_and_the_rest_is_done(door: Door) -> None:
    done = run("review", "--accept", "deploy", "--reject", "draft")
    assert done.returncode == 1 and "live already" in done.stderr and "draft v2: retired" in done.stdout
    done = run("review", "--accept", "draft", "--reject", "draft")
    assert done.returncode == 2 and "named twice" in done.stderr
    done = run("review", "--accept", "drafd")
    assert done.returncode == 1 and "'draft'" in done.stderr


def test_one_skill_is_followed_through_its_commands(door: Door) -> None:
    file = render(current_skills(door.store)[1])
    assert "- A" in file
    assert told("accept", "draft")["state"] == "live"
    assert told("retire", "draft")["version"] == 3
    assert told("undo", "draft")["state"] == "live"
    assert told("rollback", "draft", "--to", "1")["state"] == "live"
    assert told("promote", "draft")["scope"] == "user"
    home = door.paths.home
    assert (home / ".claude" / "skills" / "draft" / "SKILL.md").is_file()
    assert (home / ".agents" / "skills" / "draft").is_symlink()
    told("undo", "draft")
    assert not (home / ".claude").exists()
    log = told("log", "draft")
    assert [one["version"] for one in log] == list(range(1, 8)) and log[1]["by"] == "a person"
    assert "for every project" in run("log", "draft").stdout
    assert told("keep", "old")["about"] == "kept"


def test_a_decision_says_what_is_now_and_how_to_take_it_back(door: Door) -> None:
    done = run("reject", "against")
    assert done.stdout == "against v2 is retired (rejected).\n"
    assert "`hivemind skillify accept against` brings it back" in done.stderr
    done = run("accept", "against")
    assert "against v3 is live (accepted)." in done.stdout and "deploy v2 is retired" in done.stdout
    assert "`hivemind skillify undo against` takes that back" in done.stderr
    assert "retire against" in run("reject", "against").stderr
    assert "promote" not in run("promote", "deploy").stdout  # retired by now: nothing is tried before it is refused


def test_undo_brings_back_what_the_accepted_skill_retired(door: Door) -> None:
    assert "deploy v2 is retired" in run("accept", "against").stdout
    said = run("undo", "against").stdout
    assert "against v3 is retired" in said and "deploy v3 is live" in said
    assert {one.name: one.state.value for one in current_skills(door.store)}["deploy"] == "live"


def test_of_two_opposites_one_is_live_whichever_was_accepted_last(door: Door) -> None:
    run("accept", "against")
    said = run("accept", "deploy").stdout
    assert "deploy v3 is live" in said and "against v3 is retired" in said


def test_an_edit_is_seen_by_the_next_command_that_shows_skills(door: Door) -> None:
    assert told("promote", "deploy")["state"] == "live"
    file = door.paths.home / ".claude" / "skills" / "deploy" / "SKILL.md"
    file.write_text(file.read_text() + "- Ask Ann first.\n")
    assert told("log", "deploy")[-1]["reason"] == "a person edited the file"
    file.unlink()
    assert {one["name"]: one["state"] for one in told()["skills"]}["deploy"] == "retired"


def test_versions_are_compared_and_lines_traced(door: Door) -> None:
    door.store.append([revision(2, "A@c1", "more@c2", drafter="acme/large"), revision(3, "A@c1", "more@c2")])
    assert "+- more" in run("diff", "deploy", "1").stdout
    assert "The words are the same." in run("diff", "deploy").stderr
    assert told("diff", "deploy", "1", "2")["diff"][-1] == "+- more"
    done = run("diff", "deploy", "7")
    assert done.returncode == 1 and "1, 2, 3" in done.stderr
    blamed = {one["text"]: one for one in told("blame", "deploy")}
    assert (blamed["- A"]["version"], blamed["- more"]["version"]) == (1, 2)
    assert blamed["- more"]["corrections"][0]["quote"] == correction_(2).quote
    assert "c_c2" in run("blame", "deploy").stdout
    log = run("log", "deploy").stdout
    assert log.count("its lines rest on 1 more correction") == 1
    assert told("why", "deploy:2")["lines"][0]["text"] == "more"


def test_a_rollback_over_an_own_edit_asks_first(door: Door) -> None:
    mine = revision(2, "mine", drafter="person", reason="a person edited the file")
    door.store.append([mine])
    done = run("rollback", "deploy", "--to", "1")
    assert done.returncode == 1 and "your own edit" in done.stderr and "--yes" in done.stderr
    assert len(history_of(door.store, "sk_deploy")) == 2
    assert told("rollback", "deploy", "--to", "1", "--yes")["version"] == 3
    assert history_of(door.store, "sk_deploy")[1] == mine


def test_a_person_who_says_no_keeps_their_edit(daemon: Door) -> None:
    daemon.store.append([revision(2, "mine", drafter="person", reason="a person edited the file")])
    at = Terminal("skillify", "rollback", "deploy", "--to", "1")
    at.reads("stays in the history.*Go back to version 1\\?")
    at.press("n\n")
    code, _ = at.ends()
    assert code == 1 and len(history_of(daemon.store, "sk_deploy")) == 2


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["log", "deploi"], "'deploy'"),
        (["promote", "gone"], "accept gone"),
        (["rollback", "deploy", "--to", "4"], "skillify log deploy"),
        (["keep", "draft"], "accept draft"),
        (["accept", "deploy"], "undo deploy"),
        (["review", "nothing"], "hivemind skillify"),
    ],
)
def test_an_error_is_advice(door: Door, words: list[str], advice: str) -> None:
    done = run(*words)
    assert done.returncode == 1 and advice in done.stderr and not done.stdout and "Traceback" not in done.stderr
