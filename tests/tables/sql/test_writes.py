"""INSERT, UPDATE, DELETE, and tables made, changed and dropped: on a workspace's own tables alone."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hivemind_cli.core.errors import (
    BranchError,
    DuplicateKey,
    Forbidden,
    SQLError,
    TablesError,
    UnknownTable,
    WrongValue,
)
from hivemind_cli.storage.tables import Kind, Result, Type
from hivemind_cli.tables.layout import Level
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql import Kind as Statement
from hivemind_cli.tables.sql import ddl, parse, writes
from tests.tables.sql.conftest import Ask

Run = Callable[..., int | Result]


@pytest.fixture
def run(scene: Scene) -> Run:
    """Execute a write; how many rows."""

    def ran(text: str, params: Any = None, *, scene: Scene = scene) -> int | Result:
        statement = parse(text, params)
        made = {Statement.CREATE: ddl.create, Statement.DROP: ddl.drop, Statement.ALTER: ddl.alter}.get(statement.kind)
        if made is None:
            return scene.engine.write(lambda tx: writes.write(statement, scene, tx))
        scene.engine.write(lambda tx: made(statement, scene, tx))
        return 0

    return ran


@pytest.fixture
def memory(run: Run) -> str:
    """A table as the seeds make it."""
    run("""CREATE TABLE IF NOT EXISTS "payments"."debug_memory" (id BIGSERIAL PRIMARY KEY, task TEXT, outcome TEXT,
           metadata JSONB, embedding FLOAT4[], tokens INT DEFAULT 7, at TIMESTAMP DEFAULT NOW()) USING deeplake""")
    return "debug_memory"


def test_columns_have_the_types_they_were_declared_with(scene: Scene, memory: str) -> None:
    table = scene.table(memory)
    assert [(one.name, str(one.type)) for one in table.columns] == [
        ("id", "bigint"),
        ("task", "text"),
        ("outcome", "text"),
        ("metadata", "json"),
        ("embedding", "vector"),
        ("tokens", "int"),
        ("at", "timestamp"),
    ]
    assert table.key == ("id",)


def test_if_not_exists_leaves_a_table_as_it_is(run: Run, memory: str, scene: Scene) -> None:
    run("CREATE TABLE IF NOT EXISTS debug_memory (x INT)")
    assert "task" in scene.table(memory).names
    with pytest.raises(SQLError):
        run("CREATE TABLE debug_memory (x INT)")


def test_insert_as_the_seeds_say_it(run: Run, memory: str, ask: Ask, scene: Scene) -> None:
    text = """INSERT INTO "payments"."debug_memory" (task, outcome, metadata, embedding)
              VALUES ($1, $2, $3::jsonb, $4::float4[])"""
    assert run(text, ["fix", "it's done", '{"agent": "swe-01"}', "{0.5,0.25,1}"]) == 1
    row = ask("SELECT * FROM debug_memory").dicts()[0]
    assert row["metadata"] == {"agent": "swe-01"}
    assert row["embedding"].tolist() == [0.5, 0.25, 1.0]
    assert (row["outcome"], row["tokens"]) == ("it's done", 7)
    assert isinstance(row["id"], int)
    assert abs(row["at"] - datetime.now(UTC)).total_seconds() < 600
    assert scene.table(memory).column("embedding").type == Type(Kind.VECTOR, 3)


def test_insert_with_percent_s_takes_python_values(run: Run, memory: str, ask: Ask) -> None:
    run(
        "INSERT INTO debug_memory (task, metadata, embedding, tokens) VALUES (%s, %s, %s, %s)",
        ["a", {"n": [1]}, [1, 2], 3],
    )
    assert ask("SELECT task, metadata, tokens FROM debug_memory").rows == [("a", {"n": [1]}, 3)]


def test_rows_defaults_expressions_and_nulls(run: Run, memory: str, ask: Ask) -> None:
    count = run("""INSERT INTO debug_memory (task, tokens, metadata) VALUES
                   ('a', 1 + 1, NULL), (upper('b'), DEFAULT, '[1, "x"]'), ($$c's$$, -3, jsonb_build_object('k', 1))""")
    assert count == 3
    assert sorted(ask("SELECT task, tokens, metadata FROM debug_memory").rows) == [
        ("B", 7, [1, "x"]),
        ("a", 2, None),
        ("c's", -3, {"k": 1}),
    ]
    assert run("INSERT INTO debug_memory DEFAULT VALUES") == 1


def test_insert_of_a_select(run: Run, memory: str, ask: Ask) -> None:
    text = """WITH good AS (SELECT * FROM agent_experience WHERE outcome = 'success')
              INSERT INTO debug_memory (task, metadata, embedding) SELECT task, metadata, embedding FROM good"""
    assert run(text) == 2
    assert ask("SELECT task, metadata FROM debug_memory WHERE metadata IS NOT NULL").rows == [
        ("fix the pipe", {"by": "ann", "files": ["a"]})
    ]


def test_update_and_delete_see_values_as_they_were(run: Run, ask: Ask) -> None:
    assert (
        run("UPDATE agent_experience SET score = score * 2, attempts = attempts + 1 WHERE task LIKE $1", ["%pipe"]) == 1
    )
    assert ask("SELECT score, attempts FROM agent_experience WHERE task = 'fix the pipe'").rows == [(1.8, 2)]
    changed = """UPDATE agent_experience AS e SET outcome =
                 (SELECT max(repo) FROM repos r WHERE r.task = e.task) WHERE score < 1"""
    assert run(changed) == 2
    assert ask("SELECT outcome FROM agent_experience ORDER BY task").rows == [("success",), (None,), ("b",)]
    assert (
        run(
            "UPDATE agent_experience SET metadata = $1, embedding = '{4,5,6}' WHERE task = $2",
            [{"a": 1}, "mend the roof"],
        )
        == 1
    )
    row = ask("SELECT metadata, embedding FROM agent_experience WHERE attempts = 3").rows[0]
    assert (row[0], row[1].tolist()) == ({"a": 1}, [4.0, 5.0, 6.0])
    assert run("DELETE FROM agent_experience WHERE task IN (SELECT task FROM repos WHERE repo = $1)", ["a"]) == 1
    assert run("DELETE FROM agent_experience") == 2
    assert ask("SELECT count(*) FROM agent_experience").rows == [(0,)]


def test_on_conflict_do_nothing_and_do_update(run: Run, ask: Ask) -> None:
    run("CREATE TABLE seen (url TEXT PRIMARY KEY, n INT NOT NULL, note TEXT)")
    add = "INSERT INTO seen (url, n, note) VALUES ('a', 1, 'x'), ('b', 1, 'y')"
    assert run(add) == 2
    with pytest.raises(DuplicateKey):
        run(add)
    assert run("INSERT INTO seen VALUES ('a', 5, 'z'), ('c', 5, 'z') ON CONFLICT DO NOTHING") == 1
    more = """INSERT INTO seen (url, n) VALUES (%s, %s), (%s, %s)
              ON CONFLICT (url) DO UPDATE SET n = seen.n + excluded.n, note = %s WHERE seen.n < 5"""
    assert run(more, ["a", 10, "d", 1, "more"]) == 2
    assert ask("SELECT * FROM seen ORDER BY url").rows == [
        ("a", 11, "more"),
        ("b", 1, "y"),
        ("c", 5, "z"),
        ("d", 1, None),
    ]
    with pytest.raises(SQLError):
        run("INSERT INTO seen VALUES ('a', 1) ON CONFLICT (note) DO NOTHING")
    with pytest.raises(WrongValue):
        run("UPDATE seen SET n = NULL WHERE url = 'a'")
    with pytest.raises(WrongValue):
        run("UPDATE seen SET n = nullif(n, 11), note = $1", ["q"])
    with pytest.raises(DuplicateKey):
        run("UPDATE seen SET url = 'same'")
    assert ask("SELECT sum(n) FROM seen").rows == [(18,)]


def test_returning_gives_what_was_written(run: Run, memory: str) -> None:
    made = run(
        "INSERT INTO debug_memory (task, metadata) VALUES ('a', '{}'), ('b', NULL) RETURNING id, upper(task), tokens"
    )
    assert isinstance(made, Result)
    assert made.names == ("id", "upper", "tokens")
    assert sorted(row[1:] for row in made.rows) == [("A", 7), ("B", 7)]
    changed = run("UPDATE debug_memory SET tokens = tokens + 1 WHERE id = $1 RETURNING *", [made.rows[0][0]])
    assert isinstance(changed, Result)
    assert [(row["id"], row["tokens"]) for row in changed.dicts()] == [(made.rows[0][0], 8)]
    gone = run("DELETE FROM debug_memory WHERE tokens = 7 RETURNING id")
    assert isinstance(gone, Result)
    assert gone.rows == [(made.rows[1][0],)]


def test_a_branch_changes_rows_for_itself(run: Run, ask: Ask, scene: Scene) -> None:
    branch = Scene(
        scene.engine,
        "payments",
        scene.catalog,
        "try",
        77,
        (Level(77), Level(0, scene.engine.write(lambda tx: tx.numbers(1)))),
    )
    assert run("UPDATE repos SET repo = 'z' WHERE repo = 'a'", scene=branch) == 1
    assert run("DELETE FROM repos WHERE repo = 'b'", scene=branch) == 1
    assert run("INSERT INTO repos VALUES ('new', 'n')", scene=branch) == 1
    assert ask("SELECT repo FROM repos ORDER BY 1").rows == [("a",), ("b",)]
    assert ask("SELECT repo FROM repos ORDER BY 1", scene=branch).rows == [("n",), ("z",)]
    for text in ("CREATE TABLE x (a INT)", "DROP TABLE repos", "ALTER TABLE repos ADD COLUMN a INT"):
        with pytest.raises(BranchError):
            run(text, scene=branch)


def test_columns_are_added_and_tables_dropped(run: Run, ask: Ask) -> None:
    run("ALTER TABLE repos ADD COLUMN stars INT, ADD COLUMN IF NOT EXISTS repo TEXT")
    assert ask("SELECT * FROM repos WHERE repo = 'a'").rows == [("fix the pipe", "a", None)]
    run("DROP TABLE IF EXISTS nothing")
    run('DROP TABLE IF EXISTS "payments"."repos"')
    with pytest.raises(UnknownTable):
        ask("SELECT * FROM repos")


REFUSED: list[tuple[str, type[TablesError]]] = [
    ("INSERT INTO sessions (host) VALUES ('x')", Forbidden),
    ("DELETE FROM corrections", Forbidden),
    ("UPDATE steps SET state = NULL", Forbidden),
    ("DROP TABLE steps", Forbidden),
    ("DROP TABLE skills", Forbidden),
    ("CREATE TABLE outcomes (a INT)", Forbidden),
    ("DELETE FROM others.secrets", Forbidden),
    ("INSERT INTO repos SELECT word, word FROM others.secrets", Forbidden),
    ("DELETE FROM secrets", UnknownTable),
    ("DELETE FROM hm_tables", UnknownTable),
    ("UPDATE repos SET _hm_seq = 1", Forbidden),
    ("INSERT INTO repos (task, _hm_until) VALUES ('a', 1)", Forbidden),
    ("DELETE FROM repos WHERE _hm_row > 0", Forbidden),
    ("CREATE TABLE x (_hm_a INT)", Forbidden),
    ("INSERT INTO repos VALUES ('a', 'b', 'c')", SQLError),
    ("INSERT INTO repos (task, task) VALUES ('a', 'b')", SQLError),
    ("INSERT INTO repos (nothing) VALUES ('a')", UnknownTable),
    ("INSERT INTO repos VALUES ('a', 'b') RETURNING nothing", UnknownTable),
    ("INSERT INTO repos VALUES ('a', 'b') RETURNING _hm_seq", Forbidden),
    ("DELETE FROM repos RETURNING repos", SQLError),
    ("INSERT INTO repos (task) SELECT task, repo FROM repos", SQLError),
    ("UPDATE repos SET repo = 'x' FROM agent_experience", SQLError),
    ("UPDATE repos SET (task, repo) = ('a', 'b')", SQLError),
    ("UPDATE repos SET task = 'a', task = 'b'", SQLError),
    ("DELETE FROM repos USING agent_experience", SQLError),
    ("UPDATE agent_experience SET score = 1 WHERE cosine_similarity(embedding, '{1,2,3}') > 0.5", SQLError),
    ("UPDATE agent_experience SET embedding = '{1,2}'", WrongValue),
    ("UPDATE agent_experience SET embedding = 'words'", WrongValue),
    ("UPDATE agent_experience SET score = 'NaN'", WrongValue),
    ("UPDATE agent_experience SET metadata = '{broken'", WrongValue),
    ("INSERT INTO agent_experience (attempts) VALUES (99999999999)", WrongValue),
    ("INSERT INTO agent_experience (attempts) VALUES (1.5)", WrongValue),
    ("INSERT INTO agent_experience (made_at) VALUES ('no time')", WrongValue),
    ("INSERT INTO agent_experience (embedding) VALUES ('{1,2}')", WrongValue),
    ("CREATE TABLE x (a INT, a INT)", SQLError),
    ("CREATE TABLE x (a regclass)", SQLError),
    ("CREATE TABLE x (a TEXT[])", SQLError),
    ("CREATE TABLE x (a INT DEFAULT nextval('s'))", SQLError),
    ("CREATE TABLE x (a INT REFERENCES repos)", SQLError),
    ("CREATE TABLE x AS SELECT 1 AS a", SQLError),
    ("CREATE TEMP TABLE x (a INT)", SQLError),
    ("CREATE VIEW x AS SELECT 1 AS a", SQLError),
    ("CREATE INDEX x ON repos (task)", SQLError),
    ("CREATE FUNCTION x() RETURNS INT AS 'SELECT 1' LANGUAGE sql", SQLError),
    ("ALTER TABLE repos DROP COLUMN repo", SQLError),
    ("ALTER TABLE repos RENAME TO x", SQLError),
    ("ALTER TABLE repos ADD COLUMN a INT NOT NULL", SQLError),
    ("DROP TABLE repos, agent_experience", SQLError),
    ("TRUNCATE repos", SQLError),
    ("MERGE INTO repos USING repos r ON true WHEN MATCHED THEN DELETE", SQLError),
    ("INSERT INTO agent_experience (task) VALUES ($1)", WrongValue),
]


def test_what_may_not_be_written_changes_nothing(run: Run, ask: Ask, scene: Scene) -> None:
    own = scene.table("repos").columns
    scene.engine.write(lambda tx: scene.catalog.create(tx, "payments", "steps", own, own=True))

    def everything() -> list[str]:
        names = ("repos", "agent_experience", "steps")
        return [str(ask(f"SELECT * FROM {name} ORDER BY task").rows) for name in names]

    before = everything()
    for text, error in REFUSED:
        with pytest.raises(error):
            run(text)
            pytest.fail(text)
        assert everything() == before, text
    assert [one.name for one in scene.catalog.tables("payments")] == ["agent_experience", "repos", "steps"]
