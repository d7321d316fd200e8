"""Which commands are checks, what their output says, and when a red one puts the agent's "done" right."""

from time import process_time

import pytest

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.records import Correction, CorrectionKind, EventKind
from hivemind_cli.pipeline.detect.checks import failing, not_run, pasted, red
from hivemind_cli.pipeline.detect.errors import error_lines, normal_error
from hivemind_cli.pipeline.detect.runners import checks_of
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.session import Session

CHECKS = {
    "pytest -q tests/": ("test", "pytest"),
    "python3.12 -m pytest tests": ("test", "pytest"),
    "python -m unittest discover": ("test", "unittest"),
    "uv run --extra dev pytest -x 2>&1 | tail -20": ("test", "pytest"),
    "poetry run mypy src": ("types", "mypy"),
    "uv run ruff check .": ("lint", "ruff check"),
    "python manage.py test shop": ("test", "manage.py test"),
    "npm test": ("test", "npm test"),
    "npm run lint:fix": ("lint", "npm run lint:fix"),
    "pnpm --filter web typecheck": ("types", "pnpm typecheck"),
    "yarn workspace api test:unit": ("test", "yarn test:unit"),
    "npx tsc --noEmit": ("types", "tsc"),
    "npx vitest run": ("test", "vitest"),
    "bunx biome check src": ("lint", "biome check"),
    "bun test": ("test", "bun test"),
    "node --test": ("test", "node --test"),
    "go test ./... -run TestX": ("test", "go test"),
    "go vet ./...": ("lint", "go vet"),
    "cargo clippy -- -D warnings": ("lint", "cargo clippy"),
    "cargo +nightly test": ("test", "cargo test"),
    "./gradlew :app:testDebugUnitTest": ("test", "gradlew :app:testDebugUnitTest"),
    "mvn -q verify": ("lint", "mvn verify"),
    "dotnet test Shop.sln": ("test", "dotnet test"),
    "bundle exec rspec spec/models": ("test", "rspec"),
    "bin/rails test": ("test", "rails test"),
    "vendor/bin/phpunit": ("test", "phpunit"),
    "php artisan test": ("test", "artisan test"),
    "mix test": ("test", "mix test"),
    "swift build": ("build", "swift build"),
    "xcodebuild -scheme Shop test": ("test", "xcodebuild test"),
    "make": ("build", "make"),
    "make -j4 check": ("lint", "make check"),
    "just ci": ("lint", "just ci"),
    "cmake --build build": ("build", "cmake"),
    "ctest --output-on-failure": ("test", "ctest"),
    "bazel test //shop/...": ("test", "bazel test"),
    "docker compose run --rm web pytest": ("test", "pytest"),
    "docker compose exec -T api npm run test": ("test", "npm test"),
    "xvfb-run -a npx playwright test": ("test", "playwright test"),
    "timeout 300 pytest": ("test", "pytest"),
    "CI=1 sudo -E env A=b tox -e py312": ("test", "tox"),
    "cd web && npm run build": ("build", "npm build"),
    "bash -lc 'cargo check'": ("lint", "cargo check"),
    "./scripts/run_tests.sh": ("test", "run_tests.sh"),
    "sh ci/lint.sh": ("lint", "lint.sh"),
    "docker build -t shop .": ("build", "docker build"),
    "coverage run -m pytest": ("test", "pytest"),
    "pre-commit run --all-files": ("test", "pre-commit run"),
}


@pytest.mark.parametrize("command", CHECKS)
def test_checks_of_the_common_ecosystems_are_known(command: str) -> None:
    (check,) = checks_of(command)
    kind, name = CHECKS[command]
    assert check.kind == kind
    assert check.name.replace("run ", "") == name.replace("run ", "")


@pytest.mark.parametrize(
    "command",
    [
        "grep -rn test src",
        "cat tests/test_shop.py",
        "git checkout test",
        "mkdir build",
        "npm ci",
        "npm install --save-dev jest",
        "pip install pytest",
        "ls tests",
        "echo test",
        "cd build",
        "ruff format .",
        "black src",
        "vim test.py",
        "docker run --rm redis",
        "python -c 'import tests.shop'",
        "python app.py",
        "./gradlew bootRun",
        "make install",
        "go run .",
        "cargo run",
        "pytest --version",
        "curl https://example.org/test",
    ],
)
def test_what_only_names_a_check_is_none(command: str) -> None:
    assert checks_of(command) == ()


