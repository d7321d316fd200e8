"""Honest answers of a model come through: most of what it wrote in its own words stands in the skill.

What hostile answers come to is told in tests/app/test_codify_scenarios.py and test_codify_property.py.
"""

from typing import Any

import pytest

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction, SkillRevision
from tests.app.next_time import LESSONS
from tests.pipeline.codify_loop import Loop, correction_
from tests.pipeline.model_answers import ANSWERS, Remembered, answers, lost, texts
from tests.pipeline.skill_claims import broken

OF = {lesson["id"]: lesson for lesson in LESSONS}
SAID = {lesson["id"]: lesson["said"] for lesson in LESSONS}


def told(lesson: dict[str, Any]) -> Correction:
    """The correction that a lesson is."""
    act = Act("other", "")
    if "runs" in lesson:
        act = Act("shell", "Bash", command=lesson["runs"])
    if "edits" in lesson:
        act = Act("edit", "Edit", path=lesson["edits"][0], text=lesson["edits"][1])
    done = act.as_json() if act.tool else {}
    return correction_(quote=lesson["said"], task=lesson["task"], act=done, recurrence_key=lesson["id"])


def skill_of(answer: dict[str, Any], wording: str) -> SkillRevision:
    lesson = OF[answer["lesson"]]
    one = told(lesson)
    skill = Loop(Remembered(wording, SAID)).skill(one)
    assert broken(skill, {one.id: one}) == []
    return skill


@pytest.mark.parametrize("wording", ["first", "second", "again"])
def test_nine_in_ten_texts_that_a_model_wrote_stand_in_the_skills(wording: str) -> None:
    given = answers(wording)
    skills = {one["lesson"]: skill_of(one, wording) for one in given}
    assert {skill.drafter for skill in skills.values()} == {"remembered/script"}
    gone = [(one["lesson"], *text) for one in given for text in lost(one["draft"], skills[one["lesson"]])]
    whole = sum(len(texts(one["draft"])) for one in given)
    print(f"\n{wording} wording: {whole - len(gone)} of {whole} texts stand, {len(given)} drafts")
    for lesson, section, text in gone:
        print(f"  {lesson}, {section}: {text}")
    assert len(gone) <= 0.1 * whole


def test_every_lesson_was_answered_and_checked() -> None:
    assert sorted(one["lesson"] for one in ANSWERS if "check" in one) == sorted(OF)
