"""`doctor` lets Codex itself say which hooks of ours it runs; the program is one of our own."""

import json
import os
import sys
from pathlib import Path

import pytest

from hivemind_cli.app.codex_consent import look_at_codex
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts import codex
from hivemind_cli.hosts.apply import apply
from hivemind_cli.hosts.codex import trust
from hivemind_cli.hosts.command import hook_command

SERVER = """
import json, os, sys
for line in sys.stdin:
    told = json.loads(line)
    if "id" in told:
        with open(os.environ["CODEX_HOME"] + "/answer.json") as file:
            print(json.dumps({"id": told["id"], **json.load(file)}), flush=True)
"""


@pytest.fixture
def folder(own_home: Path) -> Path:
    """Codex's, with our hooks in it."""
    hook = own_home / ".hivemind" / "bin" / "hivemind_hook.py"
    edits = codex.plan_install(own_home, hook_command(Path("/usr/bin/python3"), hook, "codex"))
    apply(edits, own_home / "receipts", "codex", "now")
    return own_home / ".codex"


def looked(home: Path, answer: dict[str, object]) -> list[tuple[str, str]]:
    (home / ".codex" / "answer.json").write_text(json.dumps(answer))
    program = home / "bin" / "codex"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!{sys.executable} -IS\n{SERVER}")
    program.chmod(0o755)
    env = {**os.environ, "PATH": str(program.parent)}
    found = look_at_codex(Paths(root=home / ".hivemind", home=home), env, wait_s=60.0)
    return [(one.level, one.what) for one in found]


def answer(folder: Path, untrusted: int) -> dict[str, object]:
    hooks = [
        {
            "key": one.key,
            "command": one.command,
            "currentHash": one.digest,
            "trustStatus": "untrusted" if n < untrusted else "trusted",
            "enabled": True,
        }
        for n, one in enumerate(trust.trust(folder))
    ]
    return {"result": {"data": [{"hooks": hooks}]}}


def test_it_is_said_which_hooks_codex_runs(own_home: Path, folder: Path) -> None:
    ((level, said),) = looked(own_home, answer(folder, 0))
    assert (level, said) == ("ok", "Codex itself says that it runs all 10 hooks of hivemind.")
    ((level, said),) = looked(own_home, answer(folder, 1))
    assert level == "warn" and "1 of 10" in said and "SessionStart (untrusted)" in said


def test_what_it_does_not_answer_is_said_too(own_home: Path, folder: Path) -> None:
    ((level, said),) = looked(own_home, {"error": {"message": "no such method"}})
    assert level == "warn" and "no such method" in said


def test_without_codex_or_hooks_of_ours_nobody_is_asked(own_home: Path, folder: Path) -> None:
    paths = Paths(root=own_home / ".hivemind", home=own_home)
    assert list(look_at_codex(paths, {"PATH": str(own_home / "nowhere")})) == []
    (folder / "hooks.json").unlink()
    assert looked(own_home, {}) == []
