"""`hivemind bench speed`: the arithmetic of its figures, and that every part is measured and nothing is left."""

import json
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hivemind_cli.cli import app
from hivemind_cli.cli.bench_figures import Figure, percentile, ratio
from hivemind_cli.cli.bench_made import Made, events
from hivemind_cli.cli.bench_speed import PARTS
from hivemind_cli.core.clock import system_clock
from hivemind_cli.hosts import HOSTS


def test_a_percentile_is_one_of_the_values_and_covers_its_share() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [1, 50, 95, 99, 100]
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([], 0.5) == 0.0


def test_a_figure_is_held_against_its_goal_in_the_goals_direction() -> None:
    assert Figure("a", "ms", 9.9, "ms", 10.0).met is True
    assert Figure("a", "ms", 10.1, "ms", 10.0).met is False
    assert Figure("a", "rate", 399.0, "queries/s", 400.0, True).met is False
    assert Figure("a", "rate", 400.0, "queries/s", 400.0, True).met is True
    assert Figure("a", "why", note="no model").met is None
    assert Figure("a", "no goal", 1.0).met is None
    assert ratio(3.0, 0.0) is None


def test_figures_are_shown_with_units_and_digits_that_say_something() -> None:
    assert Figure("a", "b", 2.347, "×", 2.3).shown == "2.35×"
    assert Figure("a", "b", 2.347, "×", 2.3).shown_goal == "≤ 2.30×"
    assert Figure("a", "b", 5123.4, "events/s", 5000.0, True).shown == "5,123 events/s"
    assert Figure("a", "b").shown == "-"


def test_the_same_seed_makes_the_same_history() -> None:
    now = system_clock()
    one, other = (list(events(Made(7), HOSTS["claude"], "/a", 60, now)) for _ in range(2))
    assert [event.payload for event in one] == [event.payload for event in other]
    assert len({event.native_key for event in one}) == 60
    assert max(len(json.dumps(event.payload)) for event in one) > 4000


@pytest.mark.thorough
def test_every_part_is_measured_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    run = CliRunner().invoke(
        app, ["bench", "speed", "--skills", "50", "--events", "500", "--rounds", "3", "--clients", "2", "--json"]
    )
    assert run.exit_code == 0, run.output
    figures = json.loads(run.stdout)["figures"]
    assert {one["part"] for one in figures} == set(PARTS)
    unmeasured = {one["part"]: one["note"] for one in figures if one["value"] is None}
    assert unmeasured == {"hybrid": "no exported model: give --model FOLDER"}
    assert not list(folder.iterdir())