RED = [
    "Exit code 1\nboom",
    "==== 2 failed, 3 passed in 0.31s ====",
    "FAILED (failures=1)",
    "Tests:       1 failed, 4 passed, 5 total",
    "--- FAIL: TestTotal (0.00s)\nFAIL\tshop\t0.01s",
    "test result: FAILED. 3 passed; 1 failed; 0 ignored",
    "error[E0308]: mismatched types",
    "src/a.ts(3,5): error TS2322: Type 'string' is not assignable",
    "BUILD FAILURE",
    "Found 3 errors in 2 files (checked 9 source files)",
    "✖ 3 problems (1 error, 2 warnings)",
    "make: *** [Makefile:4: test] Error 2",
    "npm ERR! code ELIFECYCLE",
    "5 examples, 2 failures",
    "Tests: 4, Assertions: 8, Failures: 1.",
    "Failed!  - Failed:     1, Passed:     3",
    "shop.c:3:5: error: expected ';'",
    "  1 failing",
    "\x1b[31m1 failed\x1b[0m, 2 passed",
    "EXIT_CODE=2",
    "not ok 3 - adds up",
]
GREEN = [
    "5 passed in 0.1s",
    "ok  \tshop\t0.2s",
    "test result: ok. 3 passed; 0 failed; 0 ignored",
    "Found 0 errors",
    "Tests:       5 passed, 5 total",
    "0 failing",
    "2 xfailed, 3 passed in 1s",
    "✖ 2 problems (0 errors, 2 warnings)",
    "Found 3 errors (3 fixed, 0 remaining).",
    "exit code: 0",
    "Tests run: 5, Failures: 0, Errors: 0, Skipped: 0",
    "Failed: 0",
    "Success: no issues found in 3 source files",
]


@pytest.mark.parametrize("output", RED)
def test_a_red_run_is_seen_whatever_its_exit_code(output: str) -> None:
    assert red(f"collecting ...\n{output}\n")


@pytest.mark.parametrize("output", GREEN)
def test_a_green_run_is_not_red(output: str) -> None:
    assert not red(f"collecting ...\n{output}\n")


@pytest.mark.parametrize(
    "output",
    [
        "bash: pytest: command not found",
        "No module named pytest",
        'npm error Missing script: "test"',
        "no tests ran in 0.01s",
    ],
)
def test_a_check_that_did_not_run_says_nothing(output: str) -> None:
    assert not_run(output)
    assert not red(output)


def test_the_same_failures_are_the_same_wherever_and_whenever_they_fail() -> None:
    one = failing("FAILED tests/test_a.py::test_x - assert 3 == 4\n1 failed in 0.31s")
    other = failing("FAILED /tmp/b/tests/test_a.py::test_x - assert 3 == 4\n1 failed in 2.90s")
    assert one == other
    assert one != failing("FAILED tests/test_a.py::test_y - assert 3 == 4\n1 failed in 0.31s")


def test_errors_are_folded() -> None:
    text = "\x1b[31mFile /home/ada/shop/a.py:12:3: at 0x7f3a took 1.3s, id 3f2a9c1d77, 2026-11-01T09:00:00Z\x1b[0m"
    assert normal_error(text) == "File a.py: at # took 0s, id #, 0"
    assert normal_error("error[E0308]: TS2322") == "error[E0308]: TS2322"
    assert error_lines("starting\nstep 4\nerror: no such column: prise\ndone\n") == "error: no such column: prise"
    assert error_lines("one\ntwo") == "one\ntwo"


@pytest.mark.parametrize("blanks", ["\n" * 40_000, " \n" * 20_000, " " * 40_000, "\t\n \n" * 10_000])
def test_much_of_nothing_costs_no_time(blanks: str) -> None:
    """A pattern that looks over blank lines from each of them again took 20 s here."""
    began = process_time()
    assert not pasted(blanks) and not red(blanks) and not failing(blanks)
    assert failing(f"{blanks}\n  --- FAIL: TestA") == failing("--- FAIL: TestA")
    assert process_time() - began < 1


