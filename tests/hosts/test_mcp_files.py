"""Our entry in every host's list of MCP servers: put once, found again, taken back byte for byte, comments and all."""

import json
import tomllib
from pathlib import Path
from typing import Any

import json5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.apply import apply, undo
from hivemind_cli.hosts.keyed import Json, Toml, Yaml
from hivemind_cli.hosts.mcp_files import SERVER_FILES, Command, ServerFile, is_ours

COMMAND = Command(("/opt/py thon/bin/python3", "-P", "-m", "hivemind_cli", "mcp"), {"HIVEMIND_HOME": "/home/a b/ü"})
OLDER = Command(("/usr/bin/python3.9", "-m", "hivemind_cli", "mcp"))
OTHER = {
    "codex": '# mine\nmodel = "x" # best\n\n[mcp_servers.docs]\ncommand = "docs" # theirs\n\n[tui]\ntheme = "dark"\n',
    "hermes": "# mine\nmodel: x # best\nmcp_servers:\n  docs: # theirs\n    command: docs\n    args: [a, b]\n"
    "tui: {a: 1}\n",
    "openclaw": "{\n  // mine\n  model: 'x', /* best */\n  mcp: {\n    servers: {\n"
    "      docs: {command: 'docs'}, // theirs\n    },\n  },\n}\n",
}
FOREIGN = {
    "codex": '[mcp_servers.hivemind]\ncommand = "beehive"\n',
    "hermes": "mcp_servers:\n  hivemind: {command: beehive}\n",
    "openclaw": '{mcp: {servers: {hivemind: {command: "beehive"}}}}',
}
DAMAGED = {"codex": "[a\n", "hermes": "a: [\n"}
EMPTY = {"codex": ["", "# only a comment\n"], "hermes": ["", "# only a comment\n", "model: x", "mcp_servers:\nb: 1\n"]}


def other(name: str) -> str:
    file = SERVER_FILES[name]
    servers = f'"{file.keys[0]}": {{\n    "docs": {{"command": "docs"}} // theirs\n  }}'
    said = f'{{\n  // mine\n  "model": "x", /* best */\n  {servers}\n}}\n'
    return OTHER.get(name, said)


def read(name: str, text: str) -> Any:
    """By another reader than the product's."""
    if name == "codex":
        return tomllib.loads(text)
    return YAML(typ="safe").load(text) or {} if name == "hermes" else json5.loads(text)


