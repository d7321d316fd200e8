"""`hivemind token` at the door."""

import json
from pathlib import Path

from tests.cli.here import Done, run_here


def token(*words: str, code: int = 0) -> Done:
    done = run_here("token", *words)
    assert done.returncode == code, done.stderr
    return done


def test_a_token_is_made_shown_once_listed_and_revoked(own_home: Path) -> None:
    assert "There is no token" in token("list").stderr
    made = token("create", "ci", "-w", "shop", "-w", "payments", "--write", "--expires", "30d")
    said = made.stdout.strip()
    assert said.startswith("hmt_") and said not in made.stderr and "read and write, until" in made.stderr
    listed = token("list")
    assert "ci" in listed.stdout and "workspaces shop, payments" in listed.stdout and said not in listed.stdout
    (one,) = json.loads(token("list", "--json").stdout)
    assert one["access"] == "write" and one["workspaces"] == ["shop", "payments"] and "sha256" not in one
    assert "is revoked" in token("revoke", "ci").stdout
    assert "There is no such token" in token("revoke", "ci", code=2).stderr


def test_without_a_workspace_it_is_for_the_persons_own(own_home: Path) -> None:
    made = json.loads(token("create", "laptop", "--json").stdout)
    assert made["workspaces"] == ["default"] and made["access"] == "read" and made["token"].startswith("hmt_")
    assert "cannot end after" in token("create", "ci", "--expires", "0d", code=2).stderr
    assert "is no time" in token("create", "ci", "--expires", "soon", code=2).stderr
