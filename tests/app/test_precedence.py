"""Who reads the whole history stands still while a hook's question is answered."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hivemind_cli.app import Hivemind, precedence
from hivemind_cli.app.answering import Answering
from hivemind_cli.app.precedence import Precedence
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from tests.app.skill_files import skill_file, teach


def test_it_waits_until_nobody_asks() -> None:
    one = Precedence()
    one.give_way()
    passed = threading.Event()

    def works() -> None:
        one.give_way()
        passed.set()

    with one.question(), one.question():
        worker = threading.Thread(target=works)
        worker.start()
        assert not passed.wait(0.02)
    assert passed.wait(5)
    worker.join()


def test_questions_without_end_do_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "PAUSE_S", 0.01)
    one = Precedence()
    with one.question():
        one.give_way()


def test_a_question_that_fails_is_over() -> None:
    one = Precedence()
    with pytest.raises(ValueError, match="no"), one.question():
        raise ValueError("no")
    one.give_way()


def test_the_owner_asks_for_it_at_each_moment_of_a_backtest_and_at_each_answer(
    paths: Paths, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    @contextmanager
    def question(_self: Precedence) -> Iterator[None]:
        seen.append("question")
        yield
        seen.append("answered")

    def answer(_self: Answering, name: str) -> bytes:
        seen.append(name)
        return b""

    monkeypatch.setattr(Precedence, "give_way", lambda _self: seen.append("gives way"))
    monkeypatch.setattr(Precedence, "question", question)
    monkeypatch.setattr(Answering, "answer", answer)
    with closing(Hivemind.own(paths, Config(), env={})) as hive:
        teach(hive, tree)
        assert skill_file(tree).is_file()
        assert len(seen) > 1 and set(seen) == {"gives way"}
        hive.answer("asked")
    assert seen[-3:] == ["question", "asked", "answered"]
