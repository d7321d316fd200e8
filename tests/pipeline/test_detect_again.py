"""Requests that come again, errors and what fixed them, and changes taken back by a command."""

from datetime import timedelta

import pytest

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.records import Correction, CorrectionKind, EventKind
from hivemind_cli.pipeline.detect.undo import ALL, COMMIT, NEW, names, taken_back
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.session import Session


@pytest.fixture
def session() -> Session:
    return Session(InMemoryStore())


def of_kind(session: Session, kind: CorrectionKind) -> list[Correction]:
    return [one for one in session.corrections() if one.kind is kind]


def asked_twice(session: Session, first: str, second: str) -> bool:
    session.says(first)
    session.writes("api/orders.py")
    session.replies()
    session.says(second)
    return bool(of_kind(session, CorrectionKind.REDO))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("add pagination to the orders endpoint", "please add the pagination to the orders endpoint"),
        ("add pagination to api/orders.py with a page size", "pagination with page size for api/orders.py, add it"),
        ("füge dem Bestellformular eine Seitenzahl hinzu", "Füge bitte eine Seitenzahl dem Bestellformular hinzu"),
        ("注文一覧にページ番号を追加してください", "注文一覧にページ番号を追加してくださいね"),
    ],
)
def test_the_same_request_in_other_words_is_a_redo(session: Session, first: str, second: str) -> None:
    assert asked_twice(session, first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("continue", "continue"),
        ("run the tests", "run the tests"),
        ("/review the open changes", "/review the open changes"),
        ("add pagination to the orders endpoint", "add sorting and filters to the customers endpoint"),
        (
            "write tests for src/orders.py, one for each function",
            "write tests for src/carts.py, one for each function",
        ),
        ("please fix issue 12 as described in the tracker", "please fix issue 13 as described in the tracker"),
        ("translate the page about `orders` into French", "translate the page about `carts` into French"),
        ("write the release notes for Berlin and send them", "write the release notes for Madrid and send them"),
        (
            "add pagination to the orders endpoint",
            "why did you add pagination to the orders endpoint in a second file and not in the first as others do?",
        ),
    ],
)
def test_routine_and_templates_are_no_redo(session: Session, first: str, second: str) -> None:
    assert not asked_twice(session, first, second)


def test_a_short_request_that_comes_back_after_other_work_is_routine(session: Session) -> None:
    session.says("commit and push the changes")
    session.runs("git push")
    session.replies()
    session.says("now the part about invoices")
    session.replies()
    assert not asked_twice(session, "and the footer", "commit and push the changes")


def test_what_is_asked_over_and_over_is_a_habit(session: Session) -> None:
    for _ in range(4):
        session.says("check the deployment log for new warnings")
        session.runs("tail deploy.log")
        session.replies()
    assert len(of_kind(session, CorrectionKind.REDO)) == 1


def test_a_prompt_sent_twice_before_the_agent_answered_is_one(session: Session) -> None:
    session.says("add pagination to the orders endpoint")
    session.says("add pagination to the orders endpoint")
    assert of_kind(session, CorrectionKind.REDO) == []


def next_session(session: Session, text: str, *, after: timedelta, project: str = "p1") -> list[Correction]:
    later = Session(session.store, "s2", project=project, at=session.at + after)
    later.says(text)
    return of_kind(later, CorrectionKind.REDO)


def test_the_same_request_opens_the_next_session(session: Session) -> None:
    session.says("add pagination to the orders endpoint of the shop")
    session.writes("api/orders.py")
    session.replies()
    text = "add pagination to the orders endpoint of the shop"
    (found,) = next_session(session, text, after=timedelta(hours=2))
    assert (found.session_id, found.quote, found.task) == ("s2", text, text)
    assert "next session" in found.cause


@pytest.mark.parametrize(
    ("after", "project", "text"),
    [
        (timedelta(days=2), "p1", "add pagination to the orders endpoint of the shop"),
        (timedelta(hours=2), "p2", "add pagination to the orders endpoint of the shop"),
        (timedelta(hours=2), "p1", "add sorting to the customers page of the back office"),
    ],
)
def test_not_after_days_nor_elsewhere_nor_another_one(
    session: Session, after: timedelta, project: str, text: str
) -> None:
    session.says("add pagination to the orders endpoint of the shop")
    session.writes("api/orders.py")
    session.replies()
    assert next_session(session, text, after=after, project=project) == []


def test_a_session_that_is_not_answered_yet_runs_beside(session: Session) -> None:
    session.says("add pagination to the orders endpoint of the shop")
    text = "add pagination to the orders endpoint of the shop"
    assert next_session(session, text, after=timedelta(minutes=1)) == []


