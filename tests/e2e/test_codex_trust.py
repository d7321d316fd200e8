"""The real Codex on our entries in hooks.json: what we read of consent is what it says, and no one else's is lost."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.hosts import codex
from hivemind_cli.hosts.apply import apply, undo
from hivemind_cli.hosts.codex import trust
from hivemind_cli.hosts.codex.appserver import asked_trust, hooks_list, write_trust
from hivemind_cli.hosts.codex.trust import Consent, HookTrust
from hivemind_cli.hosts.command import hook_command
from tests.e2e.conftest import Grounds

SHARED = ("Stop", "PreToolUse", "SessionEnd")
"""Events at which others have hooks, before ours and behind them."""

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def program(client_of: Callable[[str], Grounds], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The real `codex`, kept off the network."""
    grounds = client_of("codex")
    path = tmp_path_factory.mktemp("bin") / "codex"
    call = " ".join(map(shlex.quote, [*grounds.namespaces, str(grounds.client)]))
    path.write_text(f'#!/bin/sh\nexec {call} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def folder(own_home: Path) -> Path:
    """Codex's, in a home with a name of its own; others have hooks in it."""
    folder = own_home / "Zoë's home" / ".codex"
    folder.mkdir(parents=True)
    put(folder, {event: [_group("first")] for event in SHARED})
    return folder


def _group(command: str) -> dict[str, Any]:
    return {"hooks": [{"type": "command", "command": f"echo {command}", "timeout": 5}]}


def put(folder: Path, more: dict[str, list[dict[str, Any]]]) -> None:
    """Append groups, as another installer does."""
    path = folder / "hooks.json"
    told = json.loads(path.read_text()) if path.exists() else {"hooks": {}}
    for event, groups in more.items():
        told["hooks"].setdefault(event, []).extend(groups)
    path.write_text(json.dumps(told, indent=2), encoding="utf-8")


def wire(folder: Path, command: str) -> None:
    home = folder.parent
    apply(codex.plan_install(home, command), home / "receipts", "codex", "now")


def agree_to_all(program: str, folder: Path) -> None:
    """As a person does in `/hooks`."""
    hooks = hooks_list(program, folder, os.environ)
    shown = [
        HookTrust(one["eventName"], one["key"], one["command"], one["currentHash"], Consent.UNTRUSTED) for one in hooks
    ]
    write_trust(program, folder, os.environ, shown)


def others(program: str, folder: Path) -> dict[str, str]:
    """Command and event of each hook that is not ours, and what Codex says of it."""
    hooks = hooks_list(program, folder, os.environ)
    return {f"{one['command']} {one['eventName']}": one["trustStatus"] for one in hooks if "echo" in one["command"]}


def both(program: str, folder: Path) -> tuple[list[HookTrust], list[HookTrust]]:
    """Our reading of config.toml, and Codex's own word."""
    return trust.trust(folder), asked_trust(program, folder, os.environ)


def test_we_read_what_codex_says_and_places_keep_everyones_consent(program: str, folder: Path) -> None:
    home = folder.parent
    hook = home / ".hivemind" / "bin" / "hivemind_hook.py"
    older, newer = (hook_command(Path(f"/usr/bin/python3.{n}"), hook, "codex") for n in (10, 11))
    wire(folder, older)
    read, told = both(program, folder)
    assert read == told and {one.consent for one in read} == {Consent.UNTRUSTED}

    put(folder, {event: [_group("last")] for event in SHARED})
    agree_to_all(program, folder)
    read, told = both(program, folder)
    assert read == told and {one.consent for one in read} == {Consent.TRUSTED}
    assert codex.notices(home) == []

    wire(folder, newer)  # in place: Codex asks again about ours, and about no other
    read, told = both(program, folder)
    assert read == told and {one.consent for one in read} == {Consent.MODIFIED}
    assert set(others(program, folder).values()) == {"trusted"}

    after = write_trust(program, folder, os.environ, read)
    assert {one.consent for one in after} == {Consent.TRUSTED} and trust.trust(folder) == after

    undo("codex", home / "receipts", lambda: codex.plan_uninstall(home, newer))
    assert trust.trust(folder) == []
    left = others(program, folder)
    assert len(left) == 2 * len(SHARED) and set(left.values()) == {"trusted"}


def test_a_file_that_codex_drops_is_told_before_anybody_wonders(program: str, folder: Path) -> None:
    wire(folder, hook_command(Path("/usr/bin/python3"), folder / "hivemind_hook.py", "codex"))
    told = json.loads((folder / "hooks.json").read_text())
    (folder / "hooks.json").write_text(json.dumps({**told, "version": 1}), encoding="utf-8")
    assert hooks_list(program, folder, os.environ) == []
    assert any("holds version: Codex drops the whole file" in said for said in codex.notices(folder.parent))
    assert {one.consent for one in asked_trust(program, folder, os.environ)} == {Consent.UNKNOWN}
