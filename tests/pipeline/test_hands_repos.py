"""A person's hand in scripted repositories: each correction that must come is there, and no other."""

import random
import shutil
from pathlib import Path

import pytest

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction, CorrectionKind, Event
from tests.pipeline import hands_scenarios, hands_scenarios_found  # noqa: F401  they fill the list
from tests.pipeline.hands_repos import SCENARIOS, Desk, Found, make_repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("repository") / "shop")


HANDS = (CorrectionKind.HAND_EDIT, CorrectionKind.REVERTED)


def matches(found: Correction, wanted: Found) -> bool:
    return (
        found.kind is wanted.kind
        and Act.of(found.act).path == wanted.path
        and (not wanted.removed or wanted.removed in found.before.splitlines())
        and (not wanted.added or wanted.added in found.after.splitlines())
    )


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_exactly_what_the_hand_did_is_found(name: str, own_home: Path, repository: Path) -> None:
    tree = own_home / "work" / "shop"
    shutil.copytree(repository, tree, symlinks=True)
    desk = Desk(own_home, tree)
    wanted = SCENARIOS[name](desk)
    desk.asks("and what else is there to do for the release?")
    desk.asks("then let us talk about something different")  # nothing is told twice
    found = [one for one in desk.found() if one.kind in HANDS]  # what the words are is judged elsewhere
    told = [(one.kind.value, Act.of(one.act).path, one.before, one.after, one.cause) for one in found]
    assert len(found) == len(wanted), told
    for one in wanted:
        assert any(matches(correction, one) for correction in found), told


@pytest.mark.parametrize("seed", range(5))
def test_what_is_watched_is_the_same_after_a_restart(seed: int, own_home: Path) -> None:
    """Later writes are stored as what they changed; read back, they make the same file."""
    tree = own_home / "work"
    tree.mkdir()
    desk, chance = Desk(own_home, tree), random.Random(seed)
    text = "".join(f"row_{n} = {n}\n" for n in range(40))
    desk.asks("write it")
    desk.writes("rows.py", text)
    for n in range(12):
        lines = desk.read("rows.py").splitlines(keepends=True)
        at = chance.randrange(len(lines))
        new = "".join(f"new_{n}_{k} = {k}\n" for k in range(chance.randrange(4)))
        if chance.random() < 0.2:
            desk.runs(f"sed -i {at + 1}d rows.py")
        else:
            desk.edits("rows.py", "".join(lines[at : at + 2]), new)
    live = desk.watched("rows.py")
    events = [row.record for row in desk.store.find(Event)]
    assert sum("since" in (event.payload.get("wrote") or {}) for event in events) >= 6
    desk.restarts()
    again = desk.watched("rows.py")
    assert (again.lines, again.own, again.was, again.state) == (live.lines, live.own, live.was, live.state)
    assert len(live.lines) == len(desk.read("rows.py").splitlines())
