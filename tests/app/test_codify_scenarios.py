"""From hooks to skills with a model that plays good, bad and hostile answers: what comes of each, told as data.

The scenarios say what must be true, whatever the code does: hostile words come out nowhere, a correction that a person
truly made becomes a skill all the same, and every skill keeps its claims (tests/pipeline/skill_claims.py).
"""

from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.paths import Paths
from tests.app.codify_player import Played, scenarios

SCENARIOS = scenarios(Path(__file__).parent / "codify_scenarios")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[f"{one['file']}: {one['id']}" for one in SCENARIOS])
def test_what_comes_of(scenario: dict[str, Any], paths: Paths, own_home: Path) -> None:
    played = Played(paths, own_home / "work", scenario)
    try:
        wrong = list(played.play())
    finally:
        played.owner.close()
    assert not wrong, "\n".join(["", *wrong])


def test_no_two_scenarios_are_called_the_same() -> None:
    ids = [one["id"] for one in SCENARIOS]
    assert sorted(ids) == sorted(set(ids))
