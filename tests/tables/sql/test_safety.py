"""Nothing but computing on the workspace's own tables gets through; what it cannot be made of, or do."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot.tokenizer_core import TokenType

from hivemind_cli.core.errors import SQLError, TablesError
from hivemind_cli.tables import sql
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql.dialect import People
from tests.tables.sql.conftest import Ask
from tests.tables.sql.test_engines import AGGREGATES, EXPRESSIONS

REFUSED = [
    "",
    " ; ",
    "-- nothing",
    "SELECT 1; DROP TABLE repos",
    "SELECT 1; SELECT 2",
    "COPY repos TO '/tmp/x'",
    "ATTACH '/tmp/x'",
    "SET memory_limit = '1GB'",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "INSTALL httpfs",
    "LOAD httpfs",
    "EXPORT DATABASE '/tmp/x'",
    "BEGIN",
    "VACUUM",
    "SHOW TABLES",
    "DESCRIBE repos",
    "EXECUTE x",
    "PREPARE x AS SELECT 1",
    "DO $$ BEGIN END $$",
    "GRANT ALL ON repos TO public",
    "LISTEN x",
    "LOCK TABLE repos",
    "EXPLAIN ANALYZE SELECT 1",
    "EXPLAIN DELETE FROM repos",
    "SELECT * INTO x FROM repos",
    "SELECT * FROM repos FOR UPDATE",
    "WITH x AS (DELETE FROM repos RETURNING task) SELECT * FROM x",
    "SELECT * FROM (DELETE FROM repos RETURNING task) x",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM glob('/*')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pragma_table_info('repos')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('repos')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_authid",
    "SELECT * FROM pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT getenv('HOME')",
    "SELECT current_setting('data_directory')",
    "SELECT set_config('a.b', 'c', false)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_catalog.pg_sleep(1)",
    'SELECT "pg_sleep"(1)',
    "SELECT pg_sleep(1)",
    "SELECT pg_terminate_backend(1)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT ts_stat('SELECT 1')",
    "SELECT nextval('memory.hm_numbers')",
    "SELECT setval('hm_numbers', 1)",
    "SELECT dblink('', 'SELECT 1')",
    "SELECT version()",
    "SELECT current_user",
    "SELECT session_user",
    "SELECT current_database()",
    "SELECT inet_server_addr()",
    "SELECT txid_current()",
    "SELECT 'pg_authid'::regclass",
    "SELECT 'repos'::regclass::oid",
    "SELECT '<a/>'::xml",
    "SELECT COLUMNS('.*') FROM repos",
    "SELECT repos FROM repos",
    "SELECT to_json(repos) FROM repos",
    "SELECT row_to_json(r) FROM repos r",
    "SELECT (r).task FROM repos r",
    "SELECT r::text FROM repos r",
    "SELECT ARRAY(SELECT r FROM repos r)",
    "SELECT * FROM repos NATURAL JOIN agent_experience",
    "SELECT * FROM repos JOIN agent_experience USING (_hm_row)",
    "SELECT * FROM repos r(a, _hm_row)",
    "SELECT hm_v.task FROM repos hm_v",
    "SELECT ctid FROM repos",
    "SELECT xmin, tableoid FROM repos",
    "SELECT rowid FROM repos",
    "SELECT * FROM repos TABLESAMPLE SYSTEM (1)",
    "SELECT date_part('year FROM now()), (SELECT 1', now())",
    "SELECT date_trunc('day'' , now()), (''', now())",
    'SELECT make_interval("days); x" => 1)',
    "SELECT $1",
    "SELECT @1",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT " + "NOT " * 5000 + "true",
    "SELECT repeat(repeat('x', 1000000), 1000000)",
    "SELECT replace(repeat('x', 1000000), 'x', 'y')",
    "SELECT " + "ARRAY[" * 30 + "1" + "]" * 30,
    "SELECT 1" + " UNION ALL SELECT 1" * 250,
    "SELECT 1" + "+1" * 26_000,
    "WITH c0 AS (SELECT 1 AS x)"
    + "".join(f", c{n} AS (SELECT a.x FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 40))
    + " SELECT x FROM c39",
    "WITH c0 AS (SELECT 1 AS x)"
    + "".join(f", c{n} AS (SELECT * FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 40))
    + " SELECT * FROM c39",
    "SELECT 'a\0b'",
    "SELECT e'a\\x00b'",
    "SELECT '" + "x" * 1_000_001 + "'",
]


def test_nothing_of_this_is_run(ask: Ask) -> None:
    let_through = []
    for text in REFUSED:
        try:
            ask(text)
            let_through.append(text)
        except TablesError:
            pass
    assert let_through == []


def test_a_write_is_no_reading(scene: Scene) -> None:
    for text in ("DELETE FROM repos", "DROP TABLE repos", "CREATE TABLE x (a INT)", "INSERT INTO repos VALUES ('a')"):
        with pytest.raises(TablesError):
            sql.reading(sql.parse(text), scene)


HOSTILE = "x') hm_evil; --\\\" $$"


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_text_stays_text(scene: Scene, dialect: str) -> None:
    """Whatever stands in quotes never becomes part of the statement, in any function and under any name."""
    quoted = HOSTILE.replace("'", "''")
    for said in (*EXPRESSIONS, *AGGREGATES, "1"):
        hostile = re.sub(r"(?<![eE])'[^']*'", lambda _: f"'{quoted}'", said)
        name = HOSTILE.replace('"', '""')
        text = f'SELECT {hostile} AS "{name}" FROM agent_experience AS "agent_experience" WHERE task = \'{quoted}\''
        try:
            rendered = sql.render(sql.reading(sql.parse(text), scene).tree, dialect)
        except SQLError:
            continue
        tokens = People().tokenize(rendered)
        outside = [one.text for one in tokens if one.token_type not in (TokenType.STRING, TokenType.IDENTIFIER)]
        assert not any("evil" in one or ";" in one for one in outside), said


KEYWORDS = """SELECT FROM WHERE GROUP BY ORDER BY LIMIT OFFSET HAVING WITH x AS ( ) JOIN USING LATERAL INSERT INTO
    VALUES UPDATE SET DELETE CREATE TABLE DROP ALTER ADD COLUMN ON CONFLICT DO NOTHING RETURNING repos task repo
    agent_experience score embedding metadata _hm_seq secrets sessions cosine_similarity bm25 hybrid"""
SIGNS = [
    "$1",
    ":name",
    "%s",
    "<#>",
    "<=>",
    "::",
    "'",
    '"',
    "/*",
    "--",
    "\0",
    "\ud800",
    "é",
    "{1,2}",
    "*",
    "$tag$",
    "1e9",
]
SPELT = {word for text in [*EXPRESSIONS, *AGGREGATES, KEYWORDS] for word in re.findall(r"\w+|[^\w\s]+", text)}
WORDS = sorted({*SPELT, *SIGNS})
PARAMS = st.none() | st.lists(st.none() | st.integers() | st.text(max_size=5) | st.floats(), max_size=3)
STATEMENTS = st.builds(
    lambda first, words: " ".join([first, *words]),
    st.sampled_from(["SELECT", "SELECT * FROM repos", "UPDATE repos SET", "INSERT INTO repos", "CREATE TABLE", "WITH"]),
    st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=12),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=STATEMENTS, params=PARAMS)
def test_whatever_is_written_is_read_or_refused(scene: Scene, text: str, params: list[object] | None) -> None:
    try:
        statement = sql.parse(text, params)
        if statement.kind.reads:
            tree, _ = sql.bind((read := sql.reading(statement, scene)).tree, read.values)
            sql.render(tree, "duckdb")
            sql.render(tree, "postgres")
    except TablesError:
        pass
