"""What a session's turns came to: by tests, by what people put right, by what stayed; and errors with their fixes."""

from typing import Any

import pytest

from hivemind_cli.core.acts import EDIT, OTHER, SHELL, Act
from hivemind_cli.core.records import EventKind, Experience, ExperienceKind, SaidKind, TaskOutcome
from hivemind_cli.pipeline.detect import Detect
from hivemind_cli.pipeline.experience import Reconsider, Remember
from hivemind_cli.pipeline.runner import run_once
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.judging_loop import judgement_
from tests.pipeline.session import Session


@pytest.fixture
def session() -> Session:
    return Session(InMemoryStore())


def remembered(session: Session, kind: ExperienceKind = ExperienceKind.ATTEMPT) -> list[Experience]:
    """What counts by now: the newest of each event, in the order they were begun."""
    while run_once(Detect(), session.store):
        pass
    while run_once(Remember(), session.store) or run_once(Reconsider(), session.store):
        pass
    newest = {row.record.event_id: row.record for row in session.store.find(Experience, kind=kind)}
    return sorted(newest.values(), key=lambda one: one.occurred_at)


def shows(session: Session, command: str, output: str) -> None:
    act = Act(SHELL, "Bash", command=command)
    session.event(EventKind.TOOL_RESULT, call_id=session.calls_tool(act), act=act.as_json(), output=output)


def wrote(*lines: str) -> dict[str, Any]:
    return {"wrote": {"path": "src/app.py", "written": [[f"h{n}", line] for n, line in enumerate(lines)], "after": []}}


def test_a_task_done_with_green_tests_that_nobody_objected_to_is_a_success(session: Session) -> None:
    session.says("add a health endpoint to the billing service")
    session.writes("src/app.py", "def health(): ...\n", **wrote("def health():", "    ..."))
    shows(session, "pytest -q", "12 passed in 0.31s")
    session.replies()
    (first,) = remembered(session)
    assert (first.outcome, first.task) == (TaskOutcome.SUCCESS, "add a health endpoint to the billing service")
    assert first.approach == "edit src/app.py\npytest -q"
    assert first.tools_used == ("Write", "pytest")
    assert first.metadata["checks"] == {"pytest": True} and first.error_trace == ""
    session.says("now document the endpoint in the handbook")
    (again,) = remembered(session)
    assert again.event_id == first.event_id and again.score > first.score
    assert "the person went on without putting anything right" in again.metadata["evidence"]


def test_red_tests_at_the_end_are_a_failure_with_the_error(session: Session) -> None:
    session.says("make the invoice totals add up")
    session.writes("src/totals.py")
    session.runs("pytest -q", error="FAILED test_totals.py::test_sum - assert 3 == 4\n1 failed in 0.2s")
    session.replies("I could not get it to pass.")
    (one,) = remembered(session)
    assert one.outcome is TaskOutcome.FAILURE
    assert "test_totals.py::test_sum" in one.error_trace
    assert one.metadata["checks"] == {"pytest": False}


def test_an_unchecked_task_is_worth_less_than_a_checked_one(session: Session) -> None:
    session.says("rename the settings module everywhere please")
    session.writes("src/settings.py")
    session.replies()
    session.says("write the changelog entry for it")
    shows(session, "pytest -q", "12 passed in 0.31s")
    session.writes("CHANGELOG.md")
    session.replies()
    unchecked, stale = remembered(session)
    assert unchecked.outcome is stale.outcome is TaskOutcome.SUCCESS
    assert unchecked.score < stale.score < 0.95
    assert "no test or other check ran" in unchecked.metadata["evidence"]
    assert "passed: pytest, before the last edit" in stale.metadata["evidence"]


def test_what_a_person_put_right_is_the_lesson_and_the_next_turn_goes_on_with_the_task(session: Session) -> None:
    session.says("install the charting library for the dashboard")
    session.runs("npm install chartlib")
    session.replies()
    session.says("no, never use npm here, use pnpm instead")
    session.runs("pnpm add chartlib")
    session.replies()
    session.says("thanks, now draw the revenue chart on the dashboard")
    wrong, right = remembered(session)
    assert wrong.task == right.task == "install the charting library for the dashboard"
    assert (wrong.approach, right.approach) == ("npm install chartlib", "pnpm add chartlib")
    assert wrong.outcome is not TaskOutcome.SUCCESS and wrong.score < right.score
    assert right.outcome is TaskOutcome.SUCCESS
    assert "use pnpm instead" in wrong.lessons and "use pnpm instead" in right.lessons
    assert len(wrong.metadata["correction_ids"]) == 1 and not right.metadata["correction_ids"]


