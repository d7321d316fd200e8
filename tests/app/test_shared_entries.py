"""Claude Code and VS Code's agent run the same entries: they go with the last of the two, byte for byte."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app import installing
from hivemind_cli.app.uninstalling import uninstall
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts import HOSTS

MINE = b'{\n  "model": "opus"\n}\n'
NOW = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def paths(own_home: Path) -> Paths:
    for folder in (".claude", ".vscode"):
        (own_home / folder).mkdir()
    (own_home / ".claude" / "settings.json").write_bytes(MINE)
    return Paths(root=own_home / ".hivemind", home=own_home)


@pytest.mark.parametrize("order", [("claude", "vscode"), ("vscode", "claude")])
@pytest.mark.parametrize("first", ["claude", "vscode"])
def test_uninstalling_one_keeps_the_entries_of_the_other(paths: Paths, order: tuple[str, ...], first: str) -> None:
    settings = paths.home / ".claude" / "settings.json"
    for name in order:
        planned = installing.plan(paths, [HOSTS[name]], {}, HOSTS)
        installing.install(paths, Config(), planned, daemon=["/bin/true"], env={}, now=NOW, hosts=HOSTS)
    wired = settings.read_bytes()
    done = uninstall(paths, HOSTS, [first])
    other = next(name for name in order if name != first)
    assert done.shared == {first: other} and settings.read_bytes() == wired
    assert uninstall(paths, HOSTS, [other]).shared == {}
    assert settings.read_bytes() == MINE


def test_uninstalling_one_that_was_never_wired_keeps_the_entries_of_the_other(paths: Paths) -> None:
    settings = paths.home / ".claude" / "settings.json"
    planned = installing.plan(paths, [HOSTS["claude"]], {}, HOSTS)
    installing.install(paths, Config(), planned, daemon=["/bin/true"], env={}, now=NOW, hosts=HOSTS)
    wired = settings.read_bytes()
    assert uninstall(paths, HOSTS, ["vscode"]).shared == {"vscode": "claude"}
    assert settings.read_bytes() == wired
