"""Hooks and the list of MCP servers in one file: it is as it was, byte for byte, whichever came first."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app import installing, registering
from hivemind_cli.app.uninstalling import uninstall
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts import HOSTS

NOW = datetime(2026, 11, 2, tzinfo=UTC)
FILES = {"gemini": ".gemini/settings.json", "hermes": ".hermes/config.yaml", "openclaw": ".openclaw/openclaw.json"}
MINE = {"gemini": b'{"a" :1 ,\n"mcpServers":{}}', "hermes": b"mcp_servers: {}\nhooks: # none", "openclaw": b"{a: 1,}"}


@pytest.mark.parametrize("hooks_first", [True, False])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("host", FILES)
def test_the_file_is_as_it_was_whichever_came_first(own_home: Path, host: str, kept: bool, hooks_first: bool) -> None:
    paths, path = Paths(root=own_home / ".hivemind", home=own_home), own_home / FILES[host]
    path.parent.mkdir()
    if kept:
        path.write_bytes(MINE[host])

    def wire() -> None:
        planned = installing.plan(paths, [HOSTS[host]], {}, HOSTS)
        installing.install(paths, Config(), planned, daemon=["/bin/true"], env={}, now=NOW, hosts=HOSTS)

    def tell() -> None:
        for one in registering.plan(paths, {}, [host]):
            assert registering.register(paths, one, NOW).problem is None

    for step in (wire, tell) if hooks_first else (tell, wire):
        step()
    assert b"hivemind_cli" in path.read_bytes() and HOSTS[host].wired(
        own_home, installing.command_for(paths, HOSTS[host])
    )
    done = uninstall(paths, HOSTS, [host])
    assert not done.problems and all(file.proven for file in done.files[host])
    assert (path.read_bytes() if path.exists() else None) == (MINE[host] if kept else None)
