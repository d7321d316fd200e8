"""What a skill would have done in the past: counted over all of it, told in a sentence, and weighed."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from hivemind_cli.core.records import CorrectionKind, Event, Judgement, SaidKind, Scope
from hivemind_cli.pipeline.codify import backtest as room
from hivemind_cli.pipeline.codify.backtest import SAMPLE_MAX, backtest, nuisance, worded
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.past import Past, matcher_of, skill_of
from tests.pipeline.session import START


def figures(past: Past, *evidence: Any, **changes: Any) -> dict[str, Any]:
    revision = skill_of(*evidence, **changes)
    return dict(backtest(revision, past.store, matcher_of(revision, past.store)).figures)


@pytest.fixture
def past() -> Past:
    return Past(InMemoryStore())


def later(past: Past, session_id: str, **more: Any) -> Past:
    return Past(past.store, session_id, at=past.at + timedelta(hours=1), **more)


class TestCounting:
    def test_its_own_mistake_and_an_earlier_one_are_told_apart_from_what_is_clean(self, past: Past) -> None:
        past.goes_wrong()  # task, call: the same mistake, before there was a skill
        again = later(past, "s2")
        again.works(8)
        own = again.goes_wrong(task="make the archive for the release")
        third = later(again, "s3")
        third.says("build the release archive once more")  # nothing was the matter
        third.runs("scons archive --fast --slow")
        told = figures(past, own)
        assert (told["prompts"], told["calls"]) == (11, 11)  # the two corrections themselves are no moments
        assert (told["fired"], told["before"], told["own"], told["clean"]) == (6, 4, 2, 2)
        assert (told["clean_prompts"], told["clean_calls"], told["again"]) == (1, 0, 1)
        assert told["fired"] == told["before"] + told["clean"]
        assert told["since"] < told["until"] <= past.store.find(Event)[-1].record.occurred_at.isoformat()

    def test_only_a_few_turns_before_the_correction_count_as_before_it(self, past: Past) -> None:
        past.says("build the release archive")
        past.works(3)
        own = past.goes_wrong(task="")
        told = figures(past, own)
        assert (told["before"], told["clean_prompts"]) == (1, 1)

    def test_what_comes_after_the_correction_is_not_before_it(self, past: Past) -> None:
        own = past.goes_wrong()
        past.runs("scons archive --fast")
        told = figures(past, own)
        assert (told["before"], told["again"]) == (2, 1)

    def test_another_mistake_does_not_count_for_this_one(self, past: Past) -> None:
        own = past.goes_wrong()
        other = later(past, "s2")
        other.goes_wrong(recurrence_key="lesson|another", quote="ask me before that")
        told = figures(past, own)
        assert (told["before"], told["own"], told["clean"]) == (2, 2, 2)

    def test_what_was_judged_no_correction_counts_for_nothing(self, past: Past) -> None:
        own = past.goes_wrong()
        none = later(past, "s2").goes_wrong()
        past.store.append(
            [
                Judgement(
                    id="j",
                    workspace_id="default",
                    project_id="p1",
                    host="claude",
                    session_id="s2",
                    occurred_at=none.occurred_at,
                    event_id=none.reaction_event_id,
                    by="person",
                    said=SaidKind.NEW_REQUEST,
                )
            ]
        )
        assert figures(past, own)["before"] == 2

    def test_a_retry_is_no_correction(self, past: Past) -> None:
        own = past.goes_wrong()
        later(past, "s2").goes_wrong(kind=CorrectionKind.TOOL_RETRY)
        assert figures(past, own)["before"] == 2

    def test_a_projects_skill_is_matched_with_its_project_and_a_persons_with_all(self, past: Past) -> None:
        own = past.goes_wrong()
        elsewhere = later(past, "s2", project="p2")
        elsewhere.goes_wrong()
        elsewhere.works(5)
        assert figures(past, own)["prompts"] == 1
        everywhere = figures(past, own, scope=Scope.USER)
        assert (everywhere["prompts"], everywhere["calls"], everywhere["before"]) == (7, 7, 4)

    def test_another_persons_past_is_not_looked_at(self, past: Past) -> None:
        own = past.goes_wrong()
        stranger = InMemoryStore()
        Past(stranger, "s2", at=START + timedelta(days=1)).works(5)
        past.store.append([replace(row.record, author="bob") for row in stranger.find(Event)])
        assert figures(past, own)["prompts"] == 1

    def test_no_history_is_no_fault(self) -> None:
        past = Past(InMemoryStore())
        own = past.goes_wrong()
        empty = InMemoryStore()
        empty.append([own])
        revision = skill_of(own)
        found = backtest(revision, empty, matcher_of(revision, empty))
        assert (found.figures["prompts"], found.figures["fired"], found.prompts, found.calls) == (0, 0, (), ())
        assert "since" not in found.figures

    def test_it_says_the_same_however_the_history_is_read(self, past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
        past.works(30)
        own = past.goes_wrong()
        revision = skill_of(own)
        whole = backtest(revision, past.store, matcher_of(revision, past.store))
        monkeypatch.setattr(room, "CHUNK", 7)
        assert backtest(revision, past.store, matcher_of(revision, past.store)) == whole


class TestSample:
    def test_clean_moments_are_far_from_the_mistake_and_say_different_things(self, past: Past) -> None:
        past.works(2)
        own = past.goes_wrong()
        past.works(2)
        clean = later(past, "s2")
        for _ in range(3):
            clean.says("go on")
            clean.runs("ls")
        clean.says("build the release archive")  # word for word the task of the mistake
        revision = skill_of(own)
        found = backtest(revision, past.store, matcher_of(revision, past.store))
        texts = [past.store.find(Event, id=id)[0].record.payload["text"] for id in found.prompts]
        assert texts == ["go on"]
        assert len(found.calls) == 1

    def test_a_long_history_is_sampled_evenly_and_always_alike(self, past: Past) -> None:
        own = past.goes_wrong()
        long = later(past, "s2")
        long.works(600)
        revision = skill_of(own)
        found = backtest(revision, past.store, matcher_of(revision, past.store))
        assert len(found.prompts) == SAMPLE_MAX
        turns = [past.store.find(Event, id=id)[0].record.turn for id in found.prompts]
        assert turns == sorted(set(turns))
        gaps = [b - a for a, b in pairwise(turns)]
        assert max(gaps) <= 3 * min(gaps) and turns[0] < 50 and turns[-1] > 550
        assert backtest(revision, past.store, matcher_of(revision, past.store)) == found


class TestWeighing:
    @pytest.mark.parametrize(
        ("told", "waits"),
        [
            ({"prompts": 10, "clean_prompts": 3, "before": 1}, False),  # a short history proves nothing
            ({"prompts": 100, "clean_prompts": 40, "before": 1}, True),
            ({"prompts": 100, "clean_prompts": 40, "before": 30}, True),  # right at times, but heard all the time
            ({"prompts": 3400, "calls": 9000, "clean_prompts": 9, "before": 3}, False),
            ({"prompts": 1000, "clean_prompts": 100, "before": 2}, True),  # one in ten, and nearly always in vain
            ({"prompts": 1000, "clean_prompts": 100, "before": 30}, False),
            ({"calls": 1000, "clean_calls": 300, "before": 5}, True),
            ({"calls": 1000, "again": 900, "before": 1}, False),  # the same act: nobody may have looked
            ({}, False),
        ],
    )
    def test_what_speaks_too_often_waits_for_a_person(self, told: dict[str, int], waits: bool) -> None:
        assert bool(nuisance(told)) is waits

    def test_figures_are_told_in_one_sentence(self) -> None:
        told = {"prompts": 3400, "calls": 9000, "fired": 12, "before": 3, "own": 0, "clean": 9, "again": 0}
        assert worded(told) == (
            "Would have fired 12 times in 3,400 prompts and 9,000 calls: "
            "3 just before this same mistake, 9 on clean moments."
        )
        assert worded({**told, "own": 2, "again": 4}).endswith(
            "3 just before this same mistake (2 of them its own evidence), "
            "9 on clean moments (4 of them the same act, which nobody put right)."
        )
        assert worded({"prompts": 1, "calls": 0, "fired": 1, "before": 1}).startswith(
            "Would have fired 1 time in 1 prompt and 0 calls: 1 just before"
        )
        assert worded({"prompts": 5, "calls": 1}) == "Would never have fired in 5 prompts and 1 call."
        assert worded({"prompts": 0}) == "There was no history to try it on."
        assert worded({}) == ""


def test_key_less_corrections_rest_on_themselves(past: Past) -> None:
    own = past.goes_wrong(recurrence_key="")
    later(past, "s2").goes_wrong(recurrence_key="")
    assert figures(past, own)["before"] == 2