def test_what_somebody_judges_counts_and_so_does_taking_it_back(session: Session) -> None:
    session.says("install the charting library for the dashboard")
    session.runs("npm install chartlib")
    session.replies()
    session.says("no, never use npm here, use pnpm instead")
    (wrong,) = remembered(session)
    (correction,) = session.corrections()
    session.store.append([judgement_(correction, SaidKind.NEW_REQUEST)])
    (right,) = remembered(session)
    assert right.score > wrong.score and right.outcome is TaskOutcome.SUCCESS and not right.lessons
    session.store.append([judgement_(correction, SaidKind.CORRECTION, 2)])
    (again,) = remembered(session)
    assert (again.score, again.lessons) == (wrong.score, wrong.lessons)


def test_a_refused_call_is_a_failure_that_names_what_was_tried(session: Session) -> None:
    session.says("clean the build folder of the project")
    act = Act(SHELL, "Bash", command="rm -rf build")
    session.event(
        EventKind.TOOL_DENIED, call_id=session.calls_tool(act), act=act.as_json(), by="person", words="use make clean"
    )
    session.replies()
    (one,) = remembered(session)
    assert one.outcome is TaskOutcome.FAILURE
    assert one.approach == "rm -rf build (refused)"
    assert one.lessons == "The person said: use make clean"


def test_a_tool_is_told_by_its_name_and_words_and_a_refused_call_by_what_was_asked(session: Session) -> None:
    session.says("look after the tasks of the release")
    for tool, text in (
        ("TaskCreate", '{"title": "x"}'),
        ("TaskCreate", '{"title": "y"}'),
        ("Task", "Explore the code"),
    ):
        act = Act(OTHER, tool, text=text)
        session.event(EventKind.TOOL_RESULT, call_id=session.calls_tool(act), act=act.as_json(), output="ok")
    call_id = session.calls_tool(Act(EDIT, "Edit", path="src/release.py"))
    bare = Act(EDIT, "Edit").as_json()
    session.event(EventKind.TOOL_DENIED, call_id=call_id, act=bare, by="person", words="leave that file alone")
    session.replies()
    (one,) = remembered(session)
    assert one.approach == "TaskCreate\nTask Explore the code\nedit src/release.py (refused)"


def test_lines_that_a_hand_changed_are_counted_against_it_and_told(session: Session) -> None:
    session.says("write the retry helper for the client")
    done = session.writes("src/app.py", "a\nb\nc\nd\n", **wrote("a", "b", "c", "d"))
    session.replies()
    edit = {"path": "src/app.py", "call_id": done.payload["call_id"], "removed": ["b"], "added": ["backoff"]}
    session.says("now use it in the importer as well", edited=[{**edit, "above": [], "below": [], "gone": False}])
    (one,) = remembered(session)
    assert (one.metadata["lines_written"], one.metadata["lines_changed"]) == (4, 1)
    assert "3 of 4 lines stayed" in one.metadata["evidence"]
    assert one.outcome is TaskOutcome.PARTIAL
    assert "-b" in one.lessons and "+backoff" in one.lessons


def test_what_was_taken_back_stands_last(session: Session) -> None:
    session.says("rewrite the parser with regular expressions")
    session.writes("src/app.py", "import re\n", **wrote("import re"))
    session.replies()
    session.event(EventKind.STEER, ran="git checkout -- src/app.py", output="")
    session.says("let us leave the parser as it is for now")
    (one,) = remembered(session)
    assert one.outcome is TaskOutcome.FAILURE and one.score < 0.15


def test_a_turn_that_only_looked_is_no_experience(session: Session) -> None:
    session.says("what does the parser module do exactly")
    session.runs("cat src/parser.py")
    session.replies("It parses.")
    session.ends()
    assert remembered(session) == []


