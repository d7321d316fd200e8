"""Our entries in a person's hooks.json: whose place they take, whose they never move, and what Codex then runs."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import codex
from hivemind_cli.hosts.apply import apply, diff, undo
from hivemind_cli.hosts.base import Edit
from hivemind_cli.hosts.codex import settings, trust
from hivemind_cli.hosts.codex.trust import Consent
from hivemind_cli.hosts.command import hook_command
from tests.hosts.odd_settings import ODD, REFUSED

GOLDEN = Path(__file__).parent / "golden" / "codex"
WRITE_GOLDEN = os.environ.get("HIVEMIND_TEST_GOLDEN") == "write"
COMMAND = hook_command(Path("/usr/bin/python3.11"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), "codex")
OLDER = hook_command(Path("/usr/bin/python3.9"), Path("/home/dev/.hivemind/bin/hivemind_hook.py"), "codex")
FOREIGN = {"hooks": [{"type": "command", "command": "bell", "timeout": 5}]}
LATER = {"matcher": "Bash", "hooks": [{"type": "command", "command": "guard"}]}
SHAPES = ["empty-file", "empty-object", "two-spaces", "minified", "foreign-on-our-events", "crlf", "unicode"]

Place = Callable[[bytes], Path]


@pytest.fixture
def place(own_home: Path) -> Place:
    """Puts hooks.json into the home."""

    def put(content: bytes) -> Path:
        path = own_home / ".codex" / "hooks.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return put


def install(home: Path, command: str = COMMAND) -> list[Edit]:
    edits = codex.plan_install(home, command)
    apply(edits, home / "receipts", "codex", "now")
    return edits


def uninstall(home: Path) -> tuple[str, bool]:
    (result,) = undo("codex", home / "receipts", lambda: codex.plan_uninstall(home, COMMAND))
    return result.outcome, result.proven


def hooks(path: Path) -> dict[str, list[dict[str, Any]]]:
    value: dict[str, list[dict[str, Any]]] = json.loads(path.read_bytes())["hooks"]
    return value


def add(path: Path, group: dict[str, Any], event: str = "Stop") -> None:
    """A group of somebody else's, behind all others, as another installer would write it."""
    told = json.loads(path.read_bytes())
    told["hooks"].setdefault(event, []).append(group)
    path.write_text(json.dumps(told, indent=2), encoding="utf-8")


def agree(home: Path) -> None:
    """Write down what Codex writes when a person agrees to all hooks of ours."""
    lines = [f'[hooks.state."{one.key}"]\ntrusted_hash = "{one.digest}"\n' for one in trust.trust(home / ".codex")]
    (home / ".codex" / "config.toml").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("name", SHAPES)
def test_the_dry_run_is_the_golden_diff(own_home: Path, place: Place, name: str) -> None:
    place(ODD[name])
    found = diff(codex.plan_install(own_home, COMMAND)).replace(str(own_home), "~").encode()
    golden = GOLDEN / f"{name}.diff"
    if WRITE_GOLDEN:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_bytes(found)
    assert found == golden.read_bytes()


@pytest.mark.parametrize("name", sorted(ODD))
def test_install_appends_a_last_group_of_command_handlers_and_uninstall_gives_back_every_byte(
    own_home: Path, place: Place, name: str
) -> None:
    path = place(ODD[name])
    before = json.loads(ODD[name].decode("utf-8-sig")) if ODD[name].strip() else {}
    install(own_home)
    after = json.loads(path.read_bytes().decode("utf-8-sig"))
    assert after == {**before, "hooks": after["hooks"]}
    for event in codex.EVENTS:
        *others, ours = after["hooks"][event]
        assert others == before.get("hooks", {}).get(event, [])
        timeout = 3 if event in ("SessionEnd", "Interrupt") else 10
        assert ours == {"hooks": [{"type": "command", "command": f"{COMMAND} {event}", "timeout": timeout}]}
    assert codex.wired(own_home, COMMAND) and codex.plan_install(own_home, COMMAND) == []
    assert uninstall(own_home) == ("restored", True)
    assert path.read_bytes() == ODD[name]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_edited_is_refused_and_left(own_home: Path, place: Place, name: str) -> None:
    path = place(REFUSED[name])
    for plan in (codex.plan_install, codex.plan_uninstall):
        with pytest.raises(HostError) as refusal:
            plan(own_home, COMMAND)
        assert refusal.value.why and refusal.value.fix
    assert path.read_bytes() == REFUSED[name]
    assert not codex.wired(own_home, COMMAND)