# Errors and what fixed them


def retry(session: Session) -> Correction:
    (found,) = of_kind(session, CorrectionKind.TOOL_RETRY)
    return found


def test_the_error_is_kept_folded_beside_its_command(session: Session) -> None:
    session.says("load it")
    session.runs(
        "python load.py --into db",
        error="Traceback\n  File \"/home/ada/shop/load.py\", line 12\nKeyError: 'rate' at 0x7f12",
    )
    session.runs("python load.py --into db --rates rates.csv")
    found = retry(session)
    assert found.before == "python load.py --into db\nKeyError: 'rate' at #"
    assert found.after == "python load.py --into db --rates rates.csv"


def test_a_fix_by_an_edit_is_the_edits_lines(session: Session) -> None:
    session.says("make it run")
    session.runs("python load.py", error="NameError: name 'rat' is not defined")
    act = Act(EDIT, "Edit", path="load.py", text="print(rate)\n")
    session.event(EventKind.TOOL_CALL, call_id="e1", act=act.as_json(), input={"old_string": "print(rat)\n"})
    session.event(EventKind.TOOL_RESULT, call_id="e1", act=act.as_json(), output="")
    session.runs("python load.py")
    assert retry(session).after == "load.py\n-print(rat)\n+print(rate)"


def test_a_fix_by_a_command_in_between_is_that_command(session: Session) -> None:
    session.says("make it run")
    session.runs("pytest -q", error="ModuleNotFoundError: No module named 'yaml'")
    session.runs("cat requirements.txt")
    session.runs("pip install pyyaml")
    session.runs("pytest -q")
    assert retry(session).after == "pip install pyyaml\npytest -q"


@pytest.mark.parametrize(
    ("failed", "worked"),
    [
        ("pip install rich", "uv pip install rich"),
        ("python load.py", "python3 load.py"),
        ("docker-compose up -d", "docker compose up -d"),
        ("npm run tset", "npm run test"),
        ("git comit -m work", "git commit -m work"),
        ("cd app && npm run build -- --all", "cd app && npm run build -- --workspaces"),
    ],
)
def test_the_same_job_called_otherwise_is_a_fix(session: Session, failed: str, worked: str) -> None:
    session.says("go")
    session.runs(failed, error="Error: it does not work so")
    session.runs(worked)
    assert retry(session).after == worked


@pytest.mark.parametrize(
    ("failed", "then"),
    [
        ("git push", "git status"),
        ("python load.py", "python other.py"),
        ("python load.py", "cat load.py"),
        ("python load.py", "git add load.py"),
        ("python load.py", "rm load.py"),
        ("cat one.txt", "cat two.txt"),
        ("ls src/shop", "ls lib/shop"),
        ("git log one --not two", "git log one --not three"),
        ("pytest -q", "pytest -q"),
    ],
)
def test_another_job_fixes_nothing(session: Session, failed: str, then: str) -> None:
    session.says("go")
    session.runs(failed, error="Error: it does not work so")
    session.runs(then)
    assert of_kind(session, CorrectionKind.TOOL_RETRY) == []


def test_a_call_that_the_host_did_not_run_failed_at_nothing(session: Session) -> None:
    session.says("go")
    act = Act(SHELL, "Bash", command="npm run build -- --all")
    call_id = session.calls_tool(act)
    session.event(EventKind.TOOL_FAILURE, call_id=call_id, act=act.as_json(), error="not now", not_run=True)
    session.runs("npm run build -- --workspaces")
    assert of_kind(session, CorrectionKind.TOOL_RETRY) == []


def test_a_rewrite_of_many_files_is_no_fix(session: Session) -> None:
    session.says("make it run")
    session.runs("pytest -q", error="1 failed")
    for n in range(5):
        session.writes(f"part{n}.py")
    session.runs("pytest -q")
    assert of_kind(session, CorrectionKind.TOOL_RETRY) == []


# Taken back by a command


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("git checkout -- src/a.py", ("src/a.py",)),
        ("git checkout HEAD~1 -- src/a.py b.py", ("src/a.py", "b.py")),
        ("git checkout src/a.py", ("src/a.py",)),
        ("git checkout .", (ALL,)),
        ("git checkout -f", (ALL,)),
        ("git restore --source HEAD~1 src/a.py", ("src/a.py",)),
        ("git restore --staged --worktree .", (ALL,)),
        ("git reset --hard", (ALL,)),
        ("git reset --hard HEAD~1", (ALL, COMMIT)),
        ("git stash", (ALL,)),
        ("git stash push -m later -- src/a.py", ("src/a.py",)),
        ("git clean -fd", (NEW,)),
        ("git revert --no-edit HEAD", (COMMIT,)),
        ("git -c user.name=x restore a.py", ("a.py",)),
        ("hg revert a.py", ("a.py",)),
        ("jj undo", (ALL,)),
        ("make && git restore a.py", ("a.py",)),
    ],
)
def test_what_a_command_takes_back_is_read_from_it(command: str, targets: tuple[str, ...]) -> None:
    assert taken_back(command) == targets


