"""`hivemind mcp install` and `uninstall` at the door."""

import json
from pathlib import Path

import pytest

from hivemind_cli.hosts.mcp_files import SERVER_FILES
from tests.cli.here import Done, run_here


def mcp(*words: str, code: int = 0) -> Done:
    done = run_here("mcp", *words)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def found(own_home: Path) -> Path:
    """Two agents are here."""
    (own_home / ".cursor").mkdir()
    (own_home / ".codex").mkdir()
    (own_home / ".codex" / "config.toml").write_text('model = "x" # mine\n')
    return own_home


def test_agents_that_are_here_are_told_and_untold(found: Path) -> None:
    done = mcp("install")
    assert "Codex CLI" in done.stdout and "Cursor" in done.stdout and "Windsurf" not in done.stdout
    assert "claude mcp add --scope user --transport stdio hivemind -- " in done.stderr
    (server,) = json.loads((found / ".cursor" / "mcp.json").read_text())["mcpServers"].values()
    assert server["args"] == ["-P", "-m", "hivemind_cli", "mcp"] and "env" not in server
    again = json.loads(mcp("install", "--json").stdout)
    assert {one["host"]: one["state"] for one in again["hosts"]} == {"codex": "unchanged", "cursor": "unchanged"}
    assert "byte for byte as before" in mcp("uninstall").stdout
    assert not (found / ".cursor" / "mcp.json").exists()
    assert (found / ".codex" / "config.toml").read_text() == 'model = "x" # mine\n'
    assert "No agent was told" in mcp("uninstall").stdout


def test_a_dry_run_writes_nothing(found: Path) -> None:
    done = mcp("install", "--dry-run")
    assert "+[mcp_servers.hivemind]" in done.stdout and "would change" in done.stdout
    assert not (found / ".cursor" / "mcp.json").exists()


def test_another_home_is_told_to_the_host(found: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEMIND_HOME", str(found / "of hers"))
    monkeypatch.setenv("CODEX_HOME", str(found / "moved"))
    said = mcp("install", "--only", "codex,windsurf,claude").stderr
    assert f"--env 'HIVEMIND_HOME={found}/of hers'" in said
    assert "of hers" in (found / "moved" / "config.toml").read_text()
    monkeypatch.delenv("CODEX_HOME")
    assert json.loads(mcp("uninstall", "--json").stdout)["hosts"]["codex"][0]["outcome"] == "deleted"
    assert not (found / "moved").exists() and not SERVER_FILES["windsurf"].path(found).exists()


def test_hivemind_uninstall_takes_it_back_too(found: Path) -> None:
    assert run_here("install", "--yes").returncode == 0
    mcp("install")
    assert run_here("uninstall").returncode == 0
    assert not (found / ".cursor" / "mcp.json").exists() and not (found / ".cursor" / "hooks.json").exists()
    assert (found / ".codex" / "config.toml").read_text() == 'model = "x" # mine\n'


def test_an_agent_whose_hooks_can_tell_it_nothing_is_told_with_install(own_home: Path) -> None:
    folder = own_home / ".codeium" / "windsurf"
    folder.mkdir(parents=True)
    (folder / "mcp_config.json").write_text('{"mcpServers": {}} // mine\n')
    (own_home / ".cursor").mkdir()
    dry = run_here("install", "--dry-run")
    assert "+++ " in dry.stderr and '"hivemind_cli"' in dry.stderr and "mcp_config.json" in dry.stderr
    assert run_here("install", "--yes").returncode == 0
    assert SERVER_FILES["windsurf"].registered(own_home) and not SERVER_FILES["cursor"].registered(own_home)
    assert run_here("uninstall").returncode == 0
    assert (folder / "mcp_config.json").read_text() == '{"mcpServers": {}} // mine\n'


def test_without_the_sdk_it_is_told_how_to_get_it(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_home / ".codeium" / "windsurf").mkdir(parents=True)
    monkeypatch.setattr("hivemind_cli.cli.mcp.find_spec", lambda name: None)
    assert 'pip install "hivemind-loop[serve]"' in " ".join(run_here("install", "--yes").stderr.split())
    assert not SERVER_FILES["windsurf"].registered(own_home)


def test_one_agents_problem_is_told_and_stops_no_other(found: Path) -> None:
    (found / ".codex" / "config.toml").write_text("[a\n")
    done = mcp("install", code=3)
    assert "failed" in done.stdout and "config.toml is not as hivemind can edit it" in done.stderr
    assert (found / ".cursor" / "mcp.json").exists()
    assert "'nano'" in mcp("install", "--only", "nano", code=3).stderr


def test_a_damaged_receipt_of_one_stops_neither_the_others_nor_the_hooks(found: Path) -> None:
    (found / ".codeium" / "windsurf").mkdir(parents=True)
    receipts = found / ".hivemind" / "receipts" / "mcp"
    receipts.mkdir(parents=True)
    for host in ("codex", "windsurf"):
        (receipts / f"{host}.json").write_text("{")
    done = mcp("install", code=3)
    assert "codex.json cannot be read" in done.stderr and "failed" in done.stdout
    assert SERVER_FILES["cursor"].registered(found) and not SERVER_FILES["codex"].registered(found)
    wired = run_here("install", "--yes", "--only", "windsurf")
    assert wired.returncode == 0 and "Windsurf wired" in wired.stdout and "cannot be read" in wired.stderr
