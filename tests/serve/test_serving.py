"""The REST door before a real daemon: what tables do, what bad input does not, and whose is whose."""

import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from hivemind_cli.app.tokens import Access
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import SkillState
from hivemind_cli.daemon.client import Client
from hivemind_cli.serve import operations
from hivemind_cli.serve.openapi import NDJSON
from hivemind_cli.serve.operations import OPERATIONS
from hivemind_cli.storage.daemon import DaemonStore
from tests.pipeline.past import skill_of
from tests.pipeline.session import Session
from tests.serve.conftest import serving_tables
from tests.serve.http_server import Answer, Asking


@dataclass(frozen=True)
class Shop:
    """One workspace, asked over HTTP."""

    asking: Asking
    name: str

    def ask(self, method: str, path: str, body: Any = None, *, access: Access = Access.WRITE, **headers: str) -> Answer:
        token = self.asking.token(self.name, access)
        answer = self.asking.ask(method, f"/workspaces/{self.name}{path}", body, token=token, **headers)
        if answer.status in (200, 201) and answer.headers["content-type"] == "application/json":
            _as_documented(method, path, answer.json)
        return answer

    def sql(self, query: str, params: Any = None, *, status: int = 200, **more: Any) -> Any:
        """The rows, or the problem."""
        body = {"query": query, "params": params, "branch": more.pop("branch", "main")}
        answer = self.ask("POST", "/tables/query", body, **more)
        assert answer.status == status, answer.body
        return answer.json["rows"] if status == 200 else answer.json


def _as_documented(method: str, path: str, value: Any) -> None:
    """It is of the type that the OpenAPI document says."""
    for one in OPERATIONS:
        pattern = re.sub(r"{\w+}", "[^/]+", one.path)
        if one.method == method and re.fullmatch(pattern, path.partition("?")[0]):
            assert one.gives is None or TypeAdapter(one.gives).validate_python(value) is not None or value is None
            return
    raise AssertionError(f"{method} {path} is not documented")


@pytest.fixture
def shop(served: Asking, workspace: str) -> Shop:
    return Shop(served, workspace)


def test_values_come_back_as_they_went(shop: Shop) -> None:
    rows: list[dict[str, Any]] = [
        {"n": 1, "word": "Ärger 🙂 \\ ' \" \n", "vector": [0.5, -1], "at": "2026-11-01T12:00:00.000001+00:00"},
        {"n": 2, "word": None, "vector": None, "at": None},
    ]
    extra: list[Any] = [{"$time": "x", "a": [1, None]}, [1.5, {"$f32": "y"}]]
    whole = [{**row, "extra": more} for row, more in zip(rows, extra, strict=True)]
    body = {
        "table": "things",
        "rows": whole,
        "types": {"at": "timestamp", "extra": "json", "n": "bigint", "vector": "vector(2)"},
        "key": ["n"],
    }
    made = shop.ask("POST", "/tables/ingest", body)
    assert (made.status, made.json["row_count"]) == (201, 2), made.body
    assert shop.sql("SELECT n, word, vector, at, extra FROM things ORDER BY n") == whole
    (table,) = shop.ask("GET", "/tables").json
    assert {one["name"]: one["type"] for one in table["columns"]}["vector"] == "vector(2)"
    found = shop.sql("SELECT word FROM things WHERE extra = :e::jsonb OR word = :w", {"e": None, "w": rows[0]["word"]})
    assert found == [{"word": rows[0]["word"]}]