def test_only_a_runners_own_report_is_a_pasted_run() -> None:
    assert pasted("it says\n```\nFAILED tests/test_a.py::test_x - assert 1 == 2\n1 failed in 0.2s\n```")
    assert not pasted("the tests failed for me, and there was an error: something about rates")


# When red puts "done" right

FAILED = "FAILED tests/test_money.py::test_rounding - assert 1 == 2\n==== 1 failed in 0.1s ===="


@pytest.fixture
def session() -> Session:
    return Session(InMemoryStore())


def done(session: Session, reply: str = "Fixed, all done.") -> None:
    session.says("fix the rounding of the totals")
    session.writes("money.py")
    session.replies(reply)


def reds(session: Session) -> list[Correction]:
    return [one for one in session.corrections() if one.kind is CorrectionKind.RED_AFTER_DONE]


def prints(session: Session, command: str, output: str) -> None:
    """A command that fails, but whose exit code the pipe hides."""
    act = Act(SHELL, "Bash", command=command)
    call_id = session.calls_tool(act)
    session.event(EventKind.TOOL_RESULT, call_id=call_id, act=act.as_json(), output=output)


def test_the_cause_names_the_check_and_what_failed(session: Session) -> None:
    done(session)
    session.says("and the tests?")
    session.runs("uv run pytest -q", error=f"Exit code 1\n{FAILED}")
    (found,) = reds(session)
    assert "`pytest` failed" in found.cause and "test_rounding" in found.cause
    assert "1 failed" in found.after
    assert found.act["path"] == "money.py"


def test_a_red_run_behind_a_pipe_counts(session: Session) -> None:
    done(session)
    session.says("and the tests?")
    prints(session, "pytest 2>&1 | tail -5", FAILED)
    assert len(reds(session)) == 1


def test_output_that_a_person_pastes_counts(session: Session) -> None:
    done(session)
    session.says(f"hm:\n{FAILED}")
    assert len(reds(session)) == 1


def test_a_persons_own_run_counts(session: Session) -> None:
    done(session)
    session.event(EventKind.STEER, text="", ran="make test", output=f"{FAILED}\nmake: *** [Makefile:2: test] Error 1")
    assert len(reds(session)) == 1


@pytest.mark.parametrize(
    "reply",
    [
        "Rounding is in place, but test_rounding still fails.",
        "2 of 9 tests fail, I could not fix them.",
        "Soll ich weitermachen?",
        "Die Tests schlagen noch fehl.",
    ],
)
def test_what_the_agent_said_itself_does_not_count(session: Session, reply: str) -> None:
    done(session, reply)
    session.says("and the tests?")
    session.runs("pytest", error=FAILED)
    assert reds(session) == []


def test_an_agent_that_says_it_fixed_the_failing_test_said_done(session: Session) -> None:
    done(session, "I fixed the failing test; everything passes.")
    session.says("and the tests?")
    session.runs("pytest", error=FAILED)
    assert len(reds(session)) == 1


def test_what_was_red_before_the_agent_began_does_not_count(session: Session) -> None:
    session.says("how are the tests?")
    session.runs("pytest", error=FAILED)
    session.replies("One fails.")
    done(session)
    session.says("and the tests?")
    session.runs("pytest", error=FAILED.replace("0.1s", "0.7s"))
    assert reds(session) == []


def test_what_was_red_otherwise_before_does(session: Session) -> None:
    session.says("how are the tests?")
    session.runs("pytest", error=FAILED.replace("test_rounding", "test_taxes"))
    session.replies("One fails.")
    done(session)
    session.says("and the tests?")
    session.runs("pytest", error=FAILED)
    assert len(reds(session)) == 1


def test_a_run_after_further_edits_does_not_count(session: Session) -> None:
    done(session)
    session.says("now the taxes too")
    session.writes("taxes.py")
    session.runs("pytest", error=FAILED)
    assert reds(session) == []


def test_only_the_first_red_run_counts(session: Session) -> None:
    done(session)
    session.says("and the tests?")
    session.runs("pytest", error=FAILED)
    session.runs("pytest -x", error=FAILED)
    assert len(reds(session)) == 1


def test_a_check_that_is_not_installed_does_not_count(session: Session) -> None:
    done(session)
    session.says("and the tests?")
    session.runs("pytest", error="Exit code 127\nbash: pytest: command not found")
    assert reds(session) == []
