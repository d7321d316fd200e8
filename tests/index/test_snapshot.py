"""The snapshot: what the hook reads when no daemon answers."""

import logging
import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Project
from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.index.base import Document
from hivemind_cli.index.matching import call_applies_min
from hivemind_cli.index.snapshot import publish
from hivemind_cli.index.weighing import fit_line


def document(id: str, **changes: Any) -> Document:
    fields: dict[str, Any] = {
        "kind": "skill",
        "version": 3,
        "name": "reversible-migrations",
        "workspace_id": "default",
        "project_id": "p1",
        "trigger": "Use when writing a database migration",
        "text": "- Write it reversible.",
        "tasks": ("add a migration for invoices",),
        "origin": ("e1", "e2"),
        **changes,
    }
    return Document(id=id, **fields)


def put(path: Path, documents: list[Document], **changes: Any) -> bool:
    fields: dict[str, Any] = {
        "roots": [],
        "weights_rarity": {"invoic": 0.4},
        "workspace": "default",
        "applies_min": 0.3,
        "limit": 2,
        "tokens_max": 400,
        **changes,
    }
    return publish(path, documents, fields.pop("roots"), **fields)


def opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)


def rows(path: Path, query: str, *values: Any) -> list[Any]:
    db = opened(path)
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.close()


def project(workspace: str, project_id: str, day: int) -> Project:
    return Project(
        id=f"{workspace}{project_id}{day}",
        workspace_id=workspace,
        project_id=project_id,
        name="shop",
        root="/home/ada/shop",
        remote="",
        occurred_at=datetime(2026, 1, day, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("known", "kept"),
    [
        ([project("default", "p1", 1), project("team", "p1", 2)], ("default", "p1")),
        ([project("team", "p1", 2), project("default", "p1", 1)], ("default", "p1")),
        ([project("team", "p1", 1), project("other", "p1", 2)], ("other", "p1")),
        ([project("default", "before the remote", 1), project("default", "p1", 2)], ("default", "p1")),
    ],
)
def test_a_root_stands_once_in_the_default_workspace_else_in_the_newest(
    tmp_path: Path, known: list[Project], kept: tuple[str, str]
) -> None:
    path = tmp_path / "snapshot.sqlite"
    for roots in (known, known[::-1]):
        assert put(path, [], roots=roots)
        assert rows(path, "SELECT * FROM roots") == [("/home/ada/shop", *kept)]


def test_it_holds_what_the_hook_needs(tmp_path: Path) -> None:
    path = tmp_path / "index" / "snapshot.sqlite"
    root = Project(
        id="01J0000000000000000000000",
        workspace_id="default",
        project_id="p1",
        name="shop",
        root="/home/ada/shop",
        remote="",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert put(path, [document("sk_1"), document("c_2", kind="memo", text="x")], roots=[root, root])
    assert dict(rows(path, "SELECT key, value FROM meta")) == {
        "version": "2",
        "workspace": "default",
        "applies_min": "0.3",
        "call_applies_min": repr(call_applies_min(0.3)),
        "margin_min": "0.0",
        "fit_slope": repr(fit_line()[0]),
        "fit_bias": repr(fit_line()[1]),
        "limit": "2",
        "tokens_max": "400",
    }
    assert {term for (term,) in rows(path, "SELECT term FROM stop")} == STOPWORDS
    assert rows(path, "SELECT * FROM rarity") == [("invoic", 0.4)]
    assert rows(path, "SELECT * FROM roots") == [("/home/ada/shop", "default", "p1")]
    [(rowid, id, version, kind, workspace, project, name, text, tasks, rule, origin), _] = rows(
        path,
        "SELECT rowid, id, version, kind, workspace_id, project_id, name, text, task_terms, rule_terms, origin "
        "FROM docs ORDER BY rowid",
    )
    assert (rowid, id, version, kind, workspace, project) == (1, "sk_1", 3, "skill", "default", "p1")
    assert (name, text) == ("reversible-migrations", "- Write it reversible.")
    assert [frozenset(line.split(" ")) for line in tasks.split("\n")] == [
        content("Use when writing a database migration"),
        content("add a migration for invoices"),
    ]
    assert frozenset(rule.split(" ")) == content("- Write it reversible.")
    assert origin == "e1 e2"


@pytest.mark.parametrize("term", ["revers", "invoic", "databa", "wetter", "移行", "миграц"])
def test_every_term_finds_its_document(tmp_path: Path, term: str) -> None:
    path = tmp_path / "s.sqlite"
    other = document("o", name="n", trigger="Wettervorhersage 移行 миграция", text="", tasks=())
    put(path, [other, document("sk_1")])
    expected = 1 if term in content(other.trigger) else 2
    assert rows(path, "SELECT rowid FROM fts WHERE fts MATCH ?", f'"{term}"') == [(expected,)]


def test_only_the_owner_reads_it_and_nothing_lies_beside(tmp_path: Path) -> None:
    path = tmp_path / "index" / "snapshot.sqlite"
    put(path, [document("a")])
    (tmp_path / "index" / ".snapshot.sqlite.killed.tmp").write_text("left by a killed writer")
    put(path, [document("a")])
    assert [p.name for p in path.parent.iterdir()] == ["snapshot.sqlite"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_reader_never_sees_half(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    put(path, [document("0")])
    done = threading.Event()

    def write() -> None:
        for n in range(1, 25):
            put(path, [document(str(i)) for i in range(n % 7 + 1)], tokens_max=n % 7 + 1)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        db = opened(path)
        [(said,)] = db.execute("SELECT value FROM meta WHERE key='tokens_max'").fetchall()
        [(count,)] = db.execute("SELECT count(*) FROM docs").fetchall()
        db.close()
        assert count == (int(said) if said != "400" else 1)
    writer.join()


def test_a_thousand_documents_take_well_under_a_second(tmp_path: Path) -> None:
    documents = [document(str(i), text=f"- Keep rule {i} in mind, whatever else. " * 5) for i in range(1000)]
    start = time.process_time()
    put(tmp_path / "s.sqlite", documents)
    assert time.process_time() - start < 0.8


def test_odd_text_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    put(
        path,
        [document("a", text="\udcff \x00 ' \" --", name="", trigger="", tasks=("", "...", "quartz\nyeast"), origin=())],
    )
    [(tasks, origin)] = rows(path, "SELECT task_terms, origin FROM docs")
    assert (tasks, origin) == ("quartz yeast", "")


def test_without_fts5_there_is_no_snapshot_but_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "s.sqlite"
    put(path, [document("a")])
    monkeypatch.setattr("hivemind_cli.index.snapshot._FTS", "CREATE VIRTUAL TABLE fts USING nofts5(terms)")
    with caplog.at_level(logging.WARNING):
        assert not put(path, [document("a")])
    assert "FTS5" in caplog.text
    assert list(tmp_path.glob("*.sqlite*")) == []


def test_a_full_disk_keeps_the_old_snapshot(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "s.sqlite"
    put(path, [document("old")])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # writes past it fail as on a full disk
    try:
        with pytest.raises(HivemindError) as caught:
            put(path, [document(str(i), text="word " * 200) for i in range(500)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.fix
    assert rows(path, "SELECT id FROM docs") == [("old",)]
    assert [p.name for p in tmp_path.glob("*s.sqlite*")] == ["s.sqlite"]
