"""The skill about hivemind: written by install, renewed by an upgrade, taken back by uninstall, never over a person."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app import installing, memory_skill, uninstalling
from hivemind_cli.app.owned import OwnedHivemind
from hivemind_cli.app.sidecars import Sidecars
from hivemind_cli.app.status import status
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Notice, Project, SkillRevision
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.apply import UndoResult
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.storage.inmemory import InMemoryStore

NOW = datetime(2026, 1, 2, tzinfo=UTC)
REAL, LINK = ".claude/skills/hivemind-memory", ".agents/skills/hivemind-memory"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude/settings.json").write_text('{"model": "opus"}')
    return Paths(home / ".hivemind", home)


def install(paths: Paths, env: Mapping[str, str] | None = None) -> list[str]:
    done = installing.install(paths, Config(), planned(paths, env), daemon=(), env=env or {}, now=NOW, hosts=HOSTS)
    assert not done.problems
    return list(done.left)


def planned(paths: Paths, env: Mapping[str, str] | None = None) -> installing.Plan:
    return installing.plan(paths, [HOSTS["claude"]], env or {}, HOSTS)


def uninstall(paths: Paths) -> list[UndoResult]:
    done = uninstalling.uninstall(paths, HOSTS)
    assert not done.problems
    return [one for results in done.files.values() for one in results]


def files(root: Path) -> dict[str, bytes]:
    """What stands below `root` but hivemind's own; folders are empty bytes."""
    found = [path for path in sorted(root.rglob("*")) if ".hivemind" not in path.relative_to(root).parts]
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"" for path in found}


def notices(paths: Paths) -> list[str]:
    told = status(InMemoryStore(), paths, Config(), HOSTS, {}, provider="", now=NOW)
    return [notice for host in told.hosts for notice in host.notices]


def test_install_writes_it_once_and_links_to_it(paths: Paths) -> None:
    assert install(paths) == []
    skill = paths.home / REAL / "SKILL.md"
    assert skill.read_text() == memory_skill.text()
    assert (paths.home / LINK).is_symlink()
    assert (paths.home / LINK).resolve() == skill.parent.resolve()
    before = skill.stat().st_mtime_ns
    assert install(paths) == []
    assert skill.stat().st_mtime_ns == before
    assert notices(paths) == []


def test_uninstall_leaves_every_byte_and_folder_as_it_was(paths: Paths) -> None:
    (paths.home / ".agents/skills/mine").mkdir(parents=True)
    (paths.home / ".agents/skills/mine/SKILL.md").write_text("mine")
    before = files(paths.home)
    install(paths)
    assert files(paths.home) != before
    results = uninstall(paths)
    assert files(paths.home) == before
    assert all(one.proven for one in results)
    assert paths.home / REAL / "SKILL.md" in [one.path for one in results]
    assert uninstall(paths) is not None
    assert files(paths.home) == before


def test_a_dry_run_shows_it_and_writes_nothing(paths: Paths) -> None:
    before = files(paths.home)
    assert [edit.path for edit in planned(paths).skill_edits] == [paths.home / REAL / "SKILL.md"]
    assert planned(paths).links == [paths.home / LINK]
    assert files(paths.home) == before
    install(paths)
    assert (planned(paths).skill_edits, planned(paths).links) == ((), [])


def test_a_skill_of_that_name_that_a_person_wrote_is_left(paths: Paths) -> None:
    mine = paths.home / REAL / "SKILL.md"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = files(paths.home)
    assert any("is left as it is" in notice for notice in planned(paths).skill_notices)
    install(paths)
    assert mine.read_text() == "mine"
    uninstall(paths)
    assert files(paths.home) == before


def test_a_persons_change_survives_install_and_uninstall(paths: Paths) -> None:
    install(paths)
    mine = paths.home / REAL / "SKILL.md"
    mine.write_text(mine.read_text() + "- And mine.\n")
    said = mine.read_text()
    install(paths)
    assert mine.read_text() == said
    assert notices(paths) == [], "it is theirs: nothing to say each day"
    left = [one for one in uninstall(paths) if one.path == mine]
    assert [one.outcome for one in left] == ["left"]
    assert mine.read_text() == said


def test_an_upgrade_renews_our_untouched_text_alone(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = memory_skill.text()
    monkeypatch.setattr(memory_skill, "text", lambda: newest.replace('version: "', 'version: "0'))
    install(paths)
    monkeypatch.undo()
    skill = paths.home / REAL / "SKILL.md"
    assert skill.read_text() != newest
    (notice,) = notices(paths)
    assert "another version" in notice
    assert [edit.after for edit in planned(paths).skill_edits] == [newest.encode()]
    install(paths)
    assert skill.read_text() == newest
    uninstall(paths)
    assert not skill.exists()


def test_one_that_a_person_removed_stays_removed_until_installed_anew(paths: Paths) -> None:
    install(paths)
    skill = paths.home / REAL / "SKILL.md"
    skill.unlink()
    skill.parent.rmdir()
    assert any("removed by you" in notice for notice in planned(paths).skill_notices)
    install(paths)
    assert not skill.exists()
    uninstall(paths)
    install(paths)
    assert skill.exists()


def test_a_home_whose_receipts_were_lost_is_still_cleaned(paths: Paths) -> None:
    before = files(paths.home)
    install(paths)
    uninstall(paths)
    install(paths)
    installing.purge(paths)
    (paths.home / ".claude/settings.json").write_text('{"model": "opus"}')
    install(paths)
    uninstall(paths)
    assert set(files(paths.home)) - {".claude/skills", ".agents", ".agents/skills"} == set(before)


def test_a_moved_folder_has_it_and_the_other_agents_too(paths: Paths, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    env = {"CLAUDE_CONFIG_DIR": str(moved)}
    before = files(tmp_path)
    assert install(paths, env) == []
    assert (moved / "skills/hivemind-memory/SKILL.md").read_text() == memory_skill.text()
    assert (paths.home / LINK / "SKILL.md").read_text() == memory_skill.text()
    assert not (paths.home / REAL).exists()
    uninstall(paths)
    assert files(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_told_and_the_hooks_are_wired(paths: Paths) -> None:
    (paths.home / ".claude/skills").write_text("a file")
    (said,) = install(paths)
    assert ".claude" in said
    assert HOSTS["claude"].wired(paths.home, installing.command_for(paths, HOSTS["claude"]))
    uninstall(paths)
    assert (paths.home / ".claude/skills").read_text() == "a file"


def test_it_is_no_skill_of_the_store_and_no_document_of_recall(paths: Paths) -> None:
    install(paths)
    store, index = InMemoryStore(), InMemoryIndex()
    store.append(
        [
            Project(
                id="p1",
                workspace_id="default",
                occurred_at=NOW,
                project_id="p",
                name="home",
                root=str(paths.home),
                remote="",
            )
        ]
    )
    owner = OwnedHivemind(paths=paths, config=Config(), store=store, sidecars=Sidecars(index))
    try:
        skill = paths.home / REAL / "SKILL.md"
        for change in (lambda: None, lambda: skill.write_text(skill.read_text() + "- Mine.\n"), skill.unlink):
            change()
            owner.tick(NOW)
            owner.settle()
            assert (store.count(SkillRevision), store.count(Notice), list(index.all())) == (0, 0, [])
    finally:
        owner.close()
    assert not os.path.lexists(skill)
