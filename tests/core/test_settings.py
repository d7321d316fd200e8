"""Settings: found where they are, refused where they are wrong, changed without touching the rest."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core import settings
from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths


@pytest.fixture
def paths(own_home: Path) -> Paths:
    paths = Paths.from_env(os.environ)
    paths.make()
    return paths


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


def test_without_any_file_everything_is_default(paths: Paths) -> None:
    loaded = settings.load(paths, {})
    assert loaded.config == Config()
    assert set(loaded.origin.values()) == {"default"}
    assert set(loaded.origin) == {setting.key for setting in settings.reference()}


def test_the_nearest_wins_key_by_key(paths: Paths, tmp_path: Path) -> None:
    paths.config.write_text(
        'workspace = "one"\n[recall]\nlimit = 3\nhold = "never"\ntokens_max = 100\ndeadline_ms = 90\n'
    )
    (tmp_path / ".hivemind.toml").write_text(
        'workspace = "two"\n[recall]\nlimit = 4\nhold = "once"\ntokens_max = 200\n'
    )
    env = {"HIVEMIND_RECALL_LIMIT": "5", "HIVEMIND_RECALL_HOLD": "never"}
    loaded = settings.load(paths, env, {"recall.limit": 6, "recall.enabled": None}, tmp_path)
    recall = loaded.config.recall
    assert (recall.limit, recall.hold, recall.tokens_max, recall.deadline_ms) == (6, "never", 200, 90)
    assert loaded.config.workspace == "two"
    assert loaded.origin["recall.limit"] == "flag"
    assert loaded.origin["recall.hold"] == "HIVEMIND_RECALL_HOLD"
    assert loaded.origin["recall.tokens_max"] == ".hivemind.toml"
    assert loaded.origin["recall.deadline_ms"] == "config.toml"
    assert loaded.origin["recall.enabled"] == "default"


@pytest.mark.parametrize(
    ("said", "runtime", "model"),
    [
        ("false", "none", "all-MiniLM-L6-v2"),
        ("ON", "auto", "all-MiniLM-L6-v2"),
        ("hashing", "hashing", "all-MiniLM-L6-v2"),
        ("~/models/mine", "auto", "~/models/mine"),
        (" ", "auto", "all-MiniLM-L6-v2"),
    ],
)
def test_one_variable_switches_embeddings_or_names_their_model(
    paths: Paths, said: str, runtime: str, model: str
) -> None:
    found = settings.load(paths, {"HIVEMIND_EMBEDDINGS": said}).config.embedding
    assert (found.runtime, found.model) == (runtime, model)


def test_a_project_cannot_bring_its_own_model(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / ".hivemind.toml").write_text('[embedding]\nmodel = "./evil"\n')
    assert "may not set `embedding.model`" in refused(settings.load, paths, {}, None, tmp_path)


def test_the_originals_variables_are_understood(paths: Paths) -> None:
    env = {
        "HIVEMIND_WORKSPACE_ID": "team-a",
        "HIVEMIND_CAPTURE": "false",
        "HIVEMIND_CAPTURE_ONLY_CLI": "1",
        "HIVEMIND_SKILLIFY_EVERY_N_TURNS": "7",
        "HIVEMIND_EMBEDDINGS": "off",
        "HIVEMIND_DEBUG": "true",
        "HIVEMIND_HOME": "/x",
    }
    loaded = settings.load(paths, env)
    assert loaded.config.workspace == "team-a"
    assert loaded.config.capture == dataclasses.replace(Config().capture, enabled=False, only_cli=True)
    assert loaded.config.codify.every_n_turns == 7
    assert loaded.config.debug
    assert loaded.origin["capture.enabled"] == "HIVEMIND_CAPTURE"


@pytest.mark.parametrize("setting", settings.reference(), ids=lambda s: s.key)
def test_every_key_has_a_variable_a_doc_and_a_place_in_the_file(paths: Paths, setting: settings.Setting) -> None:
    written = settings.set_value(
        paths, setting.key, str(setting.default).lower() if setting.type == "bool" else setting.default
    )
    assert written == setting.default
    loaded = settings.load(paths, {})
    assert loaded.origin[setting.key] == "config.toml"
    assert loaded.config == Config()
    if setting.default != "":
        assert settings.load(paths, {settings.variable(setting.key): str(setting.default)}).config == Config()
    assert setting.doc or setting.key.endswith(("timeout_s", "_max"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[recal]\nlimit = 2\n", ("config.toml:2", "recal.limit", "recall.limit")),
        ("[recall]\nlimmit = 2\n", ("config.toml:2", "Did you mean `recall.limit`?")),
        ("\n[recall]\n\nhold = 'twice'\n", ("config.toml:4", "once or never")),
        ("[recall]\nlimit = 'two'\n", ("whole number",)),
        ("[recall]\nlimit = true\n", ("whole number",)),
        ("[recall]\nlimit = -1\n", ("from 0",)),
        ("[recall]\napplies_min = 1.5\n", ("between 0 and 1",)),
        ("[recall]\napplies_min = nan\n", ("between 0 and 1",)),
        ("[llm]\ntimeout_s = inf\n", ("above 0 up to a billion",)),
        ("[llm]\nmodel = '--any-option'\n", ("config.toml:2", "no dash")),
        ("recall = 3\n", ("config.toml:1", "recall")),
        ("[codify]\npublish = 'auto-review'\n", ("auto or review",)),
        ("[llm]\nprovider = 'antropic'\n", ("Did you mean `anthropic`?",)),
        ("[debug]\nx = 1\n", ("debug.x",)),
        ("hold = 'once'\n", ("no setting `hold`",)),
        ("workspace = 'Not A Name'\n", ("lower case",)),
        ("[recall\n", ("no valid TOML", "line 1")),
        ("[nothing]\n", ("no setting `nothing`",)),
        ("[recall.limit]\nx = 1\n", ("recall.limit",)),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(paths: Paths, text: str, said: tuple[str, ...]) -> None:
    paths.config.write_text(text)
    message = refused(settings.load, paths, {})
    assert all(part in message for part in said), message


def test_a_wrong_variable_or_flag_is_named(paths: Paths) -> None:
    assert "HIVEMIND_CAPTURE" in refused(settings.load, paths, {"HIVEMIND_CAPTURE": "perhaps"})
    assert "flag" in refused(settings.load, paths, {}, {"recall.hold": "no"})
    assert "Did you mean" in refused(settings.load, paths, {}, {"recall.hols": "once"})


def test_an_unreadable_file_is_a_clear_error(paths: Paths) -> None:
    paths.config.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(settings.load, paths, {})
    paths.config.unlink()
    paths.config.mkdir()
    assert "cannot be read" in refused(settings.load, paths, {})


@pytest.mark.parametrize(
    "line",
    [
        "[llm]\nallow = true",
        "[llm]\nprovider = 'claude'",
        "[llm]\nkey_env = 'AWS'",
        "[llm]\nusd_per_day = 99.0",
        "[llm]\nscript = 'x.jsonl'",
        "[storage]\nengine = 'inmemory'",
        "[daemon]\nmemory_mb = 9",
        "llm.allow = true",
        "llm = {allow = true}",
    ],
)
def test_a_cloned_repository_cannot_spend_money(paths: Paths, tmp_path: Path, line: str) -> None:
    (tmp_path / ".hivemind.toml").write_text(line + "\n")
    message = refused(settings.load, paths, {}, None, tmp_path)
    assert "a project may not set" in message
    assert ".hivemind.toml:" in message


def test_set_value_keeps_comments_order_and_mode(paths: Paths) -> None:
    before = "# mine\n[recall]  # here\nlimit = 2 # two\n\n# end\n[capture]\nenabled = true\n"
    paths.config.write_text(before)
    paths.config.chmod(0o640)
    assert settings.set_value(paths, "recall.limit", "3") == 3
    assert paths.config.read_text() == before.replace("limit = 2", "limit = 3")
    settings.set_value(paths, "llm.allow", "true")
    assert settings.load(paths, {}).config.llm.allow is True
    assert paths.config.read_text().startswith(before.replace("limit = 2", "limit = 3"))
    settings.set_value(paths, "workspace", "team")
    assert settings.load(paths, {}).config.workspace == "team"
    assert paths.config.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in paths.root.glob(".config*")] == []


def test_set_value_makes_the_file_for_its_owner_only(paths: Paths) -> None:
    settings.set_value(paths, "recall.hold", "never")
    assert paths.config.read_text() == '[recall]\nhold = "never"\n'
    assert paths.config.stat().st_mode & 0o777 == 0o600


def test_set_value_refuses_and_writes_nothing(paths: Paths) -> None:
    paths.config.write_text("[recall]\nlimit = 2\n")
    for key, value in (("recall.hold", "twice"), ("recal.hold", "once"), ("recall.limit", "many"), ("recall", "x")):
        refused(settings.set_value, paths, key, value)
    assert paths.config.read_text() == "[recall]\nlimit = 2\n"
    paths.config.write_text("[recall\n")
    refused(settings.set_value, paths, "recall.limit", "3")
    assert paths.config.read_text() == "[recall\n"


def test_set_value_writes_through_a_link(paths: Paths, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("# kept\n")
    paths.config.symlink_to(real)
    settings.set_value(paths, "debug", "yes")
    assert paths.config.is_symlink()
    assert real.read_text() == "# kept\ndebug = true\n"
