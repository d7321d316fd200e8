"""Our entries in Gemini CLI's settings.json, which may hold comments."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import gemini
from hivemind_cli.hosts.apply import apply, diff, undo
from hivemind_cli.hosts.command import hook_command, unfailing
from hivemind_cli.hosts.gemini import settings
from tests.hosts.odd_settings import ODD, REFUSED

GOLDEN = Path(__file__).parent / "golden" / "gemini"
WRITE_GOLDEN = os.environ.get("HIVEMIND_TEST_GOLDEN") == "write"
HOOK = Path("/home/dev/.hivemind/bin/hivemind_hook.py")
COMMAND = hook_command(Path("/usr/bin/python3.11"), HOOK, "gemini")
OLDER = hook_command(Path("/usr/bin/python3.9"), HOOK, "gemini")
COMMENTED = b"""{
  // mine
  "general": { "vimMode": true, /* yes */ },
  "hooks": {
    "BeforeTool": [
      {
        "matcher": "write_file", // a guard
        "hooks": [{ "type": "command", "name": "guard", "command": "~/bin/guard.sh" }],
      },
    ],
    // nothing at the end
  },
}
"""
OWN = {name: ODD[name] for name in ("empty-file", "empty-object", "two-spaces", "crlf", "minified", "unicode")}
FILES = {**OWN, "comments": COMMENTED}

Place = Callable[[bytes], Path]


@pytest.fixture
def place(own_home: Path) -> Place:
    """Puts settings.json into the home."""

    def put(content: bytes) -> Path:
        path = own_home / ".gemini" / "settings.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return put


def install(home: Path, command: str = COMMAND) -> None:
    apply(gemini.plan_install(home, command), home / "receipts", "gemini", "now")


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_dry_run_is_the_golden_diff(own_home: Path, place: Place, name: str) -> None:
    place(FILES[name])
    found = diff(gemini.plan_install(own_home, COMMAND)).replace(str(own_home), "~").encode()
    golden = GOLDEN / f"{name}.diff"
    if WRITE_GOLDEN:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(found)
    assert found == golden.read_bytes()


@pytest.mark.parametrize("name", sorted(FILES))
def test_uninstall_gives_back_every_byte_with_its_receipt_and_comments_without(
    own_home: Path, place: Place, name: str
) -> None:
    path = place(FILES[name])
    install(own_home, OLDER)
    install(own_home)
    assert gemini.wired(own_home, COMMAND) and not gemini.wired(own_home, OLDER)
    (edit,) = gemini.plan_uninstall(own_home, COMMAND)
    assert edit.after is not None and b"hivemind" not in edit.after
    assert edit.after.count(b"//") == FILES[name].count(b"//")
    (result,) = undo("gemini", own_home / "receipts", lambda: gemini.plan_uninstall(own_home, COMMAND))
    assert result.proven and path.read_bytes() == FILES[name]


def test_each_event_runs_the_hook_by_a_command_that_cannot_fail(own_home: Path, place: Place) -> None:
    path = place(b"{}\n")
    install(own_home)
    hooks = json.loads(path.read_text(encoding="utf-8"))["hooks"]
    assert list(hooks) == list(gemini.EVENTS)
    for event, (group,) in hooks.items():
        (handler,) = group["hooks"]
        assert handler["command"] == unfailing(f"{COMMAND} {event}")
        assert (handler["name"], handler["timeout"]) == ("hivemind", 10_000)  # milliseconds
        assert group.get("matcher", "*") == "*"


@pytest.mark.parametrize("name", sorted({*REFUSED} - {"comment", "trailing-comma"}))
def test_what_cannot_be_edited_is_refused_and_left(own_home: Path, place: Place, name: str) -> None:
    path = place(REFUSED[name])
    for plan in (gemini.plan_install, gemini.plan_uninstall):
        with pytest.raises(HostError):
            plan(own_home, COMMAND)
    assert path.read_bytes() == REFUSED[name]
    assert not gemini.wired(own_home, COMMAND)


@pytest.mark.parametrize("switch", ['{"enabled": false}', '{"disabled": ["other", "hivemind"]}'])
def test_switches_that_silence_hooks_are_told(own_home: Path, place: Place, tmp_path: Path, switch: str) -> None:
    place(f'{{"hooksConfig": {switch} // off\n}}'.encode())
    (said,) = gemini.notices(own_home)
    assert "hooksConfig" in said
    (edit,) = gemini.plan_install(own_home, COMMAND)
    assert edit.note == said
    system = tmp_path / "system.json"
    system.write_text(f'{{"hooksConfig": {switch}}}')
    assert len(settings.notices(own_home, system=system)) == 2
    place(b'{"hooksConfig": {"enabled": true, "disabled": ["other"]}}')
    assert gemini.notices(own_home) == []


def test_the_variable_stands_for_the_home_folder(own_home: Path) -> None:
    moved = own_home / "moved"
    moved.mkdir()
    for named in (moved, moved / ".gemini"):
        (edit,) = gemini.plan_install(own_home, COMMAND, config_dir=named)
        assert edit.path == moved / ".gemini" / "settings.json"
        (moved / ".gemini").mkdir(exist_ok=True)


def test_gemini_cli_is_known_by_its_folder(own_home: Path) -> None:
    assert not gemini.installed(own_home)
    (own_home / ".gemini").mkdir()
    assert gemini.installed(own_home)
