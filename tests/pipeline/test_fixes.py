"""What fixed an error here before: which events show it, and what ended it."""

import pytest

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.pipeline.fixes import ERROR_KINDS, LIKE_MIN, SAME_MIN, Seen, Signature, seen
from hivemind_cli.pipeline.texts import of_event
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.session import Session

TRACE = """Traceback (most recent call last):
  File "/home/ada/code/app/main.py", line 14, in <module>
    import tomlkit
ModuleNotFoundError: No module named 'tomlkit'"""


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


def ask(store: InMemoryStore, error: str) -> list[Seen]:
    events = [row.record for row in store.find(Event, kind=list(ERROR_KINDS))]
    return seen(store, Signature.of(error), [text for one in events if (text := of_event(one))], walks_max=10)


def steps(one: Seen) -> list[tuple[str, str]]:
    assert one.fix
    return [(step.kind, step.text) for step in one.fix.steps]


def shows(session: Session, command: str, output: str) -> None:
    act = Act(SHELL, "Bash", command=command).as_json()
    session.event(EventKind.TOOL_RESULT, call_id=session.calls_tool(Act.of(act)), act=act, output=output)


def reads(session: Session, path: str) -> None:
    act = Act(READ, "Read", path=path)
    session.event(EventKind.TOOL_RESULT, call_id=session.calls_tool(act), act=act.as_json(), output="text")


def test_the_command_between_an_error_and_its_end_is_the_fix(store: InMemoryStore) -> None:
    session = Session(store)
    session.says("run the app")
    session.runs("python main.py", error=TRACE)
    session.runs("ls")
    session.runs("uv pip install tomlkit")
    session.runs("python main.py")
    (one,) = ask(store, "ModuleNotFoundError: No module named 'tomlkit'")
    assert one.likeness > 0.95
    assert one.error.splitlines()[-1] == "ModuleNotFoundError: No module named 'tomlkit'"
    assert steps(one) == [("ran", "uv pip install tomlkit")]
    assert one.fix and one.fix.worked == "python main.py" and one.fix.sure == 0.9


def test_a_pasted_traceback_of_another_machine_finds_the_same_error(store: InMemoryStore) -> None:
    session = Session(store)
    session.runs("python main.py", error=TRACE)
    pasted = TRACE.replace("/home/ada/code/app", "/srv/ci/build-77").replace("line 14", "line 203")
    assert [round(one.likeness, 1) for one in ask(store, pasted)] == [1.0]


def test_the_same_kind_of_error_about_another_name_is_like_it_and_not_the_same(store: InMemoryStore) -> None:
    session = Session(store)
    session.runs("python main.py", error=TRACE)
    (one,) = ask(store, TRACE.replace("tomlkit", "pandas"))
    assert LIKE_MIN <= one.likeness < SAME_MIN


def test_an_edit_is_told_with_its_lines(store: InMemoryStore) -> None:
    session = Session(store)
    session.runs("pytest -q", error="FAILED test_sum.py::test_adds - assert 3 == 4")
    session.writes("sums.py", "return a + b\n")
    session.runs("pytest -q")
    (one,) = ask(store, "FAILED test_sum.py::test_adds")
    assert one.fix and one.fix.steps[0].text == "sums.py" and one.fix.steps[0].diff == ("+return a + b",)


def test_a_green_run_of_the_same_tests_is_no_error(store: InMemoryStore) -> None:
    session = Session(store)
    shows(session, "pytest -v", "test_missing_name PASSED\n12 passed in 0.3s")
    assert ask(store, "test_missing_name") == []


def test_a_check_that_fails_behind_a_pipe_counts(store: InMemoryStore) -> None:
    session = Session(store)
    shows(session, "pytest -q | tail -5", "FAILED test_sum.py::test_adds - KeyError: 'total'\n1 failed in 0.2s")
    session.writes("sums.py", "total = 0\n")
    shows(session, "pytest -q | tail -5", "3 passed in 0.2s")
    (one,) = ask(store, "KeyError: 'total'")
    assert one.fix and one.fix.how == "passed"


def test_a_call_otherwise_is_the_fix_itself(store: InMemoryStore) -> None:
    session = Session(store)
    session.runs("cargo tset --workspace", error="error: no such command: `tset`")
    session.runs("cargo test --workspace")
    (one,) = ask(store, "error: no such command: `tset`")
    assert one.fix and one.fix.steps == () and one.fix.worked == "cargo test --workspace"