BAD: list[tuple[str, Any, int]] = [
    ("SELECT 1; SELECT 2", None, 400),
    ("", None, 422),
    ("not sql at all", None, 400),
    ("SELECT * FROM nowhere", None, 404),
    ("SELECT nothing FROM things", None, 404),
    ("INSERT INTO things (n, vector) VALUES (7, $1)", [[1, 2, 3]], 422),
    ("INSERT INTO things (n, vector) VALUES (7, $1)", ["{NaN,1}"], 422),
    ("INSERT INTO things (n, vector) VALUES (7, $1)", ["{1,inf}"], 422),
    ("INSERT INTO things (n, word) VALUES (7, $1)", ["a\0b"], 422),
    ("INSERT INTO things (n, word) VALUES (1, $1)", ["twice"], 409),
    ("INSERT INTO things (n, word) VALUES ($1, $2)", [7], 400),
    ("INSERT INTO steps (run_id, step) VALUES ('r', 1)", None, 403),
    ("INSERT INTO corrections (id) VALUES ('r')", None, 403),
    ("DELETE FROM sessions", None, 403),
    ("DROP TABLE hm_tables", None, 404),
    ("SELECT * FROM hm_tables", None, 404),
    ("SELECT _hm_seq FROM things", None, 403),
    ('SELECT * FROM "other"."things"', None, 403),
    ("SELECT * FROM read_text('/etc/passwd')", None, 403),
    ("COPY things TO '/tmp/x'", None, 400),
    ("ATTACH '/tmp/x.duckdb'", None, 400),
    ("SET memory_limit = '1GB'", None, 400),
    ("PRAGMA database_list", None, 400),
    ("SELECT getenv('HOME')", None, 403),
    ("SELECT pg_sleep(10)", None, 403),
]
"""Statement, parameters, and the status; for 400 and 403, which go over into one another, any refusal will do."""


def test_bad_input_is_a_problem_and_changes_nothing(shop: Shop) -> None:
    shop.sql("CREATE TABLE things (n BIGINT PRIMARY KEY, word TEXT, vector VECTOR(2))")
    shop.sql("INSERT INTO things (n, word, vector) VALUES (1, 'one', '{1,2}')")
    shop.ask("POST", "/runs/r/steps", {"action": "begin"})
    before = shop.sql("SELECT * FROM things"), shop.sql("SELECT * FROM steps"), len(shop.ask("GET", "/tables").json)
    for statement, params, status in BAD:
        refused = shop.ask("POST", "/tables/query", {"query": statement, "params": params})
        assert 400 <= refused.status < 500, (statement, refused.body)
        assert refused.headers["content-type"] == "application/problem+json", statement
        assert refused.status == status or status in (400, 403), (statement, refused.body)
    for path, body in (
        ("/branches", {"name": "../x"}),
        ("/branches", {"name": "a/../b"}),
        ("/branches", {"name": "x", "source": "nowhere"}),
        ("/branches/merge", {"source": "deleted"}),
        ("/tables/ingest", {"table": "things", "rows": [{"n": 8, "vector": [1]}]}),
        ("/tables/ingest", {"table": "things", "rows": [{"n": 8}, {"n": 1}]}),
        ("/tables/ingest", {"table": "steps", "rows": [{"run_id": "r"}]}),
        ("/tables/ingest", {"table": "new one", "rows": [{"n": 8}]}),
        ("/runs/r/steps", {"action": "a\0b"}),
        ("/experiences", {"task": "t", "approach": "a", "outcome": "splendid", "score": 1}),
    ):
        assert 400 <= shop.ask("POST", path, body).status < 500, (path, body)
    assert shop.ask("GET", "/branches").json[0]["name"] == "main" and len(shop.ask("GET", "/branches").json) == 1
    after = shop.sql("SELECT * FROM things"), shop.sql("SELECT * FROM steps"), len(shop.ask("GET", "/tables").json)
    assert after == before


