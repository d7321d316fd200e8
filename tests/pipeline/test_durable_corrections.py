"""What real people told agents for good, and the skills that the extractive drafter makes of it.

The turns are not ours to copy: HIVEMIND_TEST_DATA names the folder with corrections/dev.jsonl. `pytest -s` prints
what became of them. Next-time prompts for corrections like them, in our own words: tests/app/test_next_time.py.
"""

import json
import os
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from hivemind_cli.core import redact
from hivemind_cli.core.records import Correction, CorrectionKind, GateSkip, SkillRevision
from hivemind_cli.pipeline.codify import extractive
from hivemind_cli.pipeline.codify.draft import TITLE_CHARS_MAX, TRIGGER_CHARS_MAX
from hivemind_cli.pipeline.codify.revise import first_revision
from tests.pipeline.codify_loop import DAY, Loop, correction_
from tests.pipeline.skill_claims import broken

TURNS = Path(os.environ.get("HIVEMIND_TEST_DATA", "/nonexistent"), "corrections", "dev.jsonl")
TASK = "go through the open items of the list and settle the next one"
"""The data keeps no prompt before the turn."""
pytestmark = pytest.mark.skipif(not TURNS.is_file(), reason="HIVEMIND_TEST_DATA names no folder with corrections")


def lasting() -> list[Correction]:
    """Each turn that is a lesson for later sessions, as detection stores it once a person has said so."""
    rows = [json.loads(line) for line in TURNS.read_text("utf-8").splitlines()]
    return [
        correction_(
            n,
            project_id=f"p{n}",
            kind=CorrectionKind.SAID,
            occurred_at=DAY + timedelta(hours=n),
            quote=redact.text(row["user"]),
            task=TASK,
            act={},
            act_event_id=f"reply{n}",
            confidence=1.0,
            recurrence_key="",
            language=row["lang"],
        )
        for n, row in enumerate(row for row in rows if row["durable"])
    ]


def test_each_gives_a_valid_skill_whose_every_line_is_the_persons() -> None:
    corrections = lasting()
    assert len(corrections) == 24
    names: list[str] = []
    for one in corrections:
        made = first_revision(extractive.draft([one]), [one], names)
        names.append(made.name)
        assert broken(made, {one.id: one}) == []
        assert len(made.trigger) <= TRIGGER_CHARS_MAX and len(made.title) <= TITLE_CHARS_MAX
        assert 1 <= len(made.name.split("-")) <= 8
        words = " ".join(one.quote.split())
        for line in made.lines:
            assert line.section == "when" or line.text.rstrip("…") in words


def test_the_stage_makes_them_skills_but_for_what_its_gate_never_lets_through() -> None:
    outcomes: Counter[str] = Counter()
    for one in lasting():
        for record in Loop().give(one):
            if isinstance(record, SkillRevision):
                outcomes[record.state.value] += 1
            elif isinstance(record, GateSkip):
                outcomes[record.reason] += 1
    print(dict(outcomes))
    assert outcomes.total() == 24
    assert outcomes["live"] >= 23  # one is an error message, pasted with a sentence before it
