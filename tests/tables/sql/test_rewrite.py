"""A SELECT sees the workspace's tables by their names, and nothing else."""

import pytest

from hivemind_cli.core.errors import Forbidden, SQLError, TablesError, UnknownTable
from hivemind_cli.tables.scene import Scene
from hivemind_cli.tables.sql import parse, reading
from tests.tables.sql.conftest import Ask


def test_a_star_is_the_persons_columns(ask: Ask) -> None:
    assert ask("SELECT * FROM repos").names == ("task", "repo")


def test_dashes_and_case_do_not_matter_in_a_tables_name(ask: Ask) -> None:
    assert ask('SELECT count(*) FROM "Agent-Experience"').rows == [(3,)]


def test_a_workspace_may_be_named_if_it_is_this_one(ask: Ask) -> None:
    assert ask('SELECT "payments"."repos".repo FROM "payments"."repos" ORDER BY 1').rows == [("a",), ("b",)]


def test_joins_aggregates_and_queries_within(ask: Ask) -> None:
    assert ask("SELECT repo, score FROM agent_experience JOIN repos USING (task) ORDER BY score DESC").rows == [
        ("a", 0.9),
        ("b", 0.2),
    ]
    best = "SELECT outcome, AVG(score) AS avg_score, COUNT(*) FROM agent_experience GROUP BY outcome ORDER BY 2 DESC"
    assert ask(best).rows == [("success", 0.7, 2), ("failure", 0.2, 1)]
    assert ask("WITH repos AS (SELECT task FROM repos WHERE repo = 'a') SELECT * FROM repos").rows == [
        ("fix the pipe",)
    ]
    correlated = """SELECT repo FROM repos r WHERE EXISTS
                    (SELECT 1 FROM agent_experience r2 WHERE r2.task = r.task AND score > 0.5)"""
    assert ask(correlated).rows == [("a",)]


def test_columns_are_called_as_postgresql_calls_them(ask: Ask) -> None:
    text = (
        "SELECT count(*), max(score), count(*), upper(task), 1 FROM repos JOIN agent_experience USING (task) GROUP BY 4"
    )
    assert ask(text).names == ("count", "max", "count_1", "upper", "?column?")


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("SELECT repo FROM repos WHERE task = $1", ["fix the pipe"]),
        ("SELECT repo FROM repos WHERE task = :task", {"task": "fix the pipe"}),
        ("SELECT repo FROM repos WHERE task = %s", ("fix the pipe",)),
        ("SELECT repo FROM repos WHERE task = %(task)s", {"task": "fix the pipe"}),
    ],
)
def test_parameters_are_said_in_any_of_these_ways(ask: Ask, text: str, params: object) -> None:
    assert ask(text, params).rows == [("a",)]


@pytest.mark.parametrize(
    "text", ["SELECT repos FROM repos", "SELECT (SELECT r) FROM repos r", "SELECT count(r.*) FROM repos r"]
)
def test_a_row_is_no_value(ask: Ask, text: str) -> None:
    with pytest.raises(SQLError):
        ask(text)


def test_nothing_else_is_in_reach(ask: Ask) -> None:
    refused: list[tuple[str, type[TablesError]]] = [
        ("SELECT * FROM secrets", UnknownTable),
        ("SELECT * FROM others.secrets", Forbidden),
        ("SELECT others.secrets.word FROM repos", Forbidden),
        ("SELECT * FROM hm_tables", UnknownTable),
        ("SELECT * FROM t_1", UnknownTable),
        ("SELECT * FROM memory.main.hm_tables", Forbidden),
        ("SELECT _hm_seq FROM repos", Forbidden),
        ('SELECT r."_HM_row" FROM repos r', Forbidden),
        ("SELECT nothing FROM repos", UnknownTable),
        ("SELECT r.nothing FROM repos r", UnknownTable),
    ]
    for text, error in refused:
        with pytest.raises(error):
            ask(text)
            pytest.fail(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT tsk FROM agent_experience", "Did you mean task?"),
        ("SELECT a.tsk FROM agent_experience a", "Did you mean task?"),
        ("SELECT task FROM agent_experience a, agent_experience b", "table.task"),
    ],
)
def test_a_column_that_is_not_known_is_named_with_what_may_be_meant(ask: Ask, text: str, said: str) -> None:
    with pytest.raises(UnknownTable) as caught:
        ask(text)
    assert caught.value.fix.endswith((said, said + "."))


def test_an_expression_of_order_by_means_the_tables_columns(ask: Ask) -> None:
    text = "SELECT repo AS task FROM repos ORDER BY upper(task) DESC"
    assert ask(text).rows == [("b",), ("a",)]
    assert ask("SELECT score * 2 AS twice FROM agent_experience ORDER BY twice + 1 DESC LIMIT 1").rows == [(1.8,)]


def test_scoring_calls_have_one_spelling(scene: Scene) -> None:
    text = """SELECT task, (embedding, task)::deeplake_hybrid_record <#>
              deeplake_hybrid_record($1::float4[], $2, 0.5, 0.5) AS score
              FROM "payments"."agent_experience" ORDER BY score LIMIT 3"""
    read = reading(parse(text, ("{1,2,3}", "pipe")), scene)
    said = read.tree.sql("postgres")
    assert 'HM_HYBRID("agent_experience"."embedding", "agent_experience"."task", $3, $4, $5, $5)' in said
    assert 'ORDER BY "score" DESC NULLS LAST' in said
    assert read.values == ["{1,2,3}", "pipe", [1.0, 2.0, 3.0], "pipe", 0.5]
    assert {alias: table.name for alias, table in read.sources.items()} == {"agent_experience": "agent_experience"}
