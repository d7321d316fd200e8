"""A model is asked by the daemon after a session's end or many turns, and never while an agent waits for its hook."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.core.config import CodifyConfig, Config, LLMConfig, RecallConfig
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import SkillRevision
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.test_owned import Agent

CONFIG = Config(
    recall=RecallConfig(deadline_ms=10_000, deadline_start_ms=10_000),
    codify=CodifyConfig(every_n_turns=3),
    llm=LLMConfig(judge_calls_day_max=0),
)


class Waits(Scripted):
    """Answers nothing of use, and not before it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()
        self.threads: set[str] = set()

    def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        self.threads.add(threading.current_thread().name)
        assert self.may_answer.wait(20)
        raise ProviderError("no answer")


@pytest.fixture
def model() -> Waits:
    return Waits()


@pytest.fixture
def owner(model: Waits, own_home: Path) -> Iterator[OwnedHivemind]:
    paths = Paths(root=own_home / ".hivemind", home=own_home)
    owned = OwnedHivemind(
        paths=paths, config=CONFIG, store=InMemoryStore(), sidecars=Sidecars(InMemoryIndex()), provider=model
    )
    yield owned
    model.may_answer.set()
    owned.close()


@pytest.fixture
def agent(owner: OwnedHivemind, tmp_path: Path) -> Agent:
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    (tmp_path / "shop" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return Agent(owner, tmp_path / "shop")


def work(owner: OwnedHivemind) -> None:
    while owner.drain() or owner.work():
        pass


def test_while_the_session_goes_on_no_model_is_asked(agent: Agent, owner: OwnedHivemind, model: Waits) -> None:
    agent.is_corrected()
    work(owner)
    agent.calls("monday", "make publish", 2)
    work(owner)
    assert model.requests == []


def test_after_its_end_the_daemon_asks_and_hooks_are_answered_meanwhile(
    agent: Agent, owner: OwnedHivemind, model: Waits
) -> None:
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    work(owner)
    answer = agent.asks("UserPromptSubmit", "tuesday", prompt="deploy the docs site", prompt_id="9")
    assert "make publish" in str(answer)  # the memo: the model still thinks
    assert owner.store.count(SkillRevision) == 0
    model.may_answer.set()
    owner.settle()
    assert owner.store.count(SkillRevision) == 1
    assert model.threads and all(name.startswith("codify") for name in model.threads)


def test_after_so_many_turns_it_asks_without_an_end(agent: Agent, owner: OwnedHivemind, model: Waits) -> None:
    model.may_answer.set()
    agent.is_corrected()
    for n in range(3):
        assert model.requests == []
        work(owner)
        agent.drop("UserPromptSubmit", "monday", prompt=f"and now part {n} of the page", prompt_id=f"1{n}")
    work(owner)
    owner.settle()
    assert owner.store.count(SkillRevision) == 1
