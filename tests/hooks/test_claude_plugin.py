"""The Claude Code plugin: the same events as the settings, silent where those run, and fail-open without hivemind."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hivemind_cli.app import installing
from hivemind_cli.core.assets import asset
from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts import HOSTS, claude
from hivemind_cli.pipeline.spool import Spool

PLUGIN = Path(str(asset("hooks", "plugins/claude/hook.sh"))).parent
EVENT = "PostToolUse"


@pytest.fixture
def paths(own_home: Path) -> Paths:
    """A home with Claude Code's folder; hivemind is there, and wires no agent yet."""
    home = own_home / "Zoë's home"
    (home / ".claude").mkdir(parents=True)
    paths = Paths(home / ".hivemind", home)
    wire(paths, [])
    return paths


def wire(paths: Paths, names: list[str]) -> None:
    plan = installing.plan(paths, [HOSTS[name] for name in names], {}, HOSTS)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    done = installing.install(paths, Config(), plan, daemon=(), env={}, now=now, hosts=HOSTS)
    assert not done.problems


def fires(paths: Paths) -> list[str]:
    """What was delivered when Claude Code has run every hook of the event: the plugin's, and those in its settings."""
    commands = [f'sh "{PLUGIN}/hook.sh" {EVENT}']
    settings = paths.home / ".claude" / "settings.json"
    groups = json.loads(settings.read_bytes()).get("hooks", {}).get(EVENT, []) if settings.exists() else []
    commands += [hook["command"] for group in groups for hook in group["hooks"]]
    env = {"HOME": str(paths.home), "PATH": os.environ["PATH"]}
    for command in commands:
        done = subprocess.run(
            ["/bin/sh", "-c", command], input=b'{"session_id": "s"}', capture_output=True, env=env, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    spool = Spool(paths)
    found = [spool.read(path) for path in spool.pending()]
    for path in spool.pending():
        spool.done(path)
    return [f"{one.host} {one.event}" for one in found]


def test_it_registers_what_install_would() -> None:
    said = json.loads((PLUGIN / "hooks" / "hooks.json").read_bytes())["hooks"]
    (edit,) = claude.plan_install(Path("/nowhere"), "COMMAND")
    assert edit.after is not None
    installed = edit.after.decode().replace("COMMAND", 'sh \\"${CLAUDE_PLUGIN_ROOT}/hook.sh\\"')
    assert said == json.loads(installed)["hooks"]


def test_its_manifests_name_it() -> None:
    plugin = json.loads((PLUGIN / ".claude-plugin" / "plugin.json").read_bytes())
    root = Path(__file__).parents[2]
    market = json.loads((root / ".claude-plugin" / "marketplace.json").read_bytes())
    assert [(one["name"], (root / one["source"]).resolve()) for one in market["plugins"]] == [(plugin["name"], PLUGIN)]


def test_alone_it_delivers(paths: Paths) -> None:
    assert fires(paths) == [f"claude {EVENT}"]


def test_beside_the_settings_an_event_is_delivered_once(paths: Paths) -> None:
    wire(paths, ["claude"])
    assert fires(paths) == [f"claude {EVENT}"]


def test_without_hivemind_it_says_nothing(paths: Paths) -> None:
    paths.hook.unlink()
    assert fires(paths) == []
