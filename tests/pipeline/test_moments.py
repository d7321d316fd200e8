"""A skill's tests: made of ids alone, run with the matcher, and what a revision that fails them becomes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hivemind_cli.core.acts import READ, Act
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import Correction, Event, Notice, SkillCheck, SkillRevision, SkillState, Tombstone
from hivemind_cli.pipeline.codify import Codify
from hivemind_cli.pipeline.codify.moments import CORRECTIONS_MAX, FIRE, SILENT
from hivemind_cli.pipeline.codify.trial import Trials
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.past import Past, skill_of


@pytest.fixture
def past() -> Past:
    return Past(InMemoryStore())


def tried(past: Past, *evidence: Correction, **changes: Any) -> SkillRevision:
    return Trials(past.store, 0.3).tried(skill_of(*evidence, **changes)).revision


def of(revision: SkillRevision, expect: str) -> list[tuple[str, str]]:
    return [(one["at"], one["id"]) for one in revision.moments if one["expect"] == expect]


def codified(past: Past) -> tuple[SkillRevision, SkillCheck]:
    outputs = Codify().step(past.store.find(Correction), past.store)
    past.store.append(outputs)
    (revision,) = [one for one in outputs if isinstance(one, SkillRevision)]
    (check,) = [one for one in outputs if isinstance(one, SkillCheck)]
    return revision, check


class TestMaking:
    def test_they_are_the_moments_before_its_mistakes_and_clean_ones_of_the_same_person(self, past: Past) -> None:
        past.works(12)
        one, two = past.goes_wrong(), past.goes_wrong(command="", task="archive the release")
        revision = tried(past, one, two)
        assert of(revision, FIRE) == [("prompt", one.id), ("tool_call", one.id), ("prompt", two.id)]
        silent = of(revision, SILENT)
        assert {at for at, _ in silent} == {"prompt", "tool_call"}
        stored = {row.record.id: row.record for row in past.store.find(Event)}
        assert all(stored[id].kind.value == at and stored[id].turn <= 8 for at, id in silent)

    def test_no_words_are_kept_with_them(self, past: Past) -> None:
        past.works(12)
        revision = tried(past, past.goes_wrong())
        assert revision.moments
        assert all(set(one) == {"expect", "at", "id"} and " " not in "".join(one.values()) for one in revision.moments)

    def test_only_the_newest_of_many_corrections_are_tests(self, past: Past) -> None:
        evidence = [past.goes_wrong(command="", task=f"build archive {n}") for n in range(CORRECTIONS_MAX + 5)]
        revision = tried(past, *evidence)
        assert [id for _, id in of(revision, FIRE)] == [one.id for one in evidence[-CORRECTIONS_MAX:]]

    def test_a_task_that_held_a_secret_is_no_test(self, past: Past) -> None:
        one, two = past.goes_wrong(), past.goes_wrong(command="", task="archive it with [redacted:token]")
        revision = tried(past, one, two)
        assert [id for _, id in of(revision, FIRE)] == [one.id, one.id]
        assert Trials(past.store, 0.3).tested(revision)[0].passed

    def test_a_persons_own_words_keep_the_moments_they_had(self, past: Past) -> None:
        past.works(12)
        first = tried(past, past.goes_wrong())
        own = replace(
            first,
            version=2,
            drafter="person",
            body="mine",
            acts=(),
            lines=tuple(replace(one, correction_ids=()) for one in first.lines),
        )
        assert of(Trials(past.store, 0.3).tried(own).revision, FIRE) == of(first, FIRE)


class TestRunning:
    def test_a_good_skill_fires_before_its_mistakes_and_nowhere_else(self, past: Past) -> None:
        past.works(30)
        revision = tried(past, past.goes_wrong(), past.goes_wrong(task="archive the release"))
        came, check = Trials(past.store, 0.3, "mini").tested(revision)
        assert (came.fires, came.mistakes, came.passed, came.fault) == (2, 2, True, "")
        assert came.silent == came.clean == len(of(revision, SILENT)) > 20
        assert (check.kind, check.version, check.passed, check.skill_id) == ("moments", 1, True, revision.skill_id)
        assert "mini" in check.matcher and check.figures["fires"] == 2

    def test_one_moment_before_a_mistake_is_enough(self, past: Past) -> None:
        one = past.goes_wrong(task="do what we said")
        revision = replace(tried(past, one), tasks=(), trigger="", drafter="person")
        came, _ = Trials(past.store, 0.3).tested(revision)
        assert (came.fires, came.mistakes) == (1, 1)

    def test_a_mistake_it_is_silent_before_is_named_with_its_words(self, past: Past) -> None:
        one = past.goes_wrong(command="", task="polish the brass lantern")
        two = past.goes_wrong()
        revision = replace(tried(past, one, two), tasks=(two.task,))
        came, check = Trials(past.store, 0.3).tested(revision)
        assert (came.fires, came.mistakes, came.passed) == (1, 2, False)
        assert [(each.id, each.beginning) for each in came.missing] == [(one.id, "polish the brass lantern")]
        assert "1 of its 2 corrections" in check.reason
        assert "lantern" not in str(check)

    def test_the_corrected_act_made_again_proves_neither(self, past: Past) -> None:
        past.works(12)
        one = past.goes_wrong()
        past.works(6)
        for n in range(20):
            past.runs(f"scons archive --fast --jobs {n}")
        revision = tried(past, one)
        came, _ = Trials(past.store, 0.3).tested(revision)
        assert came.again >= 10 and came.passed and not came.misfires

    def test_what_was_pruned_is_gone_and_does_not_count(self, past: Past) -> None:
        other = Past(past.store, "s2")
        other.works(12)
        one = past.goes_wrong()
        revision = tried(past, one)
        before, _ = Trials(past.store, 0.3).tested(revision)
        tombstone = Tombstone(
            id=derived_id(past.at, "t"), workspace_id="default", host="claude", session_id="s2", occurred_at=past.at
        )
        past.store.prune("claude", "s2", tombstone)
        after, _ = Trials(past.store, 0.3).tested(revision)
        assert (after.gone, after.clean, after.passed) == (before.clean, 0, True)
        assert (after.fires, after.mistakes) == (1, 1)

    def test_nothing_left_to_test_with_is_neither_pass_nor_failure(self, past: Past) -> None:
        revision = tried(past, past.goes_wrong())
        came, check = Trials(InMemoryStore(), 0.3).tested(revision)
        assert (came.passed, check.passed, came.gone) == (None, None, 2)

    def test_a_skill_of_an_earlier_release_is_tested_with_its_corrections(self, past: Past) -> None:
        came, _ = Trials(past.store, 0.3).tested(skill_of(past.goes_wrong()))
        assert (came.fires, came.mistakes, came.clean) == (1, 1, 0)

    def test_a_read_that_was_corrected_says_its_task(self, past: Past) -> None:
        act = Act(READ, "Read", path="old/notes.md").as_json()
        came, _ = Trials(past.store, 0.3).tested(skill_of(past.goes_wrong(act=act)))
        assert came.passed


class TestGate:
    def test_what_goes_live_carries_its_tests_and_its_backtest(self, past: Past) -> None:
        past.works(12)
        past.goes_wrong()
        revision, check = codified(past)
        assert revision.state is SkillState.LIVE
        assert revision.moments and revision.backtest["own"] == 2
        assert (check.version, check.passed) == (1, True)

    def test_firing_everywhere_keeps_it_a_draft_and_says_how_often(self, past: Past) -> None:
        self._everywhere(past, "build the release archive of {}")
        past.goes_wrong()
        revision, check = codified(past)
        assert revision.state is SkillState.DRAFT
        assert f"it would fire at {len(check.figures['misfires'])} of" in revision.reason
        assert check.passed is False

    def test_the_same_store_gives_the_same_records(self, past: Past) -> None:
        past.works(40)
        past.goes_wrong()
        batch = past.store.find(Correction)
        assert Codify().step(batch, past.store) == Codify().step(batch, past.store)

    def test_what_is_nearly_always_in_vain_waits_with_its_figures(self, past: Past) -> None:
        topics = [
            f"{a}{b}" for a in ("alpha", "gamma", "delta", "kappa") for b in ("rian", "tone", "lith", "form", "gon")
        ]
        for n in range(500):
            past.says(f"{topics[n % 20]} {topics[(n // 20) % 20]} wants {n}")
            if n % 6 == 0:
                past.says(f"build the {topics[n % 20]} archive of {topics[(n + 3) % 20]} for release {n}")
        past.goes_wrong()
        revision, _ = codified(past)
        assert revision.state is SkillState.REVIEW, revision.reason
        assert "Would have fired" in revision.reason

    def test_more_of_a_live_skill_never_takes_it_out_of_use(self, past: Past) -> None:
        past.goes_wrong()
        first, _ = codified(past)
        assert first.state is SkillState.LIVE
        self._everywhere(past, "build the release archive of {}")
        past.goes_wrong(task="archive it all", quote="no, with make, and sign the archive")
        outputs = Codify().step(past.store.find(Correction, after=1), past.store)
        (second,) = [one for one in outputs if isinstance(one, SkillRevision)]
        (check,) = [one for one in outputs if isinstance(one, SkillCheck)]
        assert (second.skill_id, second.version) == (first.skill_id, 2)
        assert check.passed is False and second.state is SkillState.LIVE
        (told,) = [one for one in outputs if isinstance(one, Notice)]
        assert told.about == "skill_test_failed" and "stays live" in told.text

    def test_what_would_make_a_live_skill_fail_waits_beside_it(self, past: Past) -> None:
        self._everywhere(past, "repair the customer page of {}")
        past.goes_wrong()
        first, _ = codified(past)
        assert first.state is SkillState.LIVE
        past.goes_wrong(task="repair the customer page", quote="no, with make, and repair the customer page first")
        batch = past.store.find(Correction, after=1)
        outputs = Codify().step(batch, past.store)
        assert Codify().step(batch, past.store) == outputs
        (beside,) = [one for one in outputs if isinstance(one, SkillRevision)]
        (told,) = [one for one in outputs if isinstance(one, Notice)]
        assert (beside.skill_id != first.skill_id, beside.state) == (True, SkillState.DRAFT)
        assert f"it adds to the skill {first.name}" in beside.reason and "merged, it would fail" in beside.reason
        assert (told.about, told.subject) == ("draft", beside.name)
        past.store.append(outputs)
        assert Codify().step(batch, past.store) == []

    @staticmethod
    def _everywhere(past: Past, text: str) -> None:
        words: Sequence[str] = (
            "doors",
            "lamps",
            "trees",
            "boats",
            "kites",
            "drums",
            "coats",
            "forks",
            "rings",
            "bells",
            "ropes",
        )
        for n in range(33):
            past.says(f"{text.format(words[n % 11])} and {words[n // 3]}")
        past.works(6)


def test_events_and_corrections_are_read_in_one_go_for_many_skills(past: Past) -> None:
    past.works(30)
    revisions = [tried(past, past.goes_wrong()) for _ in range(5)]
    asked: list[type] = []

    class Counting(InMemoryStore):
        def find(self, kind: Any, /, **more: Any) -> Any:
            asked.append(kind)
            return past.store.find(kind, **more)

    trials = Trials(Counting(), 0.3)
    trials.read_ahead(revisions)
    for revision in revisions:
        trials.tested(revision)
    assert asked.count(Event) == 2  # the prompts for rarity, and all moments