def test_an_upgrade_takes_the_place_of_the_older_entry(own_home: Path, place: Place) -> None:
    path = place(json.dumps({"hooks": {"Stop": [FOREIGN]}}).encode())
    install(own_home, OLDER)
    add(path, LATER)
    install(own_home)
    groups = hooks(path)["Stop"]
    assert (groups[0], groups[2]) == (FOREIGN, LATER)
    assert groups[1]["hooks"][0]["command"] == f"{COMMAND} Stop"


def test_taken_out_from_before_another_it_leaves_an_empty_group_in_its_place(own_home: Path, place: Place) -> None:
    path = place(json.dumps({"hooks": {"Stop": [FOREIGN]}}).encode())
    install(own_home)
    add(path, LATER)
    add(path, FOREIGN, "PreToolUse")
    assert uninstall(own_home) == ("cleaned", False)
    inert: dict[str, Any] = {"hooks": []}
    assert hooks(path) == {"Stop": [FOREIGN, inert, LATER], "PreToolUse": [inert, FOREIGN]}
    install(own_home)
    assert hooks(path)["Stop"][:3] == [FOREIGN, inert, LATER]
    assert uninstall(own_home)[1]
    assert hooks(path)["Stop"] == [FOREIGN, inert, LATER]


def test_a_double_of_ours_before_another_is_emptied_not_cut(own_home: Path, place: Place) -> None:
    double = {"hooks": [{"type": "command", "command": f"{OLDER} Stop"}]}
    older = {"hooks": [{"type": "command", "command": f"{OLDER} PreCompact"}]}
    path = place(json.dumps({"hooks": {"Stop": [double, double, LATER], "PreCompact": [older, LATER]}}).encode())
    install(own_home)
    groups = hooks(path)["Stop"]
    assert groups[0]["hooks"][0]["command"] == f"{COMMAND} Stop"
    assert groups[1:] == [{"hooks": []}, LATER]
    assert hooks(path)["PreCompact"] == [{"hooks": []}, LATER]


@pytest.mark.parametrize("vector", [
    ("UserPromptSubmit", None, {"timeout": 10}, "8a76dc82649f8472f35a54bd319f0c91c035f7ada16ec6fdd06d1e07af769ad2"),
    ("PostToolUse", "*", {"timeout": 10}, "80bc9579025f90720d730c1699ed346fc02cada1623a5ebb95f49ec3f86639a0"),
    ("SessionEnd", None, {"timeout": 10}, "eb4b95113a8af12625d1b97ba9a840256d2b0f1a21e096079a31631b9568c06c"),
    ("Stop", None, {}, "c69558c1666ba9497c19c9a120094a43425fcd694791967ce7edc77de1ad6381"),
])  # fmt: skip
def test_a_definitions_digest_is_the_hosts(vector: tuple[str, str | None, dict[str, Any], str]) -> None:
    event, matcher, more, digest = vector
    handler = {"type": "command", "command": f"hivemind hook codex {event}", **more}
    assert trust.definition_digest(event, matcher, handler) == f"sha256:{digest}"


