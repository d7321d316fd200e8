"""Again, or as the person said: the two must never be confused."""

import pytest

from hivemind_cli.core.acts import EDIT, READ, SHELL, Act
from hivemind_cli.core.same import follows, repeats


def shell(command: str) -> Act:
    return Act(SHELL, "Bash", command=command)


def edit(path: str, text: str) -> Act:
    return Act(EDIT, "Write", path=path, text=text)


@pytest.mark.parametrize(
    ("corrected", "words", "task", "again", "right"),
    [
        (
            shell("git commit -m 'fix'"),
            "never git commit without --signoff",
            "commit it",
            shell("git commit -m 'wrap up'"),
            shell("git commit --signoff -m 'wrap up'"),
        ),
        (
            shell("docker build ."),
            "always build with --pull here",
            "build the image",
            shell("docker build -t shop ."),
            shell("docker build --pull ."),
        ),
        (
            shell("make deploy"),
            "run the lint target before deploy, always",
            "ship it",
            shell("make deploy"),
            shell("make lint && make deploy"),
        ),
        (
            shell("python -m unittest discover"),
            "we run tests with pytest here, not unittest",
            "run the tests",
            shell("python -m unittest tests.test_parser"),
            shell("python -m pytest"),
        ),
        (
            edit("src/app.py", "print('sent')\n"),
            "no print, take the logger",
            "say when the mail left",
            edit("src/mail.py", "print('failed')\n"),
            edit("src/mail.py", "logger.warning('failed')\n"),
        ),
        (
            edit("web/page.go", "    greeting := 1\n"),
            "tabs in this codebase, never blanks",
            "greet the visitor",
            edit("web/feed.go", "    latest := 2\n"),
            edit("web/feed.go", "\tlatest := 2\n"),
        ),
    ],
)
def test_what_is_done_again_and_what_is_done_as_said(
    corrected: Act, words: str, task: str, again: Act, right: Act
) -> None:
    assert repeats(again, corrected, words, task)
    assert not follows(again, corrected, words, task)
    assert not repeats(right, corrected, words, task)
    assert follows(right, corrected, words, task)


@pytest.mark.parametrize(
    ("corrected", "words", "again", "other"),
    [
        (
            shell("git push origin main"),
            "never push to main",
            shell("git push --tags origin main"),
            shell("git push origin fix-rounding"),
        ),
        (
            edit("tests/test_pay.py", "from unittest.mock import patch\n"),
            "no mocks in our tests, ever",
            edit("tests/test_refund.py", "import mock\n"),
            edit("tests/test_refund.py", "from gateway import Standin\n"),
        ),
    ],
)
def test_what_every_such_call_has_tells_none_from_another(corrected: Act, words: str, again: Act, other: Act) -> None:
    assert repeats(again, corrected, words, "")
    assert not repeats(other, corrected, words, "")


def test_another_command_is_neither() -> None:
    corrected, other = shell("rsync -a a b"), shell("ls -l")
    assert not repeats(other, corrected, "never rsync here, make publish", "deploy")
    assert not follows(other, corrected, "never rsync here, make publish", "deploy")


def test_a_read_repeats_nothing() -> None:
    looked = Act(READ, "Read", path="src/app.py")
    assert not repeats(looked, looked, "do not look there", "")