def test_the_same_error_again_is_no_end_of_it_and_is_told_once(store: InMemoryStore) -> None:
    session = Session(store)
    for _ in range(3):
        session.runs("make deploy", error="Error: cannot reach registry.internal: certificate expired")
    session.runs("sudo update-ca-trust extract")
    session.runs("make deploy")
    found = ask(store, "cannot reach registry.internal: certificate expired")
    assert [steps(one) for one in found] == [[("ran", "sudo update-ca-trust extract")]]


def test_an_error_that_gives_way_to_another_is_less_surely_fixed(store: InMemoryStore) -> None:
    session = Session(store)
    session.runs("npm run build", error="error TS2304: Cannot find name 'Buffer'.")
    session.writes("tsconfig.json", '"types": ["node"]\n')
    session.runs("npm run build", error="error TS2322: Type 'string' is not assignable to type 'number'.")
    (one,) = ask(store, "TS2304: Cannot find name 'Buffer'")
    assert one.fix and one.fix.how == "changed" and one.fix.sure < 0.7


def test_nothing_done_in_between_is_hardly_a_fix(store: InMemoryStore) -> None:
    session = Session(store)
    session.runs("npm ci", error="npm error network ETIMEDOUT registry.npmjs.example")
    session.runs("npm ci")
    (one,) = ask(store, "npm error network ETIMEDOUT")
    assert one.fix and one.fix.steps == () and one.fix.sure < 0.5


def test_words_of_the_person_are_told_where_nothing_else_is_known(store: InMemoryStore) -> None:
    session = Session(store)
    session.runs("terraform plan", error="Error: No valid credential sources found")
    session.event(EventKind.STEER, text="log in with aws sso first, profile staging")
    session.replies("I stop here.")
    (one,) = ask(store, "Error: No valid credential sources found")
    assert steps(one) == [("said", "log in with aws sso first, profile staging")]
    assert one.fix and one.fix.how == "said" and one.fix.sure <= 0.3


def test_an_edit_that_was_refused_goes_through_after_its_file_was_read(store: InMemoryStore) -> None:
    session = Session(store)
    act = Act(EDIT, "Edit", path="src/app.py")
    session.event(
        EventKind.TOOL_FAILURE, call_id=session.calls_tool(act), act=act.as_json(), error="Stale: the file changed"
    )
    reads(session, "README.md")
    reads(session, "src/app.py")
    session.writes("src/other.py")
    act = Act(EDIT, "Edit", path="src/app.py", text="x = 2")
    session.event(EventKind.TOOL_RESULT, call_id=session.calls_tool(act), act=act.as_json(), output="")
    (one,) = ask(store, "Stale: the file changed")
    assert ("called", "Read src/app.py") in steps(one) and ("called", "Read README.md") not in steps(one)


def test_what_a_person_reports_ends_when_they_do_not_report_it_again(store: InMemoryStore) -> None:
    session = Session(store)
    session.says("it crashes: TypeError: 'NoneType' object is not subscriptable in load_settings")
    session.writes("settings.py", "value = value or {}\n")
    session.replies()
    session.says("now add a --verbose flag")
    (one,) = ask(store, "TypeError: 'NoneType' object is not subscriptable")
    assert steps(one) == [("edited", "settings.py")] and one.fix and one.fix.sure < 0.5


def test_source_code_that_holds_the_message_is_no_error(store: InMemoryStore) -> None:
    session = Session(store)
    act = Act(READ, "Read", path="store.py")
    raised = 'raise StoreError("the ledger cannot be opened")'
    session.event(EventKind.TOOL_RESULT, call_id=session.calls_tool(act), act=act.as_json(), output=raised)
    assert ask(store, "StoreError: the ledger cannot be opened") == []


@pytest.mark.parametrize(
    "text", ["", "  \n", "!!! --- ???", "error", "Error: failed", "\udcff\udcfe", "\x1b[31m\x1b[0m"]
)
def test_what_says_nothing_is_no_signature(text: str) -> None:
    assert not Signature.of(text)


def test_a_log_of_a_megabyte_is_read_at_both_ends() -> None:
    log = "error: first cause in parser.c\n" + "note: fine\n" * 90_000 + "RuntimeError: last words of the worker\n"
    assert [line.text for line in Signature.of(log).lines] == [
        "error: first cause in parser.c",
        "RuntimeError: last words of the worker",
    ]
