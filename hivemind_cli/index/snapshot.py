"""Recall without a daemon: one read-only SQLite file that `hooks/hivemind_hook_snapshot.py` matches against.

meta    key, value            version, workspace, applies_min, call_applies_min, margin_min, limit, tokens_max,
        fit_slope, fit_bias (index/weighing.py: of_fit)
stop    term                  function words (core/stopwords.py)
rarity  term, weight          core/match.py: Weights.rarity
roots   root, workspace_id, project_id      one row for each known working tree, see `_places`
docs    rowid, id, version, kind, workspace_id, project_id, name, text, task_terms, rule_terms, origin, lessons, shift
        task_terms: a line for each task and one for the trigger; rule_terms: one line; terms parted by spaces,
        without function words; origin: event ids parted by spaces; lessons: recurrence keys, a line each; shift: what
        came of it before, its scope and its age, in log odds
fts     FTS5, contentless, column terms, rowid = docs.rowid: finds candidates, the hook scores them
"""

import contextlib
import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.match import content
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE
from hivemind_cli.core.records import Project
from hivemind_cli.core.stopwords import STOPWORDS
from hivemind_cli.core.text import within_tokens
from hivemind_cli.index.base import Document
from hivemind_cli.index.matching import call_applies_min
from hivemind_cli.index.weighing import fit_line

logger = logging.getLogger(__name__)

VERSION = "2"
"""The hook stays silent at any other."""
TOKENS_AT_ONCE = 2_000
"""About 8,000 characters, of 10,000 that a host takes."""
_TABLES = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE stop(term TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE rarity(term TEXT PRIMARY KEY, weight REAL) WITHOUT ROWID;
CREATE TABLE roots(root TEXT, workspace_id TEXT, project_id TEXT);
CREATE TABLE docs(rowid INTEGER PRIMARY KEY, id TEXT, version INTEGER, kind TEXT, workspace_id TEXT,
    project_id TEXT, name TEXT, text TEXT, task_terms TEXT, rule_terms TEXT, origin TEXT, lessons TEXT, shift REAL);
"""
_FTS = "CREATE VIRTUAL TABLE fts USING fts5(terms, content='', tokenize='unicode61 remove_diacritics 0')"


def publish(
    path: Path,
    documents: Sequence[Document],
    roots: Iterable[Project],
    *,
    weights_rarity: Mapping[str, float],
    workspace: str,
    applies_min: float,
    limit: int,
    tokens_max: int,
    margin_min: float = 0.0,
    shift: Callable[[Document], float] = lambda document: 0.0,
) -> bool:
    """Put a new snapshot in place of the old one, in one rename: readers see the one or the other.

    `shift` moves a document's log odds. Texts are cut so that all that may be said at once fits every host.

    A root known under several workspaces stands for `workspace` where that is one of them, else for its newest row's.

    False, with a WARNING, where this Python's SQLite lacks FTS5: then there is no snapshot and the hook is silent.
    HivemindError: it could not be written; the old one stands.
    """
    meta = {
        "version": VERSION,
        "workspace": workspace,
        "applies_min": repr(applies_min),
        "call_applies_min": repr(call_applies_min(applies_min)),
        "margin_min": repr(margin_min),
        "limit": str(limit),
        "tokens_max": str(min(tokens_max, TOKENS_AT_ONCE // max(limit, 1))),
        "fit_slope": repr(fit_line()[0]),
        "fit_bias": repr(fit_line()[1]),
    }
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _sweep(path)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        aside = Path(name)
        try:
            if not _write(aside, [(one, shift(one)) for one in documents], roots, weights_rarity, meta):
                path.unlink(missing_ok=True)
                return False
            aside.chmod(FILE_MODE)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as exc:
        raise HivemindError(
            "The snapshot for recall without a daemon could not be written.",
            why=f"{path}: {exc}.",
            fix="Free disk space or give your user write access to that folder.",
        ) from exc
    return True


def _write(
    aside: Path,
    documents: Sequence[tuple[Document, float]],
    roots: Iterable[Project],
    rarity: Mapping[str, float],
    meta: Mapping[str, str],
) -> bool:
    with contextlib.closing(sqlite3.connect(aside, isolation_level=None)) as db:
        # Nobody reads it before the rename, and a torn one is thrown away: no journal, no waiting for the disk.
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        db.executescript(_TABLES)
        try:
            db.execute(_FTS)
        except sqlite3.OperationalError as exc:
            if "fts5" not in str(exc):
                raise
            logger.warning("no snapshot for recall without a daemon: this Python's SQLite has no FTS5")
            return False
        db.execute("BEGIN")
        db.executemany("INSERT INTO meta VALUES(?,?)", meta.items())
        db.executemany("INSERT INTO stop VALUES(?)", ((term,) for term in sorted(STOPWORDS)))
        db.executemany("INSERT INTO rarity VALUES(?,?)", rarity.items())
        db.executemany(
            "INSERT INTO roots VALUES(?,?,?)",
            _places(roots, meta["workspace"]),
        )
        for rowid, (document, shift) in enumerate(documents, start=1):
            row, found = _row(document, int(meta["tokens_max"]))
            db.execute("INSERT INTO docs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)", (rowid, *row, shift))
            db.execute("INSERT INTO fts(rowid, terms) VALUES(?,?)", (rowid, found))
        db.execute("COMMIT")
    return True


def _places(roots: Iterable[Project], workspace: str) -> list[tuple[str, str, str]]:
    """(root, workspace_id, project_id), one for each root: two would let the hook pick another workspace's skills.

    A session of a workspace of its own names it itself, so what is left to say is where all others belong.
    """
    oldest_first = sorted(roots, key=lambda project: (project.workspace_id == workspace, project.occurred_at))
    last_wins = {_utf8(one.root): (_utf8(one.workspace_id), _utf8(one.project_id)) for one in oldest_first}
    return [(root, *place) for root, place in last_wins.items()]


def _row(document: Document, tokens_max: int) -> tuple[tuple[str | int, ...], str]:
    """The columns of `docs` after rowid, and all terms for `fts`."""
    tasks = [content(task) for task in dict.fromkeys((document.trigger, *document.tasks))]
    rule = content(document.rule or document.text)
    task_terms = "\n".join(" ".join(sorted(task)) for task in tasks if task)
    found = " ".join(sorted(rule.union(content(document.name), *tasks)))
    columns = (
        _utf8(document.id),
        document.version,
        document.kind,
        _utf8(document.workspace_id),
        _utf8(document.project_id),
        _utf8(document.name),
        _utf8(within_tokens(document.text, tokens_max)),
        task_terms,
        " ".join(sorted(rule)),
        " ".join(map(_utf8, document.origin)),
        "\n".join(_utf8(key) for key in document.recurrence_keys if key),
    )
    return columns, found


def _utf8(value: str) -> str:
    """SQLite takes no lone surrogates, which odd file names hold; nobody can type them either."""
    return value.encode("utf-8", "replace").decode()


def _sweep(path: Path) -> None:
    """What a killed writer left aside. There is one writer, the daemon."""
    for aside in path.parent.glob(f".{path.name}.*.tmp*"):
        aside.unlink(missing_ok=True)
