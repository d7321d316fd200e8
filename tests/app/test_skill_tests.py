"""Skills are tested when a person asks, and anew whenever the matcher changes; what a person wants stays live."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app import OwnedHivemind, reading, skill_tests, skillset
from hivemind_cli.app.skill_tests import Retests
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import Event, EventKind, Notice, SkillCheck, SkillRevision, SkillState
from hivemind_cli.index import matching
from hivemind_cli.pipeline.codify.trial import Trials
from hivemind_cli.storage.base import Store
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.talk import Talk
from tests.pipeline.past import Past, skill_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def past() -> Past:
    past = Past(InMemoryStore())
    past.works(30)
    return past


def live(past: Past, name: str = "", **changes: object) -> SkillRevision:
    """Stored as codify stores it, with its check."""
    trial = Trials(past.store, 0.5).tried(skill_of(past.goes_wrong()))
    revision = replace(trial.revision, state=SkillState.LIVE, **changes)  # type: ignore[arg-type]
    revision = replace(revision, name=name or revision.name)
    past.store.append([revision, trial.check])
    return revision


def noisy(past: Past) -> SkillRevision:
    """One whose words stand in nearly every prompt, and which passed with an earlier matcher."""
    revision = live(past)
    return replace(revision, tasks=("repair the customer page",))


def retests(store: Store, **more: Any) -> Retests:
    return Retests(store, applies_min=0.5, model="", clock=lambda: NOW, **more)


def newest(store: Store, revision: SkillRevision) -> SkillRevision:
    return store.find(SkillRevision, skill_id=revision.skill_id)[-1].record


def notices(store: Store) -> list[Notice]:
    return [row.record for row in store.find(Notice)]


class TestAsked:
    def test_each_skill_is_told_with_its_figures_and_the_run_is_stored_once(self, past: Past) -> None:
        revision = live(past)
        (told,) = skill_tests.run(past.store, applies_min=0.5, now=NOW)
        assert (told.name, told.version, told.passed, told.state) == (revision.name, 1, True, SkillState.LIVE)
        assert (told.fires, told.mistakes) == (1, 1) and told.silent == told.clean > 20
        assert told.ms < 2000  # a few on a quiet machine
        assert past.store.count(SkillCheck) == 1  # it says what codify's own check said

    def test_what_has_no_check_yet_gets_one(self, past: Past) -> None:
        revision = live(past)
        past.store.append([replace(revision, id="r2", version=2, tasks=())])
        for _ in range(2):
            skill_tests.run(past.store, applies_min=0.5, now=NOW)
        assert [row.record.version for row in past.store.find(SkillCheck)] == [1, 2]

    def test_asking_first_does_not_keep_the_daemon_from_taking_a_bad_skill_out_of_use(self, past: Past) -> None:
        revision = live(past)
        bad = replace(noisy(past), id="r2", version=2)
        check = replace(past.store.find(SkillCheck)[0].record, id="c2", version=2, matcher="an earlier one")
        past.store.append([bad, replace(check, skill_id=bad.skill_id)])
        skill_tests.run(past.store, applies_min=0.5, now=NOW)
        assert retests(past.store).run() == 1
        assert newest(past.store, bad).state is SkillState.QUARANTINED
        assert newest(past.store, revision).state is SkillState.LIVE

    def test_what_fails_is_listed_with_the_beginning_of_its_words(self, past: Past) -> None:
        past.store.append([replace(noisy(past), id="r2", version=2)])
        (told,) = skill_tests.run(past.store, applies_min=0.5, now=NOW)
        assert told.passed is False and "other prompts" in told.reason
        assert all(one.text.startswith("repair the") and one.at == "prompt" for one in told.misfires)
        stored = past.store.find(SkillCheck)[-1].record
        assert stored.passed is False and stored.figures["misfires"] == [one.id for one in told.misfires]
        assert "repair" not in str(stored)

    def test_without_a_name_what_is_out_of_use_is_left_out(self, past: Past) -> None:
        one = live(past)
        past.store.append([replace(one, id="x", skill_id="sk_x", name="x", state=SkillState.RETIRED)])
        assert [each.name for each in skill_tests.run(past.store, applies_min=0.5, now=NOW)] == [one.name]
        both = skill_tests.run(past.store, everything=True, applies_min=0.5, now=NOW)
        assert {each.name for each in both} == {one.name, "x"}
        assert [each.name for each in skill_tests.run(past.store, ["x", "x"], applies_min=0.5, now=NOW)] == ["x"]

    def test_nothing_to_test_and_a_wrong_name_are_told(self, past: Past) -> None:
        with pytest.raises(HivemindError, match="no skill to test yet"):
            skill_tests.run(past.store, applies_min=0.5, now=NOW)
        past.store.append([replace(live(past), id="r2", version=2, state=SkillState.RETIRED)])
        with pytest.raises(HivemindError, match="--all"):
            skill_tests.run(past.store, applies_min=0.5, now=NOW)
        with pytest.raises(HivemindError, match="No skill is called"):
            skill_tests.run(past.store, ["nonsense"], applies_min=0.5, now=NOW)

    def test_a_trial_stores_nothing(self, past: Past) -> None:
        correction = past.goes_wrong()
        found = skill_tests.try_out(past.store, skill_of(correction), applies_min=0.5)
        assert found.revision.backtest["own"] == 2 and past.store.count(SkillCheck) == 0


class TestAnotherMatcher:
    def test_what_was_tested_with_this_one_is_not_tested_again(self, past: Past) -> None:
        live(past)
        assert retests(past.store).run() == 0
        assert past.store.count(SkillCheck) == 1 and not notices(past.store)

    @pytest.mark.parametrize("changed", ["matcher", "threshold", "model"])
    def test_any_change_of_what_matches_tests_anew(
        self, past: Past, changed: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live(past)
        if changed == "matcher":
            monkeypatch.setattr(matching, "MATCHER", 99)
        again = Retests(
            past.store,
            applies_min=0.52 if changed == "threshold" else 0.5,
            model="mini" if changed == "model" else "",
            clock=lambda: NOW,
        )
        assert again.run() == 0
        checks = [row.record for row in past.store.find(SkillCheck)]
        assert len(checks) == 2 and checks[-1].passed and checks[0].matcher != checks[1].matcher
        assert again.run() == 0 and past.store.count(SkillCheck) == 2
        assert not notices(past.store)

    def test_a_live_skill_that_now_misfires_is_taken_out_of_use_and_told(self, past: Past) -> None:
        revision = replace(noisy(past), id="r2", version=2)
        past.store.append([revision])
        assert retests(past.store).run() == 1
        after = newest(past.store, revision)
        assert (after.state, after.version) == (SkillState.QUARANTINED, 3)
        assert "other prompts" in after.reason and after.lines == revision.lines
        (notice,) = notices(past.store)
        assert (notice.about, notice.subject) == ("skill_quarantined", revision.name)
        assert f"skillify accept {revision.name}" in notice.fix
        assert retests(past.store).run() == 0 and len(notices(past.store)) == 1

    @pytest.mark.parametrize("how", ["wrote", "accepted", "accepted earlier"])
    def test_what_a_person_wants_stays_live_and_they_are_told(self, past: Past, how: str) -> None:
        revision = replace(noisy(past), id="r2", version=2)
        if how == "wrote":
            revision = replace(revision, drafter="person", reason=skillset.IN_FILE)
        else:
            past.store.append([replace(revision, state=SkillState.QUARANTINED)])
            revision = skillset.accept(past.store, newest(past.store, revision), NOW)
        if how == "accepted earlier":
            revision = replace(revision, id="r4", version=4, reason="one more line")
        past.store.append([revision])
        assert retests(past.store).run() == 0
        assert newest(past.store, revision).state is SkillState.LIVE
        (notice,) = notices(past.store)
        assert notice.about == "skill_test_failed" and "stays live" in notice.text
        retests(past.store).run()
        assert len(notices(past.store)) == 1

    def test_one_that_only_no_longer_fires_is_told_and_stays(self, past: Past) -> None:
        revision = replace(live(past), id="r2", version=2, tasks=("quite something else",), acts=())
        past.store.append([replace(revision, lines=tuple(replace(one, text="x") for one in revision.lines))])
        assert retests(past.store).run() == 0
        assert newest(past.store, revision).state is SkillState.LIVE
        assert [one.about for one in notices(past.store)] == ["skill_test_failed"]

    def test_a_round_ends_in_time_and_the_next_goes_on(self, past: Past) -> None:
        for n in range(4):
            live(past, f"skill-{n}")
        again = Retests(past.store, applies_min=0.51, model="", clock=lambda: NOW, run_s=0.0)
        for n in range(1, 5):
            again.run()
            assert past.store.count(SkillCheck) == 4 + n
        again.run()
        assert past.store.count(SkillCheck) == 8

    @pytest.mark.parametrize("last_moment", [False, True])
    def test_somebody_who_changes_it_meanwhile_wins(
        self, past: Past, monkeypatch: pytest.MonkeyPatch, last_moment: bool
    ) -> None:
        revision = replace(noisy(past), id="r2", version=2)
        past.store.append([revision])
        look = reading.history_of

        def meanwhile(store: Store, skill_id: str) -> list[SkillRevision]:
            seen = look(store, skill_id)
            skillset.retire(store, revision, NOW)
            return seen if last_moment else look(store, skill_id)

        monkeypatch.setattr(reading, "history_of", meanwhile)
        assert retests(past.store).run() == 0
        assert newest(past.store, revision).state is SkillState.RETIRED and not notices(past.store)


class TestInTheDaemon:
    def test_a_skill_is_published_with_its_tests_and_an_edit_is_tested_at_the_next_look(
        self, hive: OwnedHivemind, tree: Path
    ) -> None:
        talk = Talk(hive.paths, tree)
        talk.starts()
        talk.says("bring the shelf to the hall")
        talk.runs("carry shelf hall")
        talk.replies()
        talk.says("no, never carry here, always use lift")
        talk.replies("Understood.")
        talk.ends()
        hive.settle()
        hive.codify()
        (revision,) = [row.record for row in hive.store.find(SkillRevision)]
        assert revision.state is SkillState.LIVE and revision.moments and revision.backtest["own"] >= 1
        (check,) = [row.record for row in hive.store.find(SkillCheck)]
        assert check.passed and check.version == 1
        told = hive.call("skills.test", {})["skills"]
        assert [(one["name"], one["passed"]) for one in told] == [(revision.name, True)]
        hive.store.append([replace(revision, id="r2", version=2, drafter="person", reason=skillset.IN_FILE)])
        hive.tick(datetime.now(UTC) + timedelta(minutes=1))
        assert [row.record.version for row in hive.store.find(SkillCheck)] == [1, 2]

    def test_what_is_quarantined_leaves_the_tree_and_recall(self, hive: OwnedHivemind, tree: Path) -> None:
        self.test_a_skill_is_published_with_its_tests_and_an_edit_is_tested_at_the_next_look(hive, tree)
        prompts = [row.record for row in hive.store.find(Event, kind=EventKind.PROMPT)]
        assert prompts
        (skill,) = {row.record.skill_id for row in hive.store.find(SkillRevision)}
        old = newest(hive.store, hive.store.find(SkillRevision)[0].record)
        auto = replace(old, skill_id="sk_auto", id="a1", version=1, drafter="extractive", name="auto", reason="")
        others = [
            replace(
                prompts[0],
                id=f"01CRZ3NDEKTSV4RRFFQ69G{n:04}",
                native_key=f"n{n}",
                session_id="s9",
                payload={"text": f"lift hall {n}"},
            )
            for n in range(12)
        ]
        silent = tuple({"expect": "silent", "at": "prompt", "id": one.id} for one in others)
        hive.store.append([*others, replace(auto, moments=silent, tasks=("lift hall",))])
        assert skill and hive.settle()
        file = tree / ".claude" / "skills" / "auto" / "SKILL.md"
        assert file.is_file()
        hive.tick(datetime.now(UTC) + timedelta(minutes=2))
        assert not file.exists()
        assert "sk_auto" not in {document.id for document in hive.index.all()}
