"""Thirty lasting corrections of our own through the whole loop: is each a skill, and does the next prompt find it?

`pytest -m slow -s tests/app/test_next_time.py` prints the figures, and each prompt that does not find its skill.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.core.config import Config
from hivemind_cli.core.intervals import wilson
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Correction, SkillState
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.app.next_time import CLEAN, LESSONS, Asked, ask, recalled, taught
from tests.pipeline.model_answers import Remembered
from tests.pipeline.skill_claims import broken, broken_files

RANK_1_MIN = 0.5
"""Floor of the share of prompts in other words that rank their skill first. The goal is .8; by words alone it is .6,
and cannot be more than .74: a quarter of the prompts share no word with correction, task or act."""
GIVEN_MIN = 0.3
"""Floor of the share at which the agent would be told it."""
CLEAN_GIVEN_MAX = 0.1
"""Share of clean prompts at which any skill may be told."""
WRITTEN_RANK_1_MIN = 0.65
"""... of RANK_1_MIN, if a model wrote the skills: its descriptions name more of a moment's words."""
WRITTEN_CLEAN_GIVEN_MAX = 0.14
"""... of CLEAN_GIVEN_MAX: and so meet more prompts by chance."""


@pytest.mark.slow
def test_each_lesson_is_a_skill_and_the_next_prompt_finds_it(hive: OwnedHivemind, paths: Paths, tree: Path) -> None:
    skills = taught(hive, paths, tree)
    assert sorted(skills) == sorted(lesson["id"] for lesson in LESSONS)
    assert {skill.state for skill in skills.values()} == {SkillState.LIVE}
    corrections = {row.record.id: row.record for row in hive.store.find(Correction)}
    for skill in skills.values():
        assert broken(skill, corrections) == []
    assert broken_files(tree) == []

    natural = list(ask(hive, tree, skills, "natural"))
    asked = list(ask(hive, tree, skills, "next"))
    alarms = [prompt for prompt in CLEAN if any(one.decision == "injected" for one in recalled(hive, tree, prompt))]
    _report("natural prompts", natural, alarms)
    _report("prompts in other words", asked, alarms)
    first = sum(one.rank == 1 for one in asked)
    assert first >= RANK_1_MIN * len(asked)
    assert sum(one.given for one in asked) >= GIVEN_MIN * len(asked)
    assert len(alarms) <= CLEAN_GIVEN_MAX * len(CLEAN)


@pytest.mark.slow
def test_what_a_model_writes_of_the_lessons_is_found_at_least_as_often(paths: Paths, tree: Path) -> None:
    said = {lesson["id"]: lesson["said"] for lesson in LESSONS}
    store = InMemoryStore()
    hive = OwnedHivemind(
        paths=paths,
        config=Config(),
        store=store,
        sidecars=Sidecars(InMemoryIndex()),
        provider=Remembered("again", said),
    )
    skills = taught(hive, paths, tree)
    assert {skill.drafter for skill in skills.values()} == {"remembered/script"}
    corrections = {row.record.id: row.record for row in store.find(Correction)}
    for skill in skills.values():
        assert broken(skill, corrections) == []
    natural = list(ask(hive, tree, skills, "natural"))
    asked = list(ask(hive, tree, skills, "next"))
    alarms = [prompt for prompt in CLEAN if any(one.decision == "injected" for one in recalled(hive, tree, prompt))]
    hive.close()
    _report("written by a model; natural prompts", natural, alarms)
    _report("written by a model; prompts in other words", asked, alarms)
    assert sum(one.rank == 1 for one in asked) >= WRITTEN_RANK_1_MIN * len(asked)
    assert len(alarms) <= WRITTEN_CLEAN_GIVEN_MAX * len(CLEAN)


def test_the_lessons_are_many_kinds_of_correction_in_several_languages() -> None:
    assert len(LESSONS) >= 20
    assert {"en", "ru", "fr", "de", "es"} <= {lesson["lang"] for lesson in LESSONS}
    kinds = {lesson["kind"] for lesson in LESSONS}
    assert {"tool", "convention", "process", "environment", "never", "decision"} <= kinds
    without_call = [lesson for lesson in LESSONS if "runs" not in lesson and "edits" not in lesson]
    assert len(without_call) >= len(LESSONS) / 3
    for lesson in LESSONS:
        assert 2 <= len(lesson["next"]) <= 3
        assert not {lesson["task"], lesson["said"]} & set(lesson["next"])


def _report(kind: str, asked: Sequence[Asked], alarms: Sequence[str]) -> None:
    print(f"\n{len(LESSONS)} lessons, all in one project; {kind}")
    for split in ("tune", "held", ""):
        of = [one for one in asked if not split or one.split == split]
        named = split or "all"
        _share(f"{named}: rank 1", sum(one.rank == 1 for one in of), len(of))
        sharing = [one for one in of if one.shares]
        _share(f"{named}: rank 1 of those that share a word", sum(one.rank == 1 for one in sharing), len(sharing))
        _share(f"{named}: ranks 1 to 3", sum(1 <= one.rank <= 3 for one in of), len(of))
        _share(f"{named}: told", sum(one.given for one in of), len(of))
        _share(f"{named}: another told", sum(one.others_given > 0 for one in of), len(of))
        lessons = {one.lesson for one in of}
        found = {one.lesson for one in of if one.rank == 1}
        _share(f"{named}: lessons that a prompt ranks first", len(found), len(lessons))
    _share("clean prompts: any told", len(alarms), len(CLEAN))
    for one in asked:
        if one.rank != 1:
            print(f"  {one.lesson}: rank {one.rank or '-'}, first {one.first or '-'}: {one.prompt}")


def _share(what: str, k: int, n: int) -> None:
    low, high = wilson(k, n)
    print(f"{what:45} {k:3}/{n:<3} {k / n:4.0%}  [{low:.0%}, {high:.0%}]")
