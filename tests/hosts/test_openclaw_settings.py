"""Our plugin in OpenClaw's state folder, and its entry in a config with comments."""

import json
from pathlib import Path

import pytest

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import jsontext, openclaw
from hivemind_cli.hosts.apply import apply, undo
from hivemind_cli.hosts.command import hook_command
from hivemind_cli.hosts.jsontext import Dialect

COMMAND = hook_command(Path("/usr/bin/python3.11"), Path("/home/zoë co/.hivemind/bin/hivemind_hook.py"), "openclaw")
OLDER = COMMAND.replace("3.11", "3.9")
FOREIGN = """\
// mine
{
  gateway: { mode: 'local', port: 18789, }, // as ever
  plugins: {
    allow: ['weather'],
    entries: {
      weather: { enabled: true }, /* rain */
    },
  },
}
"""
ODD = {
    "absent": None,
    "empty": "",
    "no-plugins": "{ gateway: { mode: 'local' } }\n",
    "foreign": FOREIGN,
    "minified": '{"plugins":{"entries":{"weather":{"enabled":true}}}}',
    "crlf": '{\r\n  "plugins": {\r\n    "slots": {}\r\n  }\r\n}\r\n',
    "bom": "\ufeff{\n}\n",
}


def place(home: Path, text: str | None) -> Path:
    path = home / ".openclaw" / "openclaw.json"
    path.parent.mkdir(exist_ok=True)
    if text is not None:
        path.write_bytes(text.encode())
    return path


def install(home: Path, command: str = COMMAND) -> None:
    apply(openclaw.plan_install(home, command), home / "receipts", "openclaw", "now")


@pytest.mark.parametrize("name", sorted(ODD))
def test_installed_twice_is_once_and_every_byte_comes_back(own_home: Path, name: str) -> None:
    path = place(own_home, ODD[name])
    install(own_home, OLDER)
    install(own_home)
    assert openclaw.wired(own_home, COMMAND) and openclaw.plan_install(own_home, COMMAND) == []
    settings = jsontext.parse(path.read_text(encoding="utf-8-sig"), Dialect.JSON5).value
    entry = {"enabled": True, "hooks": {"allowConversationAccess": True}}
    assert settings["plugins"]["entries"]["hivemind"] == entry
    assert ("allow" in settings["plugins"]) == (name == "foreign")
    results = undo("openclaw", own_home / "receipts", lambda: openclaw.plan_uninstall(own_home, COMMAND))
    assert all(result.proven for result in results)
    assert (path.read_bytes().decode() if path.exists() else None) == ODD[name]
    assert sorted(one.name for one in path.parent.iterdir()) == ([path.name] if ODD[name] is not None else [])


@pytest.mark.parametrize("name", ["no-plugins", "foreign", "minified"])
def test_cut_by_hand_the_text_too_is_as_it_was(own_home: Path, name: str) -> None:
    path = place(own_home, ODD[name])
    install(own_home)
    after = {edit.path.name: edit.after for edit in openclaw.plan_uninstall(own_home, COMMAND)}
    assert (after.pop(path.name) or b"").decode() == ODD[name]
    assert after == {"index.js": None, "package.json": None, "openclaw.plugin.json": None}


def test_a_persons_allow_list_is_added_to_and_its_comments_stay(own_home: Path) -> None:
    path = place(own_home, FOREIGN)
    install(own_home)
    text = path.read_text(encoding="utf-8")
    assert jsontext.parse(text, Dialect.JSON5).value["plugins"]["allow"] == ["weather", "hivemind"]
    assert "// mine\n" in text and "// as ever\n" in text and "/* rain */" in text


def test_a_switched_off_entry_is_switched_on_and_keeps_the_rest(own_home: Path) -> None:
    path = place(own_home, "{plugins: {entries: {hivemind: {enabled: false, hooks: {timeoutMs: 9}}}}}")
    install(own_home)
    entry = jsontext.parse(path.read_text(encoding="utf-8"), Dialect.JSON5).value["plugins"]["entries"]["hivemind"]
    assert entry == {"enabled": True, "hooks": {"timeoutMs": 9, "allowConversationAccess": True}}


@pytest.mark.parametrize("text", ["{plugins: [", "[1]", "{plugins: 7}", "{a: 1, a: 2}"])
def test_what_cannot_be_edited_is_refused_and_left(own_home: Path, text: str) -> None:
    path = place(own_home, text)
    with pytest.raises(HostError) as refusal:
        openclaw.plan_install(own_home, COMMAND)
    assert refusal.value.why and refusal.value.fix and path.read_text(encoding="utf-8") == text
    assert not openclaw.wired(own_home, COMMAND)


def test_another_plugin_of_that_name_is_left(own_home: Path) -> None:
    folder = own_home / ".openclaw" / "extensions" / "hivemind"
    folder.mkdir(parents=True)
    (folder / "index.js").write_text("export default {}\n", encoding="utf-8")
    with pytest.raises(HostError, match="not as hivemind wrote it"):
        openclaw.plan_install(own_home, COMMAND)
    assert openclaw.plan_uninstall(own_home, COMMAND) == []


def test_the_manifests_say_what_openclaw_demands(own_home: Path) -> None:
    files = {edit.path.name: edit.after or b"" for edit in openclaw.plan_install(own_home, COMMAND)}
    manifest, package = json.loads(files["openclaw.plugin.json"]), json.loads(files["package.json"])
    assert manifest["id"] == "hivemind" and manifest["activation"] == {"onStartup": True}
    assert manifest["configSchema"]["type"] == "object"
    assert package["openclaw"] == {"extensions": ["./index.js"]} and package["type"] == "module"
    assert json.dumps(COMMAND).encode() in files["index.js"]


def test_what_keeps_it_from_running_is_said(own_home: Path) -> None:
    place(own_home, "{plugins: {enabled: false, deny: ['hivemind']}}")
    off, denied = openclaw.notices(own_home)
    assert "plugins.enabled" in off and "plugins.deny" in denied
