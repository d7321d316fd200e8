"""A person's hand in scripted repositories: each correction that must come is there, and no other."""

import shutil
from pathlib import Path

import pytest

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import Correction
from tests.pipeline import hands_scenarios  # noqa: F401  it fills the list
from tests.pipeline.hands_repos import SCENARIOS, Desk, Found, make_repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("repository") / "shop")


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
    found = desk.found()
    told = [(one.kind.value, Act.of(one.act).path, one.before, one.after, one.cause) for one in found]
    assert len(found) == len(wanted), told
    for one in wanted:
        assert any(matches(correction, one) for correction in found), told