def test_a_token_that_reads_changes_nothing_whatever_it_sends(shop: Shop) -> None:
    shop.sql("CREATE TABLE things (n BIGINT PRIMARY KEY, word TEXT)")
    shop.sql("INSERT INTO things (n, word) VALUES (1, 'one')")
    for statement in (
        "INSERT INTO things (n) VALUES (2)",
        "UPDATE things SET word = 'two'",
        "DELETE FROM things",
        "DROP TABLE things",
        "ALTER TABLE things ADD COLUMN more TEXT",
        "CREATE TABLE others (n BIGINT)",
        "WITH gone AS (DELETE FROM things RETURNING *) SELECT * FROM gone",
        "SELECT 1; DELETE FROM things",
        "EXPLAIN ANALYZE DELETE FROM things",
        "CALL pragma_version()",
    ):
        for path in ("/tables/query", "/tables/explain"):
            refused = shop.ask("POST", path, {"query": statement}, access=Access.READ)
            assert refused.status in (400, 403), (statement, refused.body)
        refused = shop.ask("POST", "/tables/query", {"query": statement}, access=Access.READ, Accept=NDJSON)
        assert refused.status in (400, 403), (statement, refused.body)
    assert shop.sql("SELECT * FROM things", access=Access.READ) == [{"n": 1, "word": "one"}]
    assert [one["name"] for one in shop.ask("GET", "/tables", access=Access.READ).json] == ["things"]


ASKED: dict[str, Any] = {
    "/tables/query": {"query": "SELECT 1 AS one"},
    "/tables/explain": {"query": "SELECT 1 AS one"},
    "/branches/diff": "right=main",
    "/branches/conflicts": "source=main",
    "/debugging/search": {"query": "oom"},
    "/search": {"query": "oom"},
    "/runs/{run_id}/at": "step=1",
}
"""What an operation needs; the others take a task, or nothing."""


def test_no_operation_for_reading_leaves_anything_behind(shop: Shop) -> None:
    for one in (one for one in OPERATIONS if not one.writes):
        path = one.path.replace("{run_id}", "r").replace("{name}", "x")
        asked = ASKED.get(one.path, {"task": "anything"} if one.method == "POST" else "")
        body, question = (None, asked) if isinstance(asked, str) else (asked, "")
        answer = shop.ask(one.method, f"{path}?{question}", body, access=Access.READ)
        assert answer.status in (200, 404, 422), (one.id, answer.body)
        assert answer.status == 200 or one.method == "GET", (one.id, answer.body)
    assert shop.ask("GET", "/tables").json == [] and len(shop.ask("GET", "/branches").json) == 1


def test_one_workspace_sees_nothing_of_another(shop: Shop) -> None:
    other = Shop(shop.asking, f"{shop.name}-b")
    other.sql("CREATE TABLE treasure (n BIGINT, word TEXT)")
    other.sql("INSERT INTO treasure (n, word) VALUES (1, 'gold')")
    other.ask("POST", "/experiences", {"task": "dig", "approach": "spade", "outcome": "success", "score": 1})
    other.ask("POST", "/debugging", {"task": "dig", "outcome": "gold"})
    other.ask("POST", "/runs/r/steps", {"action": "dig"})
    other.ask("POST", "/branches", {"name": "island"})
    for method, path, body in (
        ("GET", "/tables", None),
        ("GET", "/runs", None),
        ("GET", "/runs/r/steps", None),
        ("POST", "/experiences/replay", {"task": "dig"}),
        ("POST", "/debugging/search", {"query": "gold"}),
    ):
        assert shop.ask(method, path, body).json == [], path
    assert [one["name"] for one in shop.ask("GET", "/branches").json] == ["main"]
    for name in (
        "treasure",
        f'"{other.name}"."treasure"',
        f"{other.name.replace('-', '_')}.treasure",
        "t_1",
        "memory.t_1",
    ):
        refused = shop.ask("POST", "/tables/query", {"query": f"SELECT * FROM {name}"})
        assert refused.status in (400, 403, 404) and "gold" not in refused.body.decode(), name
    assert "treasure" not in shop.ask("POST", "/tables/query", {"query": "SELECT * FROM treasury"}).json["detail"]
    assert shop.ask("GET", "/runs?branch=island").status == 422
    assert other.sql("SELECT word FROM treasure") == [{"word": "gold"}]


