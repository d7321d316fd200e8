"""Our entries in a person's config.yaml: every other byte stays, and nobody's consent is given for them."""

import json
import shlex
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import hermes
from hivemind_cli.hosts.apply import apply, diff, undo
from hivemind_cli.hosts.command import hook_command, without_shell
from tests.hosts.hooked import payload, run

GOLDEN = Path(__file__).parent / "golden" / "hermes"
HOOK = "/home/zoë and co/.hivemind/bin/hivemind_hook.py"
COMMAND = hook_command(Path("/usr/bin/python3.11"), Path(HOOK), "hermes")
OLDER = hook_command(Path("/usr/bin/python3.9"), Path(HOOK), "hermes")
FOREIGN = """\
# mine
model:
  default: m-1   # the small one
hooks:
  pre_llm_call:
  - command: ~/bin/weather
    # slow in the morning
    timeout: 30

  # what I watch
  post_tool_call:
      - {command: "~/bin/bell", matcher: terminal}
      - command: >-
          ~/bin/log
          --all
# the end
toolsets: [web, 'terminal']
"""
ODD = {
    "absent": None,
    "comments-only": "# nothing yet\n",
    "no-hooks-no-newline": "model:\n  default: m-1\n  # fallback: m-2",
    "hooks-null": "hooks:  # later\nmodel: m-1\n",
    "hooks-flow": "hooks: {post_llm_call: [{command: x}], }\n",
    "event-null": "hooks:\n  pre_llm_call: ~\nmodel: m-1\n",
    "crlf": "model: m-1\r\nhooks:\r\n  pre_llm_call:\r\n    - command: x\r\n",
    "bom": "\ufeffmodel: m-1\n",
    "document-marks": "---\nmodel: m-1\n...\n",
    "flow-root": "{model: m-1}\n",
    "foreign": FOREIGN,
}
REFUSED = {
    "torn": "hooks: [",
    "two-documents": "a: 1\n---\nb: 2\n",
    "a-list": "- a\n",
    "hooks-a-list": "hooks: [a]\n",
    "event-a-text": "hooks:\n  pre_llm_call: x\n",
    "twice": "hooks: {}\nhooks: {}\n",
    "tabs": "\thooks: {}\n",
}


def place(home: Path, text: str | None) -> Path:
    path = home / ".hermes" / "config.yaml"
    path.parent.mkdir(exist_ok=True)
    if text is not None:
        path.write_bytes(text.encode())
    return path


def install(home: Path, command: str = COMMAND) -> None:
    apply(hermes.plan_install(home, command), home / "receipts", "hermes", "now")


@pytest.mark.parametrize("name", sorted(ODD))
def test_installed_twice_is_once_and_every_byte_comes_back(own_home: Path, name: str) -> None:
    path = place(own_home, ODD[name])
    install(own_home, OLDER)
    assert hermes.wired(own_home, OLDER) and not hermes.wired(own_home, COMMAND)
    install(own_home)
    assert hermes.wired(own_home, COMMAND) and hermes.plan_install(own_home, COMMAND) == []
    (result,) = undo("hermes", own_home / "receipts", lambda: hermes.plan_uninstall(own_home, COMMAND))
    assert result.proven and (path.read_bytes().decode() if path.exists() else None) == ODD[name]


@pytest.mark.parametrize("name", ["comments-only", "document-marks", "foreign", "crlf", "bom", "flow-root"])
def test_cut_by_hand_the_text_too_is_as_it_was(own_home: Path, name: str) -> None:
    place(own_home, ODD[name])
    install(own_home)
    (edit,) = hermes.plan_uninstall(own_home, COMMAND)
    assert edit.after is not None and edit.after.decode() == ODD[name]


def test_the_dry_run_is_the_golden_diff(own_home: Path) -> None:
    place(own_home, FOREIGN)
    found = diff(hermes.plan_install(own_home, COMMAND)).replace(str(own_home), "~")
    assert found == (GOLDEN / "foreign.diff").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_edited_is_refused_and_left(own_home: Path, name: str) -> None:
    path = place(own_home, REFUSED[name])
    with pytest.raises(HostError) as refusal:
        hermes.plan_install(own_home, COMMAND)
    assert refusal.value.why and refusal.value.fix and str(path) in str(refusal.value)
    assert path.read_text(encoding="utf-8") == REFUSED[name] and not hermes.wired(own_home, COMMAND)


def test_without_the_persons_consent_it_is_said_and_never_given(own_home: Path) -> None:
    path = place(own_home, FOREIGN)
    assert hermes.notices(own_home) == [], "not wired yet"
    install(own_home)
    (notice,) = hermes.notices(own_home)
    assert "run hivemind's 10 hooks until you agree" in notice and hermes.trusted(own_home, COMMAND) is False
    assert sorted(one.name for one in path.parent.iterdir()) == ["config.yaml"]
    plain = without_shell(COMMAND)
    agreed = [{"event": event, "command": f"{plain} {event}"} for event in hermes.EVENTS]
    consents = path.parent / "shell-hooks-allowlist.json"
    consents.write_text(json.dumps({"approvals": agreed[1:]}), encoding="utf-8")
    assert "1 of hivemind's 10 hooks" in hermes.notices(own_home)[0]
    consents.write_text(json.dumps({"approvals": agreed}), encoding="utf-8")
    assert hermes.notices(own_home) == [] and hermes.trusted(own_home, COMMAND) is True
    consents.write_text("{torn", encoding="utf-8")
    assert hermes.notices(own_home)
    path.write_text(path.read_text(encoding="utf-8") + "hooks_auto_accept: true\n", encoding="utf-8")
    assert hermes.notices(own_home) == []


def test_its_command_needs_no_shell(own_home: Path) -> None:
    hook = own_home / "a folder" / "hivemind_hook.py"
    hook.parent.mkdir()
    hook.write_text("import sys\nprint(sys.argv[1:], len(sys.stdin.read()))\n", encoding="utf-8")
    plain = without_shell(hook_command(Path("/usr/bin/env"), hook, "hermes")).replace("env -I -S", "env python3")
    done = run(shlex.split(f"{plain} pre_llm_call"), json.dumps(payload("hermes", "pre_llm_call")).encode(), own_home)
    assert done.returncode == 0 and done.stdout.startswith(b"['hermes', 'pre_llm_call'] ")
    assert shlex.split(f"{without_shell(COMMAND)} x") == ["/usr/bin/python3.11", "-I", "-S", HOOK, "hermes", "x"]
    odd = "/home/a exec b/bin/hivemind_hook.py"
    assert shlex.split(without_shell(hook_command(Path("/bin/python3"), Path(odd), "hermes")))[3:] == [odd, "hermes"]