@pytest.mark.parametrize(
    "command",
    [
        "git checkout main",
        "git checkout -b fix.it",
        "git restore --staged a.py",
        "git reset HEAD~1",
        "git reset --soft HEAD~1",
        "git stash pop",
        "git stash list",
        "git stash && git checkout main && git pull",
        "git stash; make test; git stash pop",
        "git clean -n",
        "git revert --abort",
        "git -C ../other checkout -- a.py",
        "cd ../other && git checkout -- a.py",
        "git commit -am 'reset --hard'",
        "git diff a.py",
        "echo git reset --hard",
    ],
)
def test_what_leaves_the_files_takes_nothing_back(command: str) -> None:
    assert taken_back(command) == ()


def test_a_target_names_a_file_a_folder_or_a_pattern() -> None:
    assert names("a.py", "src/a.py") and names("src", "src/a.py") and names("*.py", "src/a.py")
    assert not names("docs/a.py", "src/a.py") and not names("a.pyi", "a.py")


def reverted(session: Session, ran: str) -> list[Correction]:
    session.event(EventKind.STEER, text="", ran=ran)
    return of_kind(session, CorrectionKind.REVERTED)


def test_a_stash_of_what_a_commit_already_holds_takes_nothing_of_it(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/parser.py")
    session.runs("git commit -am tidy")
    session.replies()
    assert reverted(session, "git stash") == []


def test_a_revert_needs_a_commit_of_the_agents_work(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/parser.py")
    assert reverted(session, "git revert HEAD") == []
    session.event(EventKind.STEER, text="", ran="git commit -am tidy")
    assert len(reverted(session, "git revert HEAD")) == 1


def test_a_clean_takes_new_files_only(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/old.py", wrote={"path": "/repo/src/old.py", "was": "0f"})
    assert reverted(session, "git clean -f") == []
    session.writes("src/new.py", wrote={"path": "/repo/src/new.py", "was": ""})
    (found,) = reverted(session, "git clean -f")
    assert found.act["path"] == "src/new.py"


@pytest.mark.parametrize("words", ["continue", "run the tests", "yes", "check why the build is red"])
def test_what_the_agent_takes_back_by_itself_is_no_correction(session: Session, words: str) -> None:
    session.says("speed up the parser")
    session.writes("src/parser.py")
    session.replies()
    session.says(words)
    session.runs("git checkout -- src/parser.py")
    assert of_kind(session, CorrectionKind.REVERTED) == []


def test_the_agent_takes_it_back_when_the_person_asks(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/parser.py")
    session.replies()
    session.says("no, undo that, it was wrong")
    session.runs("git checkout -- src/parser.py")
    (found,) = of_kind(session, CorrectionKind.REVERTED)
    assert found.act["path"] == "src/parser.py"


def test_one_revert_is_told_once_by_the_command_and_the_file(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/parser.py")
    session.replies()
    session.event(EventKind.STEER, text="", ran="git checkout -- src/parser.py")
    gone = {"path": "src/parser.py", "call_id": "call1", "removed": ["x = 1"], "added": [], "gone": True}
    session.says("next, the docs", edited=[gone])
    assert len(of_kind(session, CorrectionKind.REVERTED)) == 1


def test_a_rewind_takes_the_abandoned_edit_back_once(session: Session) -> None:
    session.says("tidy the parser")
    session.writes("src/parser.py")
    session.writes("src/lexer.py")
    session.replies()
    gone = {"path": "src/parser.py", "call_id": "call1", "removed": ["x = 1"], "added": [], "gone": True}
    session.says("first the tests, then the parser", rewound=True, abandoned=["call1"], edited=[gone])
    (found,) = of_kind(session, CorrectionKind.REVERTED)
    assert (found.act["path"], found.quote) == ("src/parser.py", "first the tests, then the parser")


def test_a_rewind_of_talk_alone_takes_nothing_back(session: Session) -> None:
    session.says("what is in the parser?")
    session.runs("ls src")
    session.replies()
    session.says("and in the lexer?", rewound=True, abandoned=[])
    assert of_kind(session, CorrectionKind.REVERTED) == []
