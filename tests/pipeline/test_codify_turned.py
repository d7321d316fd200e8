"""A person who changes their mind: what they said later is no evidence for what they said before."""

from typing import Any

import pytest

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Notice, SkillRevision, SkillState
from tests.pipeline.codify_loop import Loop, correction_

EDIT: dict[str, Any] = {
    "act": Act("edit", "Write", path="src/pear.py", text="def pearTree(): ...\n").as_json(),
    "task": "write the orchard module",
    "recurrence_key": "lesson|edit:src/*.py|names",
}


@pytest.mark.parametrize("between", [True, False])
def test_the_opposite_of_a_skills_line_is_a_conflict_though_it_shares_the_mistakes_key(between: bool) -> None:
    loop = Loop()
    first = loop.skill(correction_(1, quote="we use snake_case for names here, not camelCase", **EDIT))
    if between:  # words that contradict neither, and join both by the key
        loop.skill(correction_(2, quote="no, names in snake_case please, as I said", **EDIT))
    outputs = loop.give(correction_(3, quote="we use camelCase for names here, not snake_case", **EDIT))
    (later,) = [one for one in outputs if isinstance(one, SkillRevision)]
    assert (later.skill_id != first.skill_id, later.state) == (True, SkillState.REVIEW)
    assert [one.about for one in outputs if isinstance(one, Notice)] == ["conflict"]
    carried = {one for row in loop.store.find(SkillRevision, skill_id=first.skill_id) for one in ids_(row.record)}
    assert correction_(3).id not in carried


def ids_(revision: SkillRevision) -> list[str]:
    return [one for line in revision.lines for one in line.correction_ids]
