"""The judge in the owner, whole: a candidate that a model confirms is recalled and becomes a skill; or does not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.judging import describe
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.core.clock import system_clock
from hivemind_cli.core.config import Config, LLMConfig, RecallConfig
from hivemind_cli.core.errors import HivemindError, ProviderError, ProviderUnavailable
from hivemind_cli.core.fence import OPEN
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, Event, Judgement, LLMCall, SaidKind, SkillRevision
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.llm import Setting
from hivemind_cli.llm.base import Request
from hivemind_cli.llm.meter import Metered
from hivemind_cli.llm.prices import DEAREST, priced
from hivemind_cli.llm.scripted import Answer, Scripted
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.detect import turn_at
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.talk import Talk

CONFIG = Config(llm=LLMConfig(allow=True), recall=RecallConfig(deadline_ms=10_000, deadline_start_ms=10_000))
OFF = Config(llm=LLMConfig(allow=True, judge_calls_day_max=0))
WORDS = "hm, make publish it is in this place"


def says(kind: str, durable: str = "yes") -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        turns = json.loads(request.prompt)["turns"]
        return {"turns": [{"id": one["id"], "kind": kind, "durable": durable, "reason": "so"} for one in turns]}

    return answer


class Told:
    """An owner whose model plays a script, and a session in which the detector was not sure of the last words."""

    def __init__(self, paths: Paths, tree: Path, *answers: Any, config: Config = CONFIG) -> None:
        self.tree = tree
        self.store = InMemoryStore()
        self.script = Scripted(answers)
        self.paths, self.config = paths, config
        self.owner = self.opened()
        talk = Talk(paths, tree, "monday")
        talk.says("deploy the docs site")
        talk.runs("rsync -a site/ host:/srv")
        talk.replies("Done.")
        talk.says(WORDS)
        while self.owner.drain():
            pass
        words = next(row.record for row in self.store.find(Event) if row.record.payload.get("text") == WORDS)
        turn = turn_at(words.id, self.store)
        assert turn
        # What detect will find there has the same id, and so this is what counts, whatever it would say.
        candidate = replace(turn.read, confidence=judged.PASS_MIN, durable=None)
        self.store.append(self.owner.detecting.keyed([candidate], self.store))
        talk.ends()

    def opened(self) -> OwnedHivemind:
        metered = Metered(self.script, self.store, self.config.llm, system_clock, sleep=lambda _: None)
        return OwnedHivemind(
            paths=self.paths, config=self.config, store=self.store, sidecars=Sidecars(InMemoryIndex()), provider=metered
        )

    def settled(self) -> "Told":
        self.owner.settle()
        return self

    def memos(self) -> list[str]:
        return [document.rule for document in self.owner.index.all() if document.kind == "memo"]

    def skills(self) -> list[str]:
        return [path.read_text("utf-8") for path in self.tree.glob(".claude/skills/*/SKILL.md")]

    def nothing_came_of_it(self) -> bool:
        learned = self.store.count(SkillRevision) + len(self.owner.index.all())
        return not learned and not self.skills()

    def judgements(self) -> list[SaidKind]:
        return [row.record.said for row in self.store.find(Judgement)]

    def receipts(self) -> list[str]:
        return [row.record.result for row in self.store.find(LLMCall, purpose="judge")]


@pytest.fixture
def told(paths: Paths, tree: Path) -> Iterator[Callable[..., Told]]:
    made: list[Told] = []

    def make(*answers: Any, config: Config = CONFIG) -> Told:
        made.append(Told(paths, tree, *answers, config=config))
        return made[-1]

    yield make
    for one in made:
        one.owner.close()


def test_what_nobody_confirms_is_neither_recalled_nor_codified(told: Callable[..., Told]) -> None:
    quiet = told(config=OFF).settled()
    assert quiet.nothing_came_of_it()
    assert quiet.receipts() == []


def test_what_the_judge_confirms_becomes_a_skill_that_is_recalled(told: Callable[..., Told]) -> None:
    confirmed = told(says("correction")).settled()
    assert confirmed.judgements() == [SaidKind.CORRECTION]
    (skill,) = confirmed.skills()
    assert "make publish" in skill
    talk = Talk(confirmed.paths, confirmed.tree, "tuesday")
    assert b"make publish" in confirmed.owner.answer(talk.says("deploy the docs site, please"))


def test_what_it_confirms_without_saying_that_it_lasts_is_a_memo(told: Callable[..., Told]) -> None:
    confirmed = told(says("correction", "unknown")).settled()
    assert confirmed.memos() == [WORDS]
    assert confirmed.skills() == []
    talk = Talk(confirmed.paths, confirmed.tree, "tuesday")
    assert OPEN.encode() in confirmed.owner.answer(talk.says("deploy the docs site, please"))


@pytest.mark.parametrize("kind", ["approval", "failure_report", "unknown"])
def test_what_it_does_not_confirm_stays_nothing(told: Callable[..., Told], kind: str) -> None:
    refused = told(says(kind)).settled()
    assert refused.judgements() == [SaidKind(kind)]
    assert refused.nothing_came_of_it()


@pytest.mark.parametrize(
    "answer",
    [
        ProviderUnavailable("Timed out."),
        ProviderError("Refused."),
        RuntimeError("bug"),
        "Yes!",
        {"turns": []},
        {"x": 1},
    ],
    ids=["away", "refused", "bug", "no JSON", "empty", "wrong form"],
)
def test_a_failed_call_is_neither_a_yes_nor_a_no(told: Callable[..., Told], answer: Any) -> None:
    failed = told(answer, answer).settled()
    assert failed.judgements() == []
    assert failed.nothing_came_of_it()
    assert failed.receipts()
    failed.script._answers[:] = [says("correction")]
    assert failed.owner.call("judge", {"limit": 10})["judged"] == 1
    failed.owner.call("codify", {})
    assert len(failed.skills()) == 1


def test_a_cap_that_is_reached_waits_for_another_day(told: Callable[..., Told]) -> None:
    capped = told(says("correction"), config=Config(llm=LLMConfig(allow=True, calls_day_max=0))).settled()
    assert capped.nothing_came_of_it()
    assert capped.script.requests == []
    assert capped.owner.sidecars.settle(10)
    assert not capped.owner.busy()


def test_a_daemon_that_died_between_call_and_commit_asks_once_more(told: Callable[..., Told]) -> None:
    died = told(says("correction"), says("correction"))
    commit = died.store.commit

    class Killed(BaseException):
        pass

    def dies(stage: str, outputs: Any, **cursors: int) -> int:
        if stage.startswith("judge") and outputs:
            raise Killed
        return commit(stage, outputs, **cursors)

    assert died.owner.judge
    died.store.commit = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        died.owner.judge.run(died.store)
    died.store.commit = commit  # type: ignore[method-assign]
    died.owner.close()
    died.store._closed = False
    died.owner = died.opened()
    died.settled()
    assert died.judgements() == [SaidKind.CORRECTION]
    assert len(died.receipts()) == 2
    assert len(died.skills()) == 1


def test_a_person_says_no_and_the_skill_is_gone_at_once_and_for_good(told: Callable[..., Told]) -> None:
    confirmed = told(says("correction")).settled()
    (candidate,) = confirmed.store.find(Correction)
    event_id = candidate.record.reaction_event_id
    confirmed.owner.call("label.set", {"event_id": event_id, "said": "approval"})
    while confirmed.owner.work():
        pass
    assert confirmed.skills() == []
    assert confirmed.owner.index.all() == []
    confirmed.owner.reindex()
    assert confirmed.owner.index.all() == []
    confirmed.owner.call("label.set", {"event_id": event_id, "said": "unknown", "reason": judged.TAKEN_BACK})
    while confirmed.owner.work():
        pass
    assert len(confirmed.skills()) == 1


def test_a_label_makes_a_memo_where_nothing_was_noticed(told: Callable[..., Told]) -> None:
    quiet = told(config=OFF).settled()
    talk = Talk(quiet.paths, quiet.tree, "tuesday")
    talk.says("deploy the docs site")
    talk.runs("rsync -a site/ host:/srv")
    talk.replies()
    talk.says("and then the page after that one, too")
    quiet.settled()
    words = quiet.store.find(Event, session_id="tuesday", kind="prompt")[-1].record
    assert quiet.memos() == []
    quiet.owner.call("label.set", {"event_id": words.id, "said": "correction"})
    quiet.owner.work()
    assert quiet.memos() == ["and then the page after that one, too"]


def test_who_looks_for_work_for_the_judge_does_not_codify_a_session_that_goes_on(paths: Paths, tree: Path) -> None:
    talk, store, script = Talk(paths, tree), InMemoryStore(), Scripted([])
    metered = Metered(script, store, CONFIG.llm, system_clock, sleep=lambda _: None)
    talk.starts()
    talk.says("add left-pad")
    talk.runs("npm install left-pad")
    talk.replies()
    talk.says("no, we use pnpm here, never npm")
    owner = OwnedHivemind(paths=paths, config=CONFIG, store=store, sidecars=Sidecars(InMemoryIndex()), provider=metered)
    try:
        owner.settle(20)
        assert store.count(Correction) == 1 and script.requests == [] and not store.count(SkillRevision)
        talk.ends()
        owner.settle(20)
        assert store.count(SkillRevision) == 1
    finally:
        owner.close()


def test_a_dry_run_says_what_it_takes_and_asks_nobody(told: Callable[..., Told]) -> None:
    waiting = told(says("correction"))
    found = waiting.owner.call("judge", {"dry_run": True, "limit": 10})
    assert (found["turns"], found["calls"], found["provider"]) == (1, 1, "scripted")
    priced_as_run = round(priced(DEAREST, found["tokens_in"], found["tokens_out"]), 4)
    assert found["tokens_in"] > 100 and 0 < found["cost_usd"] == priced_as_run
    assert waiting.script.requests == []


def test_without_a_model_the_command_says_what_is_missing(paths: Paths) -> None:
    for llm, fix in (
        (LLMConfig(), "llm.allow true"),
        (LLMConfig(allow=True), "hivemind status"),
        (LLMConfig(judge_calls_day_max=0), "judge_calls_day_max"),
    ):
        owner = OwnedHivemind(
            paths=paths, config=Config(llm=llm), store=InMemoryStore(), sidecars=Sidecars(InMemoryIndex())
        )
        with pytest.raises(HivemindError) as caught:
            owner.call("judge", {})
        assert fix in caught.value.fix
        owner.close()


def test_status_says_whether_it_is_on_and_why(paths: Paths) -> None:
    def told_by(**llm: Any) -> str:
        key = {"ANTHROPIC_API_KEY": "x"}
        setting = Setting(config=LLMConfig(**llm), env=key, work=paths.work, commands={})
        return describe(setting, InMemoryStore(), datetime.now(UTC))

    assert told_by().startswith("off: no model may be asked") and "llm.allow true" in told_by()
    assert told_by(allow=True, judge_calls_day_max=0).startswith("off: `llm.judge_calls_day_max` is 0")
    assert "0 of 20 calls today" in told_by(allow=True, provider="anthropic")


def test_a_verb_with_nonsense_is_refused(told: Callable[..., Told]) -> None:
    quiet = told()
    event_id = quiet.store.find(Correction)[0].record.reaction_event_id
    with pytest.raises(HivemindError, match="no kind 'maybe'"):
        quiet.owner.call("label.set", {"event_id": event_id, "said": "maybe"})