def test_consent_is_read_for_each_hook(own_home: Path, place: Place) -> None:
    assert trust.trust(own_home / ".codex") == []
    place(b"{}")
    install(own_home)
    found = trust.trust(own_home / ".codex")
    assert [one.event for one in found] == list(codex.EVENTS)
    assert {one.consent for one in found} == {Consent.UNTRUSTED}
    agree(own_home)
    assert {one.consent for one in trust.trust(own_home / ".codex")} == {Consent.TRUSTED}
    install(own_home, OLDER)
    assert {one.consent for one in trust.trust(own_home / ".codex")} == {Consent.MODIFIED}
    (own_home / ".codex" / "config.toml").write_text("[hooks\n")
    assert {one.consent for one in trust.trust(own_home / ".codex")} == {Consent.UNKNOWN}


def test_a_key_names_the_folder_behind_its_links(own_home: Path, place: Place) -> None:
    path = place(b"{}")
    elsewhere = own_home / "Zoë's dotfiles"
    path.parent.rename(elsewhere)
    path.parent.symlink_to(elsewhere)
    install(own_home)
    assert trust.trust(own_home / ".codex")[0].key == f"{elsewhere.resolve()}/hooks.json:session_start:0:0"
    agree(own_home)
    assert codex.notices(own_home) == []


def test_until_a_person_agreed_that_is_said(own_home: Path, place: Place) -> None:
    path = place(b"{}")
    assert codex.notices(own_home) == []
    install(own_home)
    (said,) = codex.notices(own_home)
    assert "skips the hooks of hivemind" in said and "/hooks" in said and "hivemind codex trust" in said
    agree(own_home)
    assert codex.notices(own_home) == []
    told = json.loads(path.read_bytes())
    told["hooks"]["Stop"].insert(0, FOREIGN)  # by somebody who does not know that places count
    path.write_text(json.dumps(told))
    (said,) = codex.notices(own_home)
    assert "1 of 10 hooks" in said
    config = own_home / ".codex" / "config.toml"
    path.unlink()
    install(own_home)
    agree(own_home)
    config.write_text(config.read_text().replace('stop:0:0"]\n', 'stop:0:0"]\nenabled = false\n'))
    (said,) = codex.notices(own_home)
    assert "Stop" in said and "switched off" in said


@pytest.mark.parametrize(
    ("own", "administrators", "hook_file", "said"),
    [
        ("[features]\nhooks = false\n", "", b"{}", "`features.hooks` is false"),
        ("[features]\ncodex_hooks = false\n", "", b"{}", "`features.codex_hooks` is false"),
        ("", "allow_managed_hooks_only = true\n", b"{}", "allow_managed_hooks_only"),
        ("", "[features]\nhooks = false\n", b"{}", "requirements.toml"),
        ("", "", b'{"model": 1, "hooks": {}}', "holds model"),
        ("", "", b"\xef\xbb\xbf{}", "byte order mark"),
        ("", "", b'{"hooks": {"Stop": [{"hooks": [{"type": "http", "url": "x"}]}]}}', "'http'"),
    ],
)
def test_what_silences_every_hook_is_told(
    own_home: Path, place: Place, own: str, administrators: str, hook_file: bytes, said: str
) -> None:
    place(hook_file)
    (own_home / ".codex" / "config.toml").write_text(own)
    requirements = own_home / "requirements.toml"
    requirements.write_text(administrators)
    (notice,) = settings.notices(own_home, requirements=requirements)
    assert said in notice


def test_a_hint_of_what_silences_hooks_comes_with_the_plan(own_home: Path, place: Place) -> None:
    place(b"{}")
    (own_home / ".codex" / "config.toml").write_text("[features]\nhooks = false\n")
    (edit,) = codex.plan_install(own_home, COMMAND)
    assert "features.hooks" in edit.note


def test_codex_is_known_by_its_folder_or_its_program(own_home: Path) -> None:
    program = own_home / ".local" / "bin" / "codex"
    program.parent.mkdir(parents=True)
    program.touch()
    assert codex.installed(own_home)
    program.unlink()
    assert not codex.installed(own_home)
    (own_home / ".codex").mkdir()
    assert codex.installed(own_home)
