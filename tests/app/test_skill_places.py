"""Every wired host finds the skills in one of its folders, and none finds a folder that only we made for another."""

from pathlib import Path

import pytest

from hivemind_cli.app import skill_places
from hivemind_cli.app.skill_places import AGENTS, CLAUDE
from hivemind_cli.hosts import HOSTS
from hivemind_cli.skills import disk
from hivemind_cli.skills.format import render
from tests.app.skills import revision

HERMES = Path(".hermes", "skills")


def skill_text(version: int = 1) -> str:
    return render(revision(version, name="deploy"))


@pytest.fixture
def home(own_home: Path) -> Path:
    (own_home / ".hermes").mkdir()
    return own_home


def in_home(home: Path, **there: Path | None) -> list[Path]:
    return [one.relative_to(home) for one in skill_places.in_home(home, HOSTS, there)]


def test_the_home_shows_them_where_the_wired_hosts_look(home: Path) -> None:
    assert in_home(home) == [CLAUDE, AGENTS]
    assert in_home(home, claude=None) == [CLAUDE, AGENTS]
    assert in_home(home, codex=None, gemini=None, cursor=None, pi=None) == [AGENTS]
    assert in_home(home, claude=None, hermes=None) == [CLAUDE, AGENTS, HERMES]
    assert in_home(home, claude=home / "conf") == [Path("conf", "skills"), AGENTS]
    assert in_home(home, claude=Path("/elsewhere")) == [AGENTS]


def test_every_host_finds_them_in_the_home(home: Path) -> None:
    for name, host in HOSTS.items():
        looked_in = host.skill_folders(home)
        assert not looked_in or set(looked_in) & set(skill_places.in_home(home, HOSTS, {name: None})), name


def test_a_project_has_one_folder_and_a_link_whoever_is_wired(tmp_path: Path) -> None:
    folders = skill_places.in_project(tmp_path, HOSTS, dict.fromkeys(HOSTS))
    assert folders == [tmp_path / CLAUDE, tmp_path / AGENTS]


def test_a_host_that_comes_sees_them_and_takes_its_link_with_it(home: Path) -> None:
    receipts = home / ".hivemind" / "receipts"
    disk.publish(home, [home / AGENTS], skill_text(), "deploy", receipts)
    assert disk.show_again(home, [home / CLAUDE, home / AGENTS, home / HERMES], receipts) == []
    held = home / AGENTS / "deploy"
    for folder in (CLAUDE, HERMES):
        assert (home / folder / "deploy").is_symlink() and (home / folder / "deploy").resolve() == held.resolve()
    newer = skill_text(2)
    assert disk.publish(home, [home / CLAUDE, home / AGENTS, home / HERMES], newer, "deploy", receipts).written
    assert (held / "SKILL.md").read_text() == newer and not held.is_symlink()
    disk.show_again(home, [home / AGENTS], receipts)
    assert sorted(path.name for path in home.iterdir() if path.name != ".hivemind") == [".agents", ".hermes"]
    assert list((home / ".hermes").iterdir()) == []
    assert (held / "SKILL.md").read_text() == newer


def test_what_a_person_put_there_is_not_taken_away(home: Path) -> None:
    receipts = home / ".hivemind" / "receipts"
    folders = [home / AGENTS, home / HERMES]
    disk.publish(home, folders, skill_text(), "deploy", receipts)
    shown = home / HERMES / "deploy"
    shown.unlink()
    shown.mkdir()
    (shown / "SKILL.md").write_text("mine")
    disk.show_again(home, [home / AGENTS], receipts)
    assert (shown / "SKILL.md").read_text() == "mine"
