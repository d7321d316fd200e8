"""Our entries in a person's settings.json: what is written, what is not, and what is refused."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import claude
from hivemind_cli.hosts.apply import apply, diff, undo
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.claude import settings
from hivemind_cli.hosts.command import hook_command
from tests.hosts.odd_settings import ODD, REFUSED

GOLDEN = Path(__file__).parent / "golden" / "claude"
WRITE_GOLDEN = os.environ.get("HIVEMIND_TEST_GOLDEN") == "write"
COMMAND = hook_command(Path("/usr/bin/python3.11"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), "claude")
OLDER = hook_command(Path("/usr/bin/python3.9"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), "claude")

Place = Callable[[bytes], Path]


@pytest.fixture
def place(own_home: Path) -> Place:
    """Puts settings.json into the home."""

    def put(content: bytes) -> Path:
        path = own_home / ".claude" / "settings.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return put


def install(home: Path, command: str = COMMAND) -> list[Edit]:
    edits = claude.plan_install(home, command)
    apply(edits, home / "receipts", "claude", "now")
    return edits


def uninstall(home: Path) -> dict[str, Any]:
    (result,) = undo("claude", home / "receipts", lambda: claude.plan_uninstall(home, COMMAND))
    return {"outcome": result.outcome, "proven": result.proven, "diff": result.diff}


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_bytes().decode("utf-8-sig"))
    return value


@pytest.mark.parametrize("name", sorted(ODD))
def test_the_dry_run_is_the_golden_diff(own_home: Path, place: Place, name: str) -> None:
    place(ODD[name])
    found = diff(claude.plan_install(own_home, COMMAND)).replace(str(own_home), "~").encode()
    golden = GOLDEN / f"{name}.diff"
    if WRITE_GOLDEN:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(found)
    assert found == golden.read_bytes()


@pytest.mark.parametrize("name", sorted(ODD))
def test_install_adds_our_hooks_and_nothing_else(own_home: Path, place: Place, name: str) -> None:
    path = place(ODD[name])
    before = read(path) if ODD[name].strip() else {}
    install(own_home)
    after = read(path)
    assert {key: value for key, value in after.items() if key != "hooks"} == {
        key: value for key, value in before.items() if key != "hooks"
    }
    for event, groups in before.get("hooks", {}).items():
        assert after["hooks"][event][: len(groups)] == groups
    for event in claude.EVENTS:
        assert after["hooks"][event][-1]["hooks"] == [
            {"type": "command", "command": f"{COMMAND} {event}", "timeout": 10}
        ]
    assert claude.wired(own_home, COMMAND)
    assert claude.plan_install(own_home, COMMAND) == []


@pytest.mark.parametrize("name", sorted(ODD))
def test_uninstall_gives_back_every_byte(own_home: Path, place: Place, name: str) -> None:
    path = place(ODD[name])
    install(own_home)
    install(own_home, OLDER)
    assert uninstall(own_home) == {"outcome": "restored", "proven": True, "diff": ""}
    assert path.read_bytes() == ODD[name]


@pytest.mark.parametrize("name", sorted(ODD))
def test_without_a_receipt_our_entries_alone_are_cut(own_home: Path, place: Place, name: str) -> None:
    path = place(ODD[name])
    before = read(path) if ODD[name].strip() else {}
    install(own_home)
    (own_home / "receipts" / "claude.json").unlink()
    assert uninstall(own_home)["outcome"] == "cleaned"
    after = read(path)
    untouched = [name for name, value in before.get("hooks", {}).items() if value]
    assert {key: value for key, value in after.items() if key != "hooks"} == {
        key: value for key, value in before.items() if key != "hooks"
    }
    assert {event: after["hooks"][event] for event in untouched} == {
        event: before["hooks"][event] for event in untouched
    }
    assert "hivemind" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["two-spaces", "tabs", "minified", "crlf", "bom", "unicode", "odd-spacing"])
def test_cut_by_hand_the_text_too_is_as_it_was(own_home: Path, place: Place, name: str) -> None:
    path = place(ODD[name])
    install(own_home)
    (edit,) = claude.plan_uninstall(own_home, COMMAND)
    assert edit.after == ODD[name]
    assert path.read_bytes() != ODD[name]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_edited_is_refused_and_left(own_home: Path, place: Place, name: str) -> None:
    path = place(REFUSED[name])
    for plan in (claude.plan_install, claude.plan_uninstall):
        with pytest.raises(HostError) as refusal:
            plan(own_home, COMMAND)
        assert refusal.value.why and refusal.value.fix
        assert str(path) in str(refusal.value)
    assert path.read_bytes() == REFUSED[name]
    assert not claude.wired(own_home, COMMAND)


def test_a_refusal_names_line_and_column(own_home: Path, place: Place) -> None:
    place(REFUSED["comment"])
    with pytest.raises(HostError, match="line 2 column 19"):
        claude.plan_install(own_home, COMMAND)


def test_an_older_command_is_replaced_where_it_stands(own_home: Path, place: Place) -> None:
    path = place(ODD["foreign-on-our-events"])
    install(own_home, OLDER)
    settings_now = read(path)
    settings_now["hooks"]["PreToolUse"].append({"hooks": [{"type": "command", "command": "later"}]})
    path.write_text(json.dumps(settings_now, indent=2))
    install(own_home)
    groups = read(path)["hooks"]["PreToolUse"]
    assert [group["hooks"][0]["command"] for group in groups] == [
        "~/bin/guard.sh",
        f"{COMMAND} PreToolUse",
        "later",
    ]


def test_a_handler_moved_into_a_foreign_group_is_ours_alone_to_change(own_home: Path, place: Place) -> None:
    foreign = {"type": "command", "command": "x"}
    mixed = {"matcher": "Bash", "hooks": [foreign, {"type": "command", "command": f"{OLDER} Stop", "timeout": 10}]}
    path = place(json.dumps({"hooks": {"Stop": [mixed]}}).encode())
    install(own_home)
    (group,) = read(path)["hooks"]["Stop"]
    assert group["matcher"] == "Bash"
    assert [handler["command"] for handler in group["hooks"]] == ["x", f"{COMMAND} Stop"]
    (edit,) = claude.plan_uninstall(own_home, COMMAND)
    assert edit.after is not None
    assert json.loads(edit.after) == {"hooks": {"Stop": [{"matcher": "Bash", "hooks": [foreign]}]}}


def test_doubles_of_ours_and_events_of_older_versions_are_cut(own_home: Path, place: Place) -> None:
    ours = {"hooks": [{"type": "command", "command": f"{OLDER} Stop"}]}
    path = place(json.dumps({"hooks": {"Stop": [ours, ours], "Notification": [ours], "Setup": []}}, indent=2).encode())
    install(own_home)
    hooks = read(path)["hooks"]
    assert len(hooks["Stop"]) == 1
    assert "Notification" not in hooks
    assert hooks["Setup"] == []
    assert claude.plan_install(own_home, COMMAND) == []


def test_a_person_who_edited_meanwhile_keeps_the_edit_and_is_shown_it(own_home: Path, place: Place) -> None:
    path = place(ODD["two-spaces"])
    install(own_home)
    path.write_text(path.read_text().replace('"opus"', '"sonnet"'))
    result = uninstall(own_home)
    assert (result["outcome"], result["proven"]) == ("cleaned", False)
    assert '-  "model": "opus",\n+  "model": "sonnet",\n' in result["diff"]
    assert path.read_bytes() == ODD["two-spaces"].replace(b"opus", b"sonnet")


def test_a_link_is_followed_and_kept(own_home: Path, place: Place) -> None:
    path = place(b"{}\n")
    dotfile = own_home / "dotfiles" / "claude.json"
    dotfile.parent.mkdir()
    path.rename(dotfile)
    path.symlink_to(dotfile)
    install(own_home)
    assert path.is_symlink()
    assert claude.wired(own_home, COMMAND)
    assert uninstall(own_home)["proven"]
    assert path.is_symlink() and dotfile.read_bytes() == b"{}\n"


@pytest.mark.parametrize("target", ["missing.json", "settings.json", "/dev/null"])
def test_a_link_to_nothing_to_itself_or_to_no_file_is_refused(own_home: Path, target: str) -> None:
    path = own_home / ".claude" / "settings.json"
    path.parent.mkdir()
    path.symlink_to(target)
    with pytest.raises(HostError, match="link"):
        claude.plan_install(own_home, COMMAND)


def test_a_read_only_file_is_left_with_advice(own_home: Path, place: Place) -> None:
    path = place(b"{}\n")
    path.chmod(0o444)
    with pytest.raises(HostError, match="chmod u\\+w"):
        claude.plan_install(own_home, COMMAND)


def test_a_folder_in_its_place_is_refused(own_home: Path) -> None:
    (own_home / ".claude" / "settings.json").mkdir(parents=True)
    with pytest.raises(HostError, match="cannot be read"):
        claude.plan_install(own_home, COMMAND)


def test_switches_that_silence_hooks_are_told(own_home: Path, place: Place, tmp_path: Path) -> None:
    place(b'{"disableAllHooks": true}')
    managed = tmp_path / "managed-settings.json"
    managed.write_text('{"allowManagedHooksOnly": true}')
    said = settings.notices(own_home, managed=managed)
    assert ["disableAllHooks" in said[0], "allowManagedHooksOnly" in said[1]] == [True, True]
    (edit,) = claude.plan_install(own_home, COMMAND)
    assert "disableAllHooks" in edit.note


def test_claude_code_is_known_by_its_folder_or_its_program(own_home: Path) -> None:
    program = own_home / ".local" / "bin" / "claude"
    program.parent.mkdir(parents=True)
    program.touch()
    assert claude.installed(own_home)
    program.unlink()
    assert not claude.installed(own_home)
    (own_home / ".claude").mkdir()
    assert claude.installed(own_home)