def test_many_rows_come_line_by_line_and_too_many_are_refused_otherwise(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = list(range(20_000))
    assert shop.ask("POST", "/tables/ingest", {"table": "many", "columns": {"n": numbers}}).status == 201
    body = {"query": "SELECT n FROM many ORDER BY n"}
    lines = shop.ask("POST", "/tables/query", body, Accept=NDJSON).body.splitlines()
    assert json.loads(lines[0]) == ["n"] and [json.loads(line)[0] for line in lines[1:]] == numbers
    whole = shop.ask("POST", "/tables/query", body).json
    assert whole["row_count"] == 20_000 and whole["rows"][-1] == {"n": 19_999}
    monkeypatch.setattr(operations, "RESULT_BYTES_MAX", 1)
    refused = shop.ask("POST", "/tables/query", body)
    assert refused.status == 400 and NDJSON in refused.json["fix"]


def test_many_clients_at_once_lose_nothing(shop: Shop) -> None:
    shop.sql("CREATE TABLE counted (n BIGINT PRIMARY KEY)")
    statuses: list[int] = []

    def insert(first: int) -> None:
        for n in range(first, first + 5):
            answer = shop.ask("POST", "/tables/query", {"query": "INSERT INTO counted (n) VALUES ($1)", "params": [n]})
            statuses.append(answer.status)

    threads = [threading.Thread(target=insert, args=(first,)) for first in range(0, 40, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 40
    assert shop.sql("SELECT count(*) AS c, max(n) AS m FROM counted") == [{"c": 40, "m": 39}]


def test_a_loop_goes_on_and_the_better_branch_wins(shop: Shop) -> None:
    for state in ({"plan": 1}, {"plan": 2}):
        made = shop.ask("POST", "/runs/run-42/steps", {"action": "plan", "state": state, "tokens_used": 5})
        assert made.status == 201
    assert shop.ask("GET", "/runs/run-42/resume").json == {"step": 2, "state": {"plan": 2}, "next_step": 3}
    assert shop.ask("POST", "/branches", {"name": "run-42/approach-a"}).status == 201
    step = {"action": "try", "state": {"plan": 3}, "branch": "run-42/approach-a"}
    assert shop.ask("POST", "/runs/run-42/steps", step).json["step"] == 3
    assert shop.ask("GET", "/runs/run-42/last").json["step"] == 2
    (change,) = shop.ask("GET", "/branches/diff?right=run-42/approach-a").json
    assert (change["kind"], change["key"]) == ("added", {"run_id": "run-42", "step": 3})
    before = shop.ask("GET", "/now").json["seq"]
    merged = shop.ask("POST", "/branches/merge", {"source": "run-42/approach-a"}).json
    assert (merged["changed"], merged["conflicts"]) == (1, 0)
    assert [one["state"]["plan"] for one in shop.ask("GET", "/runs/run-42/steps").json] == [1, 2, 3]
    assert shop.ask("POST", "/branches/rollback", {"branch": "main", "to_seq": before}).status == 200
    assert shop.ask("GET", "/runs/run-42/resume").json["next_step"] == 3
    assert shop.ask("DELETE", "/branches?name=run-42/approach-a").status == 204


ODD = [
    {"$time": "x"},
    {"$f64": [0.5] * 9, "$json": 1},
    {"$x": [0.5] * 9},
    {"$json": {"$f32": "y"}},
    [1.5, {"$f32": "y"}],
    [[0.5] * 9, {"a": [0.5] * 9}, None],
    [0.1] * 9,
    {},
    [],
]


def test_a_state_that_looks_like_our_own_packing_comes_back_as_it_was(shop: Shop) -> None:
    for state in ODD:
        made = shop.ask("POST", "/runs/r/steps", {"action": "a", "state": state})
        assert made.json.get("state") == state, made.body
    assert [one["state"] for one in shop.ask("GET", "/runs/r/steps").json] == ODD
    assert [row["state"] for row in shop.sql("SELECT state FROM steps ORDER BY step")] == ODD


def test_experiences_are_kept_and_found(shop: Shop) -> None:
    for approach, outcome, score in (("stream it", "success", 0.9), ("load it all", "failure", 0.1)):
        body = {"task": "read the large parquet file", "approach": approach, "outcome": outcome, "score": score}
        assert shop.ask("POST", "/experiences", {**body, "metadata": {"$time": "x"}}).status == 201
    like = {"task": "read a large parquet file"}
    (worked,) = shop.ask("POST", "/experiences/replay", like, access=Access.READ).json
    assert (worked["approach"], worked["metadata"]) == ("stream it", {"$time": "x"})
    (failed,) = shop.ask("POST", "/experiences/failures", like, access=Access.READ).json
    assert failed["approach"] == "load it all"
    best = shop.ask("POST", "/experiences/strategies", {**like, "similarity_min": 0.3}, access=Access.READ).json
    assert [one["approach"] for one in best] == ["stream it", "load it all"]
    newest = shop.ask("GET", "/experiences?limit=1&outcome=success", access=Access.READ).json
    assert [one["id"] for one in newest] == [worked["id"]]
    assert len(shop.ask("POST", "/experiences/search", like, access=Access.READ).json) == 2
    text = shop.ask("POST", "/experiences/context", like, access=Access.READ).json["text"]
    assert "stream it" in text and text.index("To avoid") < text.index("load it all")


def test_what_sessions_told_is_found_in_their_workspace_alone(shop: Shop, daemon_home: Path) -> None:
    store = DaemonStore(Client(Paths(root=daemon_home, home=daemon_home.parent), env={}).call)
    session = Session(store, f"s-{shop.name}")
    session.workspace = shop.name
    session.says("deploy the kestrel with npm")
    session.runs("npm install kestrel", error="Error: EKESTREL 4711, no such registry in /srv/kestrel")
    session.says("No, use pnpm here, never npm.")
    skill = skill_of(*session.corrections(), state=SkillState.LIVE, workspace_id=shop.name, name=f"pnpm-{shop.name}")
    store.append([skill])
    other = Shop(shop.asking, f"{shop.name}-b")
    for error, query in ((False, "kestrel"), (True, "Error: EKESTREL 4711, no such registry in /srv/kestrel")):
        asked = {"query": query, "error": error}
        mine, theirs = (one.ask("POST", "/search", asked, access=Access.READ) for one in (shop, other))
        assert "kestrel" in mine.body.decode() and theirs.status == 200, mine.body
        assert theirs.json.get("hits", theirs.json.get("known")) == []
    assert [one["name"] for one in shop.ask("GET", "/skills").json] == [skill.name]
    assert shop.ask("GET", f"/skills/{skill.name}").json["lines"] and other.ask("GET", "/skills").json == []
    assert other.ask("GET", f"/skills/{skill.name}").status == 404
    assert shop.ask("POST", "/search", {"query": "???"}).status == 400
    (row,) = shop.sql("SELECT count(*) AS c FROM corrections")
    assert row["c"] == len(session.corrections())
    assert other.sql("SELECT count(*) AS c FROM corrections") == [{"c": 0}]


def test_the_tables_may_be_in_postgresql(daemon_home: Path, postgres_url: str, workspace: str) -> None:
    with serving_tables(daemon_home, postgres_url) as asking:
        shop = Shop(asking, workspace)
        shop.sql("CREATE TABLE things (id BIGSERIAL PRIMARY KEY, word TEXT, vector VECTOR(2))")
        for word, vector in (("out of memory", "{1,0}"), ("login button", "{0,1}")):
            shop.sql("INSERT INTO things (word, vector) VALUES ($1, $2)", [word, vector])
        nearest = "SELECT word FROM things ORDER BY hybrid(vector, word, $1, $2, 0.5, 0.5) LIMIT 1"
        assert shop.sql(nearest, [[0.9, 0.1], "memory"], access=Access.READ) == [{"word": "out of memory"}]
        assert shop.ask("POST", "/runs/r/steps", {"action": "begin", "state": {"n": 1}}).json["step"] == 1
        refused = shop.ask("POST", "/tables/query", {"query": "DELETE FROM things"}, access=Access.READ)
        assert refused.status == 403 and len(shop.sql("SELECT * FROM things")) == 2
        assert Shop(asking, f"{workspace}-b").ask("GET", "/tables").json == []
