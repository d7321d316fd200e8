"""What may be computed in a statement gives the same on every engine."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.tables.sql.conftest import Ask

EXPRESSIONS: dict[str, Any] = {
    # of the row: task 'fix the pipe', outcome 'success', score 0.9, attempts 1, metadata {"by": "ann", "files": ["a"]}
    "metadata->>'by' = 'ann'": True,
    "metadata->'files'->0": "a",
    "metadata#>'{files,0}'": "a",
    "metadata#>>'{by}'": "ann",
    'metadata @> \'{"by":"ann"}\'': True,
    "metadata ? 'by'": True,
    "metadata->>'none'": None,
    "metadata->>'a''b\"c.d[0]'": None,
    "jsonb_array_length(metadata->'files')": 1,
    "jsonb_typeof(metadata)": "object",
    "jsonb_typeof(metadata->'by')": "string",
    "jsonb_build_object('a', attempts)": {"a": 1},
    "jsonb_build_array(attempts, 'x')": [1, "x"],
    "coalesce(metadata->>'none', 'nothing')": "nothing",
    "(metadata->>'by')::text || 'x'": "annx",
    "7 / 2": 3,
    "-7 / 2": -3,
    "(attempts + 4) / 2": 2,
    "7 / 2.0": 3.5,
    "7 % 4": 3,
    "2 ^ 3": 8.0,
    "round(score::numeric, 1)::float8": 0.9,
    "round(score / 7, 2)": 0.13,
    "mod(attempts, 2)": 1,
    "abs(-3)": 3,
    "ceil(1.2)::int": 2,
    "greatest(1, 2) + least(1, 2)": 3,
    "upper(task) || lower('A')": "FIX THE PIPEa",
    "length('é')": 1,
    "octet_length('é')": 2,
    "substring(task from 1 for 3)": "fix",
    "position('the' in task)": 5,
    "split_part(task, ' ', 2)": "the",
    "trim(both 'f' from task)": "ix the pipe",
    "replace(task, 'pipe', 'roof')": "fix the roof",
    "regexp_replace(task, '[aeiou]', '_', 'g')": "f_x th_ p_p_",
    "task ~ '^fix' AND task !~* 'ROOF'": True,
    "task ILIKE 'FIX%' AND task NOT LIKE '\\_%'": True,
    "concat(task, attempts, NULL)": "fix the pipe1",
    "concat_ws('-', 'a', 'b')": "a-b",
    "lpad('7', 3, '0')": "007",
    "rpad('7', attempts + 2, '0')": "700",
    "length(repeat('ab', 2000000000))": 2_000_000,
    "md5('a')": "0cc175b9c0f1b6a831c399e269772661",
    "starts_with(task, 'fix')": True,
    "e'a\\tb'": "a\tb",
    "$$it's$$": "it's",
    "'it''s \\'": "it's \\",
    "CASE outcome WHEN 'success' THEN 1 ELSE 0 END": 1,
    "nullif(outcome, 'success')": None,
    "outcome IS DISTINCT FROM 'failure'": True,
    "score BETWEEN 0.5 AND 1": True,
    "attempts = ANY('{1,2}'::int[])": True,
    "attempts = ANY(ARRAY[5, 6])": False,
    "array_length(ARRAY[1, 2, 3], 1)": 3,
    "array_to_string(ARRAY['a', 'b'], ',')": "a,b",
    "(ARRAY[4, 5, 6])[2]": 5,
    "timestamp '2026-01-31 12:00:00' + interval '1 day'": datetime(2026, 2, 1, 12, tzinfo=UTC),
    "'2026-01-31 12:00:00+02'::timestamptz": datetime(2026, 1, 31, 10, tzinfo=UTC),
    "date_trunc('month', timestamp '2026-01-31 12:00:00')": datetime(2026, 1, 1, tzinfo=UTC),
    "extract(year from timestamp '2026-01-31 12:00:00')::int": 2026,
    "date_part('hour', timestamp '2026-01-31 12:00:00')::int": 12,
    "to_char(timestamp '2026-01-31 12:00:00', 'YYYY-MM-DD HH24:MI')": "2026-01-31 12:00",
    "to_char(timestamp '2026-01-31 15:00:00', 'Dy DD Mon YYYY HH24')": "Sat 31 Jan 2026 15",
    "to_timestamp(0) AT TIME ZONE 'Asia/Tokyo'": datetime(1970, 1, 1, 9, tzinfo=UTC),
    "to_timestamp(0)": datetime(1970, 1, 1, tzinfo=UTC),
    "now() > timestamp '2020-01-01' AND now() - interval '1 hour' < now()": True,
    "current_date >= date '2020-01-01'": True,
    "attempts::text": "1",
    "'12'::int": 12,
    "length(gen_random_uuid()::text)": 36,
    "EXISTS (SELECT 1 FROM repos r WHERE r.task = agent_experience.task)": True,
    "(SELECT repo FROM repos r WHERE r.task = agent_experience.task)": "a",
    "attempts IN (SELECT 1)": True,
    "row_number() OVER (ORDER BY score)": 1,
    "lag(task) OVER (PARTITION BY outcome ORDER BY score)": None,
    "sum(attempts) OVER (ORDER BY score ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)": 1,
}
AGGREGATES: dict[str, Any] = {
    "count(*)": 3,
    "count(DISTINCT outcome)": 2,
    "sum(attempts)": 6,
    "avg(attempts)": 2.0,
    "round(avg(score), 3)": 0.533,
    "min(task)": "fix the pipe",
    "bool_and(score > 0)": True,
    "every(score > 0.5)": False,
    "count(*) FILTER (WHERE outcome = 'success')": 2,
    "string_agg(task, ',' ORDER BY attempts DESC)": "mend the roof,paint the door,fix the pipe",
    "jsonb_agg(attempts ORDER BY attempts DESC)": [3, 2, 1],
    "json_agg(task ORDER BY attempts)": ["fix the pipe", "paint the door", "mend the roof"],
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY score)": 0.5,
    "max(score) - min(score)": 0.7,
    "stddev_pop(attempts) > 0.8": True,
    "count(*) / 2": 1,
}


@pytest.mark.parametrize(
    ("expressions", "rows"),
    [(EXPRESSIONS, "WHERE task = 'fix the pipe'"), (AGGREGATES, "")],
    ids=["of a row", "of all rows"],
)
def test_an_expression_gives_the_same_everywhere(ask: Ask, expressions: dict[str, Any], rows: str) -> None:
    found = {said: ask(f"SELECT {said} FROM agent_experience {rows}").rows[0][0] for said in expressions}
    assert {said: round(one, 9) if isinstance(one, float) else one for said, one in found.items()} == expressions


def test_functions_that_give_rows(ask: Ask) -> None:
    assert ask("SELECT * FROM generate_series(1, 5, 2) AS n").rows == [(1,), (3,), (5,)]
    assert ask("SELECT unnest(ARRAY['a', 'b']) AS letter").rows == [("a",), ("b",)]
    assert ask("SELECT x FROM unnest(ARRAY[3, 4]) AS u(x) ORDER BY x DESC").rows == [(4,), (3,)]
    recursive = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 4) SELECT sum(n) FROM r"
    assert ask(recursive).rows == [(10,)]


def test_parameters_take_the_type_they_meet(ask: Ask) -> None:
    text = "SELECT task FROM agent_experience WHERE metadata @> $1 AND attempts = ANY($2) AND score > $3 LIMIT $4"
    assert ask(text, [{"by": "ann"}, [1, 2], 0.1, 5]).rows == [("fix the pipe",)]
    assert ask(
        "SELECT task FROM agent_experience WHERE outcome = :o AND task LIKE :t", {"o": "failure", "t": "%door"}
    ).rows