def at(said: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        said = said[key]
    return said


@pytest.fixture(params=sorted(SERVER_FILES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def file(name: str) -> ServerFile:
    return SERVER_FILES[name]


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def install(home: Path, name: str, command: Command = COMMAND) -> int:
    edits = SERVER_FILES[name].plan(home, command)
    apply(edits, home / "receipts", name, "now")
    return len(edits)


def uninstall(home: Path, name: str) -> list[str]:
    return [one.outcome for one in undo(name, home / "receipts", lambda: SERVER_FILES[name].plan_removal(home))]


def test_it_is_put_once_found_by_the_host_and_taken_back_byte_for_byte(
    own_home: Path, name: str, file: ServerFile
) -> None:
    for text in [other(name), *EMPTY.get(name, ["{}", "{\n}\n", "\n", other(name).replace("\n", "\r\n")])]:
        path = put(file.path(own_home), text)
        before = read(name, text) if text.strip() else {}
        assert install(own_home, name) == 1 and install(own_home, name) == 0
        after = read(name, path.read_bytes().decode())
        assert at(after, file.keys) == file.entry(COMMAND)
        assert file.registered(own_home) and file.installed(own_home)
        for key, value in before.items():
            assert after[key] == value or key == file.keys[0]
        for comment in ("mine", "best", "theirs"):
            assert path.read_text().count(comment) == text.count(comment)
        assert uninstall(own_home, name) == ["restored"]
        assert path.read_bytes() == text.encode()


def test_a_file_and_folders_we_made_are_gone_again(own_home: Path, name: str, file: ServerFile) -> None:
    path = file.path(own_home)
    install(own_home, name)
    assert at(read(name, path.read_text()), file.keys) == file.entry(COMMAND)
    assert uninstall(own_home, name) == ["deleted"]
    assert [one.name for one in own_home.iterdir()] == ["receipts"]


def test_an_older_entry_is_renewed_in_its_place(own_home: Path, name: str, file: ServerFile) -> None:
    path = put(file.path(own_home), other(name))
    install(own_home, name, OLDER)
    older = path.read_text()
    install(own_home, name)
    assert at(read(name, path.read_text()), file.keys) == file.entry(COMMAND)
    install(own_home, name, OLDER)
    assert path.read_text() == older
    assert uninstall(own_home, name) == ["restored"]


def test_what_a_person_added_meanwhile_stays(own_home: Path, name: str, file: ServerFile) -> None:
    path = put(file.path(own_home), other(name))
    install(own_home, name)
    end = (
        "[more]\nx = 1 # later\n" if name == "codex" else "more: {x: 1} # later\n" if name == "hermes" else "// later\n"
    )
    path.write_text(path.read_text() + end)
    assert uninstall(own_home, name) == ["cleaned"]
    assert path.read_text().startswith(other(name)) and path.read_text().rstrip().endswith(end.rstrip())
    assert not file.registered(own_home) and uninstall(own_home, name) == []


def test_a_foreign_server_of_our_name_is_left(own_home: Path, name: str, file: ServerFile) -> None:
    said = FOREIGN.get(name, json.dumps({file.keys[0]: {"hivemind": {"command": "beehive", "args": ["mcp"]}}}))
    path = put(file.path(own_home), said)
    with pytest.raises(HostError, match="another server called 'hivemind'"):
        file.plan(own_home, COMMAND)
    assert file.plan_removal(own_home) == [] and path.read_text() == said


def test_a_damaged_a_locked_and_a_lost_file_are_refused(own_home: Path, name: str, file: ServerFile) -> None:
    path = put(file.path(own_home), DAMAGED.get(name, '{"a": '))
    with pytest.raises(HostError, match=str(path)):
        file.plan(own_home, COMMAND)
    assert not file.registered(own_home)
    put(path, other(name)).chmod(0o444)
    with pytest.raises(HostError, match="read-only"):
        file.plan(own_home, COMMAND)
    path.unlink()
    path.symlink_to(own_home / "nowhere")
    with pytest.raises(HostError, match="leads nowhere"):
        file.plan(own_home, COMMAND)


def test_a_linked_file_is_edited_where_it_is(own_home: Path, name: str, file: ServerFile) -> None:
    real = put(own_home / "dot files" / "ü", other(name))
    path = file.path(own_home)
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    install(own_home, name)
    assert path.is_symlink() and at(read(name, real.read_text()), file.keys) == file.entry(COMMAND)
    assert uninstall(own_home, name) == ["restored"] and real.read_text() == other(name)


def test_a_moved_folder_is_the_hosts_own(own_home: Path, name: str, file: ServerFile) -> None:
    if name in HOSTS:
        assert file.config_env == HOSTS[name].CONFIG_ENV
        assert file.label == HOSTS[name].LABEL
    if file.config_env:
        assert own_home / "else" in file.path(own_home, own_home / "else").parents


def test_the_second_name_of_a_file_counts_where_it_is_there(own_home: Path) -> None:
    file = SERVER_FILES["opencode"]
    jsonc = put(own_home / ".config" / "opencode" / "opencode.jsonc", "{}")
    assert file.path(own_home) == jsonc


@pytest.mark.parametrize(
    ("entry", "ours"),
    [
        ({"command": "hivemind", "args": ["mcp"]}, True),
        ({"command": "/x/bin/hivemind", "args": ["mcp"], "env": {}}, True),
        ({"type": "local", "command": ["python3", "-m", "hivemind_cli", "mcp"]}, True),
        ({"command": "hivemind", "args": ["serve"]}, False),
        ({"command": "hivemind-mcp"}, False),
        ({"command": "x", "args": [1, "mcp"]}, False),
        ({"url": "http://x"}, False),
        ("hivemind mcp", False),
    ],
)
def test_what_runs_hivemind_mcp_is_ours(entry: object, ours: bool) -> None:
    assert is_ours(entry) is ours


ENTRY = {"command": "hivemind", "args": ["mcp"]}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mcp_servers: {}\n", "mcp_servers: {hivemind: {E}}\n"),
        (
            "a: 1\nmcp_servers: {x: {command: y}} # c\nb: 2\n",
            "a: 1\nmcp_servers: {x: {command: y}, hivemind: {E}} # c\nb: 2\n",
        ),
        (
            "mcp_servers:\n    x:\n        command: y # c\n# end\n",
            "mcp_servers:\n    x:\n        command: y # c\n    hivemind: {E}\n# end\n",
        ),
        ("mcp_servers:\n# none\nb: 1\n", "mcp_servers:\n  hivemind: {E}\n# none\nb: 1\n"),
        ("mcp_servers: null\nb: 1\n", "mcp_servers: \n  hivemind: {E}\nb: 1\n"),
        ("a: 1\n\nmcp_servers:\nb: 1\n", "a: 1\n\nmcp_servers:\n  hivemind: {E}\nb: 1\n"),
        ("mcp_servers: ~ # c\n", "mcp_servers:  # c\n  hivemind: {E}\n"),
    ],
)
def test_yaml_of_many_shapes(before: str, after: str) -> None:
    keys = ("mcp_servers", "hivemind")
    after = after.replace("{E}", '{command: "hivemind", args: ["mcp"]}')
    assert Yaml().put(before, keys, ENTRY) == after
    assert Yaml().put(after, keys, {**ENTRY, "args": ["-v", "mcp"]}) == after.replace('["mcp"]', '["-v", "mcp"]')
    left = Yaml().cut(after, keys)
    assert read("hermes", left).get("mcp_servers") in (None, {}, {"x": {"command": "y"}})
    assert left.count("#") == before.count("#")


@pytest.mark.parametrize("text", ["- a\n", "{a: 1}\n", "mcp_servers: [a]\n", "a: &x 1\n--- \nb: 1\n"])
def test_yaml_in_which_it_has_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Yaml().read(text)
        Yaml().put(text, ("mcp_servers", "hivemind"), ENTRY)


@pytest.mark.parametrize("text", ["mcp_servers = {docs = {command = 'x'}}\n", "mcp_servers = 1\n"])
def test_toml_in_which_a_table_has_no_place_is_refused(own_home: Path, text: str) -> None:
    path = put(SERVER_FILES["codex"].path(own_home), text)
    with pytest.raises(HostError, match="cannot be added to") as refused:
        SERVER_FILES["codex"].plan(own_home, COMMAND)
    assert str(path) in str(refused.value)


def test_tables_that_a_person_put_below_ours_go_with_it() -> None:
    text = Toml().put("a = 1\n", ("mcp_servers", "hivemind"), ENTRY)
    more = f"{text}[mcp_servers.hivemind.tools.x]\non = true\n[b]\ns = '''\n[c]\n'''\n"
    assert Toml().cut(more, ("mcp_servers", "hivemind")) == "a = 1\n\n[b]\ns = '''\n[c]\n'''\n"


@pytest.mark.parametrize(
    "behind", ["# about b\n[b]\nc = 1\n", "\n# about b\n\n[b]\nc = 1\n", "# the end\n", "\n# the end"]
)
def test_a_persons_comments_below_our_table_stay(behind: str) -> None:
    keys = ("mcp_servers", "hivemind")
    text = Toml().put("a = 1\n", keys, ENTRY) + behind
    assert Toml().cut(text, keys) == "a = 1\n\n" + behind.removeprefix("\n")
    renewed = Toml().put(text, keys, {**ENTRY, "args": ["-v", "mcp"]})
    assert renewed.endswith(behind)
    assert Toml().put(renewed, keys, ENTRY).replace("\n\n", "\n") == text.replace("\n\n", "\n")


VALUES = st.recursive(
    st.integers() | st.text(max_size=4),
    lambda inner: st.dictionaries(st.sampled_from("abmx"), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(said=st.dictionaries(st.sampled_from("abmx"), VALUES, max_size=4), indent=st.sampled_from([None, 2, "\t"]))
def test_json_put_and_cut_leave_all_else(said: dict[str, Any], indent: Any) -> None:
    format_, text = Json(SERVER_FILES["cursor"].text._dialect), json.dumps(said, indent=indent)  # type: ignore[attr-defined]
    inner = said.get("m", {})
    if not isinstance(inner, dict):
        with pytest.raises(ValueError, match="`m` is no object"):
            format_.put(text, ("m", "hivemind"), ENTRY)
        return
    longer = format_.put(text, ("m", "hivemind"), ENTRY)
    assert json.loads(longer) == {**said, "m": {**inner, "hivemind": ENTRY}}
    assert json.loads(format_.cut(longer, ("m", "hivemind"))) == {
        key: one for key, one in said.items() if key != "m" or one
    }
