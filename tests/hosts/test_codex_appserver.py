"""What Codex says of our hooks through its app-server, and consent written by it; the server is one of our own."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import codex
from hivemind_cli.hosts.apply import apply
from hivemind_cli.hosts.codex import trust
from hivemind_cli.hosts.codex.appserver import asked_trust, write_trust
from hivemind_cli.hosts.codex.trust import Consent

SERVER = """
import json, os, sys
folder = os.environ["CODEX_HOME"]
with open(folder + "/said.jsonl", "a") as log:
    for line in sys.stdin:
        log.write(line)
        log.flush()
        told = json.loads(line)
        if told["method"] == "initialized":
            continue
        with open(folder + "/answers.json") as file:
            answers = json.load(file)
        print(json.dumps({"method": "remoteControl/status/changed", "params": {}}))
        answer = answers.get(told["method"], {"result": {}})
        if answer == "silence":
            sys.stdin.read()
        print(json.dumps({"id": told["id"], **answer}), flush=True)
"""
WAIT_S = 60.0
"""For an answer that comes."""

Server = Callable[..., str]


@pytest.fixture
def folder(own_home: Path, command: str) -> Path:
    """Codex's, with our hooks in it."""
    apply(codex.plan_install(own_home, command), own_home / "receipts", "codex", "now")
    return own_home / ".codex"


@pytest.fixture
def server(folder: Path) -> Server:
    """A program that answers as told; by default it lists our hooks as nobody has looked at yet."""

    def make(status: str = "untrusted", **answers: object) -> str:
        hooks = [
            {
                "key": one.key,
                "command": one.command,
                "currentHash": one.digest,
                "trustStatus": status,
                "enabled": status != "off",
            }
            for one in trust.trust(folder)
        ]
        listed = {"result": {"data": [{"hooks": hooks, "warnings": [], "errors": []}]}}
        (folder / "answers.json").write_text(json.dumps({"hooks/list": listed, **answers}))
        program = folder.parent / "codex"
        program.write_text(f"#!{sys.executable} -IS\n{SERVER}")
        program.chmod(0o755)
        return str(program)

    return make


def said(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "said.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("status", ["trusted", "untrusted", "modified"])
def test_it_says_of_each_hook_whether_it_runs(folder: Path, server: Server, status: str) -> None:
    found = asked_trust(server(status), folder, os.environ, timeout_s=WAIT_S)
    assert [one.event for one in found] == list(codex.EVENTS)
    assert {one.consent.value for one in found} == {status}
    assert [one["method"] for one in said(folder)] == ["initialize", "initialized", "hooks/list"]


def test_a_hook_that_it_does_not_list_is_unknown(folder: Path, server: Server) -> None:
    program = server(**{"hooks/list": {"result": {"data": [{"hooks": []}]}}})
    assert {one.consent for one in asked_trust(program, folder, os.environ, timeout_s=WAIT_S)} == {Consent.UNKNOWN}


def test_consent_is_written_for_the_hooks_that_were_shown_and_no_other(folder: Path, server: Server) -> None:
    shown = trust.trust(folder)[:2]
    write_trust(server(), folder, os.environ, shown, timeout_s=WAIT_S)
    (write,) = (one for one in said(folder) if one["method"] == "config/batchWrite")
    agreed = {one.key: {"trusted_hash": one.digest} for one in shown}
    edit = {"keyPath": "hooks.state", "value": agreed, "mergeStrategy": "upsert"}
    assert write["params"] == {"edits": [edit]}


def test_nothing_is_written_for_a_hook_that_changed_since_it_was_shown(
    folder: Path, server: Server, own_home: Path, command: str
) -> None:
    shown = trust.trust(folder)
    apply(codex.plan_install(own_home, f"{command} x"), own_home / "receipts", "codex", "later")
    with pytest.raises(HostError, match="as it was shown"):
        write_trust(server(), folder, os.environ, shown, timeout_s=WAIT_S)
    assert all(one["method"] != "config/batchWrite" for one in said(folder))


@pytest.mark.parametrize(
    ("answers", "match"),
    [
        ({"hooks/list": {"error": {"code": -32601, "message": "Method not found"}}}, "Method not found"),
        ({"hooks/list": {"result": {"data": "else"}}}, "did not list"),
        ({"config/batchWrite": {"error": {"message": "read-only"}}}, "read-only"),
    ],
)
def test_what_it_refuses_is_said_with_its_reason(
    folder: Path, server: Server, answers: dict[str, object], match: str
) -> None:
    with pytest.raises(HostError, match=match) as refused:
        write_trust(server(**answers), folder, os.environ, trust.trust(folder), timeout_s=WAIT_S)
    assert refused.value.fix


def test_one_that_never_answers_is_left_after_its_time(folder: Path, server: Server) -> None:
    with pytest.raises(HostError, match="silent for"):
        asked_trust(server(**{"hooks/list": "silence"}), folder, os.environ, timeout_s=1.0)


def test_one_that_is_no_program_is_said_so(folder: Path) -> None:
    with pytest.raises(HostError, match="could not be started"):
        asked_trust(str(folder / "none"), folder, os.environ)
    with pytest.raises(HostError, match="does not say"):
        asked_trust("/bin/true", folder, os.environ, timeout_s=WAIT_S)
