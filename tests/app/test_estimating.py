"""What `skillify run --dry-run` says, against what the run then does; and that it leaves no trace."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.core.clock import system_clock
from hivemind_cli.core.config import Config, LLMConfig
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import RECORD_TYPES, Correction, GateSkip, LLMCall, SkillRevision
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.llm.base import Request
from hivemind_cli.llm.meter import Metered
from hivemind_cli.llm.prices import price_of
from hivemind_cli.llm.scripted import Answer, Scripted
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.talk import Talk
from tests.storage.samples import event
from tests.storage.told import correction

NOW = datetime.now(UTC) - timedelta(minutes=1)
CONFIG = Config(llm=LLMConfig(allow=True, judge_calls_day_max=0))


def lesson(number: int, quote: str, command: str, **changes: Any) -> Correction:
    act = {"kind": "shell", "tool": "Bash", "command": command}
    known = {"quote": quote, "task": f"do thing {number}", "act": act, "durable": True}
    return correction(number, f"s{number}", NOW, **(known | changes))


@pytest.fixture
def store() -> InMemoryStore:
    """Two lessons (one of them given twice), a third of an imported session, and what the gate lets not through."""
    store = InMemoryStore()
    store.append([event(9, "old", id="e9", source="import", payload={"text": "x"})])
    store.append(
        [
            lesson(1, "never npm here, add packages with pnpm", "npm install left-pad", recurrence_key="npm"),
            lesson(2, "again: pnpm, not npm", "npm install moment", recurrence_key="npm"),
            lesson(3, "always run the tests with make check", "pytest -q"),
            lesson(9, "tag releases with a v in front", "git tag 1.2.0"),
            lesson(4, "not that one", "rm notes.txt", durable=False),
        ]
    )
    return store


@pytest.fixture
def owned(paths: Paths, store: InMemoryStore) -> Iterator[OwnedHivemind]:
    metered = Metered(
        Scripted([ProviderError("no")] * 9), store, CONFIG.llm, system_clock, model="haiku", price=price_of("haiku")
    )
    owner = OwnedHivemind(paths=paths, config=CONFIG, store=store, sidecars=Sidecars(InMemoryIndex()), provider=metered)
    yield owner
    owner.close()


@pytest.fixture
def paths() -> Paths:
    return Paths.from_env(os.environ)


def _all(store: InMemoryStore) -> dict[str, int]:
    return {kind.__name__: store.count(kind) for kind in RECORD_TYPES}


def test_a_dry_run_counts_what_the_run_makes_and_leaves_no_trace(owned: OwnedHivemind, store: InMemoryStore) -> None:
    before = _all(store)
    plan = owned.call("codify", {"dry_run": True})
    assert _all(store) == before and store.cursor("codify") == store.cursor("codify_history") == 0
    lessons = {(one["quote"], one["corrections"], one["imported"]) for one in plan["lessons"]}
    assert lessons == {
        ("again: pnpm, not npm", 2, False),
        ("always run the tests with make check", 1, False),
        ("tag releases with a v in front", 1, True),
    }
    assert sum(plan["skipped"].values()) == 1
    assert (plan["provider"], plan["model"], plan["calls"], plan["judged"]) == ("scripted", "haiku", 6, 0)
    assert plan["tokens_in"] > 1000 and 0 < plan["cost_usd"] < plan["cost_usd_max"] < 0.2
    assert (plan["usd_left"], plan["calls_left"], plan["pause"]) == (0.25, 50, "")
    done = owned.call("codify", {})
    assert done["revisions"] == len(lessons) == store.count(SkillRevision)
    assert store.count(GateSkip) == done["skipped"] == 1
    again = owned.call("codify", {"dry_run": True})
    assert (again["lessons"], again["calls"], again["cost_usd"]) == ((), 0, 0)


def test_a_dry_run_knows_what_was_said_a_moment_ago(paths: Paths, tree: Path) -> None:
    store = InMemoryStore()
    owner = OwnedHivemind(paths=paths, config=CONFIG, store=store, sidecars=Sidecars(InMemoryIndex()))
    talk = Talk(paths, tree)
    talk.says("add left-pad")
    talk.runs("npm install left-pad")
    talk.replies()
    talk.says("no, we use pnpm here, never npm")
    talk.ends()
    plan = owner.call("codify", {"dry_run": True})
    assert [one["quote"] for one in plan["lessons"]] == ["no, we use pnpm here, never npm"]
    assert store.count(SkillRevision) == 0
    owner.close()


def test_a_provider_that_rests_is_told_and_asked_again_when_a_person_says_so(
    owned: OwnedHivemind, store: InMemoryStore
) -> None:
    done = owned.call("codify", {})
    assert store.count(LLMCall) == 3 and "3 calls failed in a row" in done["pause"]
    assert "3 calls failed in a row" in owned.call("codify", {"dry_run": True})["pause"]
    store.append([lesson(20, "log in UTC always", "date +%s")])
    owned.call("codify", {})
    assert store.count(LLMCall) == 3
    store.append([lesson(21, "write dates as ISO 8601, always", "date -R")])
    owned.call("codify", {"retry": True})
    assert store.count(LLMCall) == 4


def test_without_a_model_the_lessons_are_told_and_cost_nothing(paths: Paths, store: InMemoryStore) -> None:
    owner = OwnedHivemind(paths=paths, config=replace(CONFIG), store=store, sidecars=Sidecars(InMemoryIndex()))
    plan = owner.call("codify", {"dry_run": True})
    assert (len(plan["lessons"]), plan["provider"], plan["calls"], plan["cost_usd"]) == (3, "", 0, 0)
    owner.close()


def test_a_run_beside_the_daemons_own_asks_nothing_twice(paths: Paths, store: InMemoryStore) -> None:
    both = threading.Barrier(2, timeout=0.3)

    def slow(request: Request) -> Answer:
        with suppress(threading.BrokenBarrierError):
            both.wait()
        return ProviderError("no")

    script = Scripted([slow] * 9)
    metered = Metered(script, store, CONFIG.llm, system_clock, model="haiku", price=price_of("haiku"))
    owner = OwnedHivemind(paths=paths, config=CONFIG, store=store, sidecars=Sidecars(InMemoryIndex()), provider=metered)
    threads = [threading.Thread(target=owner.codify) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(script.requests) == 2 == store.count(SkillRevision)
    owner.close()
