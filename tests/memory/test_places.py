"""What a URL names, and the workspace of who names none."""

import os
import subprocess
from pathlib import Path

import pytest

from hivemind_cli import memory
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths
from hivemind_cli.memory.places import Place, place_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("hivemind://payments-service", Place("", "payments-service")),
        ("hivemind://my-team/agent-experience/", Place("", "my-team", "agent-experience")),
        ("hivemind://", Place("", "default")),
        ("hivemind:///notes", Place("", "default", "notes")),
        ("postgresql://u:p@h:5/d?workspace=w&sslmode=require", Place("postgresql://u:p@h:5/d?sslmode=require", "w")),
        ("postgres://h/d?table=t", Place("postgresql://h/d", "default", "t")),
    ],
)
def test_a_url_names_a_database_a_workspace_and_a_table(url: str, place: Place) -> None:
    assert place_of(url, Paths.from_env(os.environ)) == place


@pytest.mark.parametrize(
    "url", ["", "payments", "al://x/y", "hivemind://a/b/c", "hivemind://A B", "hivemind://..", "mysql://h/d", "hivemind://a?b=c"]
)  # fmt: skip
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        memory.connect(url)


def test_connect_takes_a_workspace_and_open_a_table() -> None:
    with pytest.raises(ConfigError, match="names a table"):
        memory.connect("hivemind://a/b")
    with pytest.raises(ConfigError, match="names no table"):
        memory.open("hivemind://a")


def test_the_workspace_is_the_folders_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".hivemind.toml").write_text('workspace = "from-file"\n')
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    monkeypatch.chdir(project)
    with memory.connect("hivemind://") as db:
        assert db.workspace == "from-file"
    monkeypatch.setenv("HIVEMIND_WORKSPACE_ID", "from-env")
    with memory.Client() as client:
        assert client.workspace == "from-env"
    with memory.Client("named") as client:
        assert client.workspace == "named"
    monkeypatch.setenv("HIVEMIND_WORKSPACE_ID", "No Name")
    with pytest.raises(ConfigError, match="No Name"):
        memory.Client()


def test_a_password_is_not_shown() -> None:
    with memory.connect("postgresql://u:secret@h/d?workspace=w") as db:
        assert "secret" not in repr(db)
    assert "secret" not in repr(place_of("postgresql://u:secret@h/d", Paths.from_env(os.environ)))


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("postgresql://u@h:5/d", "postgresql://u:p%2Fw@h:5/d"),
        ("postgresql://h/d", "postgresql://:p%2Fw@h/d"),
        ("postgresql:///d?host=/run", "postgresql://:p%2Fw@/d?host=%2Frun"),
        ("postgresql://u:own@h/d", "postgresql://u:own@h/d"),
        ("postgresql://u:own@/d", "postgresql://u:own@/d"),
    ],
)
def test_pgpassword_counts_where_the_url_says_none(url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "p/w")
    assert place_of(url, Paths.from_env(os.environ)).url == database


def test_public_names_are_there_and_listed() -> None:
    for name in memory.__all__:
        assert getattr(memory, name) is not None
        assert name in dir(memory)
    assert set(memory._HOMES) == set(memory.__all__)
    with pytest.raises(AttributeError, match="conect"):
        _ = memory.conect