def test_go_on_belongs_to_the_task_before(session: Session) -> None:
    session.says("translate the error messages into german")
    session.writes("src/de.py")
    session.replies("Shall I go on?")
    session.says("go on")
    session.writes("src/de_more.py")
    session.replies()
    assert {one.task for one in remembered(session)} == {"translate the error messages into german"}


def test_looking_twice_finds_the_same(session: Session) -> None:
    session.says("install the charting library for the dashboard")
    session.runs("npm install chartlib", error="npm error 404 Not Found: chartlib@latest")
    session.runs("npm install chart-lib")
    session.replies()
    session.ends()
    remembered(session)
    stored = session.store.count(Experience)
    rows = session.store.find(Experience)
    session.store.commit("experience", [], cursor_from=session.store.cursor("experience"), cursor_to=0)
    remembered(session)
    assert session.store.count(Experience) == stored and session.store.find(Experience) == rows


def test_an_error_and_what_helped_is_a_fix(session: Session) -> None:
    session.says("run the importer on the new files")
    session.runs("python importer.py", error="ModuleNotFoundError: No module named 'tomlkit'")
    session.runs("uv pip install tomlkit")
    session.runs("python importer.py")
    session.replies()
    (fix,) = remembered(session, ExperienceKind.FIX)
    assert fix.error_trace == "ModuleNotFoundError: No module named 'tomlkit'"
    assert fix.approach == "uv pip install tomlkit\nthen worked: python importer.py"
    assert fix.task == "run the importer on the new files"
    assert 0.5 <= fix.score <= 1.0


def test_an_error_that_went_by_itself_is_no_fix(session: Session) -> None:
    session.says("install the packages of the project")
    session.runs("npm ci", error="npm error network ETIMEDOUT registry.npmjs.example")
    session.runs("npm ci")
    session.replies()
    assert remembered(session, ExperienceKind.FIX) == []


def test_an_edit_that_the_host_wanted_otherwise_is_no_fix(session: Session) -> None:
    session.says("change the settings of the app")
    act = Act(EDIT, "Edit", path="src/app.py", text="x = 2")
    error = "File has not been read yet. Read it first before writing to it."
    session.event(EventKind.TOOL_FAILURE, call_id=session.calls_tool(act), act=act.as_json(), error=error)
    session.writes("src/app.py", "x = 2")
    session.replies()
    assert remembered(session, ExperienceKind.FIX) == []


def test_a_fix_two_turns_later_is_found_then(session: Session) -> None:
    session.says("run the importer on the new files")
    session.runs("python importer.py", error="ModuleNotFoundError: No module named 'tomlkit'")
    session.replies("It fails.")
    assert remembered(session, ExperienceKind.FIX) == []
    session.says("install what is missing for the importer")
    session.runs("uv pip install tomlkit")
    session.runs("python importer.py")
    session.replies()
    (fix,) = remembered(session, ExperienceKind.FIX)
    assert fix.task == "run the importer on the new files"


def test_every_session_keeps_its_own_workspace_and_turns(session: Session) -> None:
    other = Session(session.store, "s2", project="p2")
    session.says("write the retry helper for the client")
    other.says("write the pagination helper for the server")
    session.writes("src/retry.py")
    other.writes("src/pages.py")
    session.replies()
    other.replies()
    assert [(one.session_id, one.project_id, one.approach) for one in remembered(session)] == [
        ("s1", "p1", "edit src/retry.py"),
        ("s2", "p2", "edit src/pages.py"),
    ]


def test_a_session_in_two_workspaces_tells_neither_of_the_other(session: Session) -> None:
    session.says("rotate the vault keys of the bank")
    session.runs("vault rotate", error="Error: permission denied for vault://bank")
    session.replies("Shall I go on?")
    session.workspace = "shop"
    session.says("go on")
    session.writes("src/shop.py")
    session.runs("vault rotate --force")
    session.replies()
    session.says("now write the release notes of the shop")
    told = {one.workspace_id: one for one in remembered(session)}
    assert told["default"].task == "rotate the vault keys of the bank" and "shop" not in told["default"].approach
    assert told["shop"].task == "go on" and "bank" not in repr(told["shop"])
    assert remembered(session, ExperienceKind.FIX) == []
