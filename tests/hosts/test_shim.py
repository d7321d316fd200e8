"""The plugin's file: ours as we wrote it, theirs once a person changed it."""

import json
import re
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.apply import apply, undo
from hivemind_cli.hosts.base import Host

PLUGINS = {
    "pi": ".pi/agent/extensions/hivemind.ts",
    "opencode": ".config/opencode/plugin/hivemind.js",
    "kilo": ".config/kilo/plugins/hivemind.js",
}


@pytest.fixture(params=sorted(PLUGINS))
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param]


@pytest.fixture
def plugin(host: Host, own_home: Path) -> Path:
    return own_home / PLUGINS[host.NAME]


def install(host: Host, home: Path, command: str) -> None:
    apply(host.plan_install(home, command), home / "receipts", host.NAME, "now")


def uninstall(host: Host, home: Path, command: str) -> list[str]:
    return [one.outcome for one in undo(host.NAME, home / "receipts", lambda: host.plan_uninstall(home, command))]


def test_it_holds_the_command_as_a_literal_and_one_default_export(host: Host, plugin: Path, own_home: Path) -> None:
    command = "[ -x '/a \"b\"/python' ] && exec \\ ü"
    install(host, own_home, command)
    text = plugin.read_text(encoding="utf-8")
    (literal,) = re.findall(r"^const HOOK = (.*); //", text, re.MULTILINE)
    assert json.loads(literal) == command
    assert len(re.findall(r"^export\b", text, re.MULTILINE)) == 1
    assert "\nexport default " in text


def test_a_changed_copy_is_theirs(host: Host, plugin: Path, own_home: Path, command: str) -> None:
    install(host, own_home, command)
    plugin.write_bytes(plugin.read_bytes() + b"// mine\n")
    theirs = plugin.read_bytes()
    assert not host.wired(own_home, command)
    with pytest.raises(HostError, match="not as hivemind wrote it"):
        host.plan_install(own_home, command)
    assert uninstall(host, own_home, command) == ["left"]
    assert plugin.read_bytes() == theirs


def test_one_of_an_older_hivemind_is_renewed_and_removed(
    host: Host, plugin: Path, own_home: Path, command: str
) -> None:
    install(host, own_home, command.replace("python3", "python3.9"))
    install(host, own_home, command)
    assert host.wired(own_home, command)
    assert uninstall(host, own_home, command) == ["deleted"]
    assert not plugin.exists()


def test_without_a_receipt_it_is_found_and_removed(host: Host, plugin: Path, own_home: Path, command: str) -> None:
    install(host, own_home, command)
    (own_home / "receipts" / f"{host.NAME}.json").unlink()
    uninstall(host, own_home, "another command")
    assert not plugin.exists()


def test_plugins_beside_it_stay(host: Host, plugin: Path, own_home: Path, command: str) -> None:
    plugin.parent.mkdir(parents=True)
    (plugin.parent / "own.js").write_text("export default () => {};\n")
    install(host, own_home, command)
    uninstall(host, own_home, command)
    assert [path.name for path in plugin.parent.iterdir()] == ["own.js"]


def test_behind_a_link_the_file_itself_is_renewed(host: Host, plugin: Path, own_home: Path, command: str) -> None:
    install(host, own_home, command.replace("python3", "python3.9"))
    kept = own_home / "dotfiles.js"
    plugin.rename(kept)
    plugin.symlink_to(kept)
    install(host, own_home, command)
    assert plugin.is_symlink() and host.wired(own_home, command)


def test_a_folder_in_its_place_is_told(host: Host, plugin: Path, own_home: Path, command: str) -> None:
    plugin.mkdir(parents=True)
    assert not host.wired(own_home, command)
    with pytest.raises(HostError, match="cannot be read"):
        host.plan_install(own_home, command)
