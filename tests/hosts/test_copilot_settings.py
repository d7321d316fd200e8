"""Copilot CLI's hook file that is ours alone, and what of a person's may stand in its way."""

import json
import os
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import copilot
from hivemind_cli.hosts.apply import apply, diff, undo
from hivemind_cli.hosts.command import hook_command, unfailing

GOLDEN = Path(__file__).parent / "golden" / "copilot" / "absent.diff"
WRITE_GOLDEN = os.environ.get("HIVEMIND_TEST_GOLDEN") == "write"
HOOK = Path("/home/dev/.hivemind/bin/hivemind_hook.py")
COMMAND = hook_command(Path("/usr/bin/python3.11"), HOOK, "copilot")
OLDER = hook_command(Path("/usr/bin/python3.9"), HOOK, "copilot")
NAMED = Path(".copilot", "hooks", "hivemind.json")


def install(home: Path, command: str = COMMAND) -> Path:
    apply(copilot.plan_install(home, command), home / "receipts", "copilot", "now")
    return home / NAMED


def test_the_dry_run_is_the_golden_diff(own_home: Path) -> None:
    found = diff(copilot.plan_install(own_home, COMMAND)).replace(str(own_home), "~").encode()
    if WRITE_GOLDEN:
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_bytes(found)
    assert found == GOLDEN.read_bytes()


def test_each_event_runs_the_hook_by_a_command_that_cannot_fail(own_home: Path) -> None:
    told = json.loads(install(own_home).read_text(encoding="utf-8"))
    assert told.pop("version") == 1
    assert told.pop("hooks") == {
        event: [{"type": "command", "bash": unfailing(f"{COMMAND} {event}"), "timeoutSec": 10}]
        for event in copilot.EVENTS
    }
    assert told == {}


def test_other_files_of_the_folder_are_left(own_home: Path) -> None:
    other = own_home / ".copilot" / "hooks" / "mine.json"
    other.parent.mkdir(parents=True)
    other.write_text('{"version": 1, "hooks": {}} // mine\n')
    path = install(own_home)
    (result,) = undo("copilot", own_home / "receipts", lambda: copilot.plan_uninstall(own_home, COMMAND))
    assert result.proven and not path.exists()
    assert other.read_text() == '{"version": 1, "hooks": {}} // mine\n'


def test_without_a_receipt_the_file_goes_unless_a_person_added_to_it(own_home: Path) -> None:
    path = install(own_home, OLDER)
    (edit,) = copilot.plan_uninstall(own_home, COMMAND)
    assert edit.after is None
    told = json.loads(path.read_text(encoding="utf-8"))
    told["hooks"]["sessionStart"].append({"type": "command", "bash": "bell"})
    path.write_text(json.dumps(told))
    (edit,) = copilot.plan_uninstall(own_home, COMMAND)
    assert edit.after is not None
    assert json.loads(edit.after)["hooks"] == {"sessionStart": [{"type": "command", "bash": "bell"}]}


def test_an_older_command_is_replaced(own_home: Path) -> None:
    install(own_home, OLDER)
    assert not copilot.wired(own_home, COMMAND)
    path = install(own_home)
    assert copilot.wired(own_home, COMMAND) and "python3.9" not in path.read_text(encoding="utf-8")
    assert copilot.plan_install(own_home, COMMAND) == []


def test_a_damaged_file_is_refused_and_left(own_home: Path) -> None:
    path = own_home / NAMED
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 1,')
    for plan in (copilot.plan_install, copilot.plan_uninstall):
        with pytest.raises(HostError):
            plan(own_home, COMMAND)
    assert not copilot.wired(own_home, COMMAND)
    assert path.read_text() == '{"version": 1,'


def test_a_switch_that_silences_hooks_is_told(own_home: Path) -> None:
    named = own_home / ".copilot" / "settings.json"
    named.parent.mkdir()
    named.write_text('{"disableAllHooks": true, // for now\n}')
    (said,) = copilot.notices(own_home)
    assert "disableAllHooks" in said
    (edit,) = copilot.plan_install(own_home, COMMAND)
    assert edit.note == said


def test_the_variable_names_the_hosts_own_folder(own_home: Path) -> None:
    (edit,) = copilot.plan_install(own_home, COMMAND, config_dir=own_home / "moved")
    assert edit.path == own_home / "moved" / "hooks" / "hivemind.json"
    assert not copilot.installed(own_home)
    (own_home / ".copilot").mkdir()
    assert copilot.installed(own_home)
