"""What any host must do: the same suite for every entry of HOSTS."""

import json
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import HOSTS, known_host
from hivemind_cli.hosts.apply import apply, undo
from hivemind_cli.hosts.base import Host


@pytest.fixture(params=sorted(HOSTS))
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param]


def test_its_name_is_its_key(host: Host) -> None:
    assert HOSTS[host.NAME] is host
    assert host.LABEL and host.EVENTS


def test_install_wires_it_and_a_second_plan_is_empty(host: Host, own_home: Path, command: str) -> None:
    assert not host.wired(own_home, command)
    apply(host.plan_install(own_home, command), own_home / "receipts", host.NAME, "now")
    assert host.wired(own_home, command)
    assert host.plan_install(own_home, command) == []


def test_uninstall_leaves_a_fresh_home_as_it_was(host: Host, own_home: Path, command: str) -> None:
    apply(host.plan_install(own_home, command), own_home / "receipts", host.NAME, "now")
    results = undo(host.NAME, own_home / "receipts", lambda: host.plan_uninstall(own_home, command))
    assert results and all(one.proven for one in results)
    assert sorted(path.name for path in own_home.iterdir()) == ["receipts"]


def test_another_command_is_not_wired_until_reinstalled(host: Host, own_home: Path, command: str) -> None:
    apply(host.plan_install(own_home, command), own_home / "receipts", host.NAME, "now")
    newer = command.replace("/usr/bin/python3", "/opt/python/bin/python3")
    assert not host.wired(own_home, newer)
    apply(host.plan_install(own_home, newer), own_home / "receipts", host.NAME, "now")
    assert host.wired(own_home, newer)
    assert not host.wired(own_home, command)


def test_planning_writes_nothing(host: Host, own_home: Path, command: str) -> None:
    host.plan_install(own_home, command)
    host.plan_uninstall(own_home, command)
    assert list(own_home.iterdir()) == []


def test_an_empty_home_holds_no_host_and_no_session(host: Host, own_home: Path) -> None:
    assert not host.installed(own_home)
    assert list(host.find_sessions(own_home)) == []
    assert host.notices(own_home) == []


def test_a_moved_config_folder_is_used_instead_of_the_usual_one(host: Host, own_home: Path, command: str) -> None:
    elsewhere = own_home / "elsewhere"
    elsewhere.mkdir()
    edits = host.plan_install(own_home, command, config_dir=elsewhere)
    assert edits and all(edit.path.is_relative_to(elsewhere) for edit in edits)
    apply(edits, own_home / "receipts", host.NAME, "now", config_dir=str(elsewhere))
    assert host.installed(own_home, config_dir=elsewhere)


def test_an_event_no_one_knows_shows_nothing(host: Host) -> None:
    assert host.decode("SomethingNew", {"session_id": "s", "anything": [1]}) == []


def test_a_projects_skill_folders_lie_in_the_project(host: Host, tmp_path: Path) -> None:
    folders = host.skill_folders(tmp_path)
    assert all(folder.is_relative_to(tmp_path) for folder in folders)
    assert folders or host.NAME in ("hermes", "openclaw", "windsurf"), "hosts that look for none in a project"


def test_a_wrong_name_is_answered_with_the_nearest_right_one() -> None:
    assert known_host("claude").NAME == "claude"
    with pytest.raises(HostError, match=r"Did you mean 'claude'\?"):
        known_host("cluade")
    with pytest.raises(HostError, match="This version wires claude"):
        known_host("zzz")


def test_every_registered_event_runs_the_command_with_its_name(own_home: Path, command: str) -> None:
    (edit,) = HOSTS["claude"].plan_install(own_home, command)
    assert edit.after is not None
    hooks = json.loads(edit.after)["hooks"]
    assert {event: groups[0]["hooks"][0]["command"] for event, groups in hooks.items()} == {
        event: f"{command} {event}" for event in HOSTS["claude"].EVENTS
    }
