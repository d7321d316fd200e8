"""The REST door's routes: who may ask what, what is refused, what is said. What tables make of it: test_serving.py."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hivemind_cli.app.tokens import EVERY, Access
from hivemind_cli.core import errors
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.serve.openapi import NDJSON, document
from hivemind_cli.serve.operations import OPERATIONS, Doors, Operation
from hivemind_cli.serve.rest import OPEN_PATHS, rest
from hivemind_cli.storage.inmemory import InMemoryStore
from hivemind_cli.storage.tables import Kind, Result, Type
from hivemind_cli.tables import wire
from tests.serve.http_server import Asking, serving

WHERE = "/workspaces/shop"
RESULT = Result(
    ("task", "embedding", "at", "extra", "score"),
    (Type(Kind.TEXT), Type(Kind.VECTOR, 2), Type(Kind.TIMESTAMP), Type(Kind.JSON), Type(Kind.DOUBLE)),
    [("ärger", np.array([1.0, 0.5], dtype="f4"), datetime(2026, 11, 1, tzinfo=UTC), {"$time": "text"}, float("nan"))],
)
ROW = {
    "task": "ärger",
    "embedding": [1.0, 0.5],
    "at": "2026-11-01T00:00:00+00:00",
    "extra": {"$time": "text"},
    "score": None,
}


@dataclass
class Told:
    """Stands where the daemon is: keeps what it was asked, and gives what a test has put there, or raises it."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def memory(self, method: str, args: dict[str, Any], *, reads: bool = True) -> Any:
        self.asked.append((method, json.loads(json.dumps(args))))
        answer = self.answers.get(method)
        if isinstance(answer, Exception):
            raise answer
        return answer.pop(0) if isinstance(answer, list) and method == "stream.next" else answer

    def ask(self, verb: str, **args: Any) -> Any:
        return self.memory(verb, args)


@pytest.fixture
def told() -> Told:
    page = wire.result_to_json(RESULT)
    return Told({name: {"page": page, "stream": None} for name in ("query", "execute")})


@pytest.fixture
def asking(own_home: Path, told: Told) -> Iterator[Asking]:
    paths = Paths(root=own_home / ".hivemind", home=own_home)
    paths.make()
    app = rest(Doors(paths, told.ask, told.memory, InMemoryStore()), "http://localhost")
    with serving(app, paths, open_paths=OPEN_PATHS) as made:
        yield made


def sql(asking: Asking, body: Any, **more: Any) -> Any:
    return asking.ask("POST", f"{WHERE}/tables/query", body, **more)


def test_rows_come_as_plain_json_and_parameters_go_as_they_are(asking: Asking, told: Told) -> None:
    params = ["{0.5,1}", 3, None, True, {"a": [1]}, [0.5, 1]]
    answer = sql(
        asking, {"query": "SELECT 1", "params": params, "branch": "b/1"}, token=asking.token(access=Access.READ)
    )
    assert answer.status == 200, answer.body
    assert answer.json == {
        "columns": [
            {"name": "task", "type": "text"},
            {"name": "embedding", "type": "vector(2)"},
            {"name": "at", "type": "timestamp"},
            {"name": "extra", "type": "json"},
            {"name": "score", "type": "double"},
        ],
        "rows": [ROW],
        "row_count": 1,
    }
    ((method, args),) = told.asked
    assert (method, args["workspace"], args["branch"], args["url"]) == ("query", "shop", "b/1", "")
    assert wire.values_from_json(args["params"]) == params


def test_only_a_token_that_writes_has_its_sql_executed(asking: Asking, told: Told) -> None:
    sql(asking, {"query": "DELETE FROM t"}, token=asking.token(access=Access.READ))
    sql(asking, {"query": "DELETE FROM t"}, token=asking.token(access=Access.WRITE))
    assert [method for method, _ in told.asked] == ["query", "execute"]


def path_of(one: Operation) -> str:
    return WHERE + one.path.replace("{run_id}", "r-1").replace("{name}", "x")


def test_every_operation_asks_for_the_right_token(asking: Asking, told: Told) -> None:
    for one in OPERATIONS:
        path = path_of(one)
        assert asking.ask(one.method, path, {}, token="").status == 401, one.id
        for other in ("payments", "sho", "shop2"):
            refused = asking.ask(one.method, path, {}, token=asking.token(other))
            assert refused.status == 403 and refused.json["type"] == "urn:hivemind:problem:forbidden", one.id
        reading = asking.ask(one.method, path, {}, token=asking.token(access=Access.READ))
        assert (reading.status == 403) is one.writes, one.id
    assert {args["workspace"] for _, args in told.asked} == {"shop"}


def test_a_token_for_all_workspaces_is_for_this_one_too(asking: Asking, told: Told) -> None:
    assert sql(asking, {"query": "SELECT 1"}, token=asking.token(EVERY)).status == 200
    for name in ("Shop", "..", "%2e%2e", "a" * 65, "shop%00"):
        refused = asking.ask("POST", f"/workspaces/{name}/tables/query", {"query": "x"}, token=asking.token(EVERY))
        assert refused.status in (403, 404), name
    assert len(told.asked) == 1


SENSELESS: list[tuple[bytes, int, str]] = [
    (b"", 400, "no JSON"),
    (b"{", 400, "no JSON"),
    (b"\xff\xfe", 400, "not UTF-8"),
    (b"[" * 100_000, 400, "nested"),
    (b'{"query": "x", "params": ' + b"[" * 101 + b"]" * 101 + b"}", 400, "nested"),
    (b'{"query": "x", "params": [NaN]}', 400, "NaN"),
    (b'{"query": "x", "params": [1e999]}', 400, "number"),
    (b'{"query": "\\ud800"}', 400, "half a character"),
    (b'{"query": "x", "params": [' + b"9" * 5000 + b"]}", 400, "no JSON"),
    (b"[]", 422, "object"),
    (b"{}", 422, "query"),
    (b'{"query": ""}', 422, "query"),
    (b'{"query": 5}', 422, "query"),
    (b'{"query": "x", "params": "y"}', 422, "params"),
    (b'{"query": "x", "parms": []}', 422, "parms"),
    (b'{"query": "x", "branch": ""}', 422, "branch"),
]


def test_a_body_that_makes_no_sense_reaches_nobody(asking: Asking, told: Told) -> None:
    for body, status, said in SENSELESS:
        refused = sql(asking, body, Content_Type="application/json")
        assert (refused.status, refused.headers["content-type"]) == (status, "application/problem+json"), body[:80]
        assert said in refused.json["detail"] and refused.json["status"] == status, body[:80]
    assert told.asked == []


def test_json_must_be_said_to_be_json(asking: Asking, told: Told) -> None:
    for said in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert sql(asking, b'{"query": "SELECT 1"}', Content_Type=said).status == 415
    assert told.asked == []
    assert sql(asking, b'{"query": "SELECT 1"}', Content_Type="application/json; charset=utf-8").status == 200


STATUS: list[tuple[HivemindError, int]] = [
    (errors.SQLError("no"), 400),
    (errors.Forbidden("no"), 403),
    (errors.UnknownTable("no"), 404),
    (errors.WrongValue("no"), 422),
    (errors.DuplicateKey("no"), 409),
    (errors.BranchError("no"), 422),
    (errors.MergeConflict("no"), 409),
]
INSIDE: list[tuple[HivemindError, int]] = [
    (HivemindError("no"), 500),
    (errors.StoreLocked("no"), 503),
    (errors.StoreError("no"), 500),
    (errors.DaemonError("no"), 503),
    (errors.ProviderUnavailable("no"), 503),
    (errors.ConfigError("no"), 500),
]


def test_each_error_is_a_problem_with_its_status(asking: Asking, told: Told) -> None:
    for error, status in STATUS:
        error.why, error.fix = "because", "do this"
        told.answers["execute"] = error
        refused = sql(asking, {"query": "SELECT 1"})
        assert refused.status == status and refused.headers["content-type"] == "application/problem+json"
        assert refused.json["detail"] == "no because do this"
        assert (refused.json["title"], refused.json["why"], refused.json["fix"]) == ("no", "because", "do this")
        assert re.fullmatch(r"urn:hivemind:problem:[a-z-]+", refused.json["type"])


def test_what_is_wrong_with_the_server_is_told_to_its_log_alone(
    asking: Asking, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    for error, status in INSIDE:
        error.why, error.fix = "/home/ada/.hivemind is full", "its last words: postgres://ada:hunter2secret@db/x"
        told.answers["execute"] = error
        refused = sql(asking, {"query": "SELECT 1"})
        assert refused.status == status and refused.headers["content-type"] == "application/problem+json"
        assert "ada" not in refused.body.decode() and "hunter" not in refused.body.decode()
    assert caplog.text.count("/home/ada/.hivemind is full") == len(INSIDE) and "hunter2secret" not in caplog.text
    asking.tokens.create("another", ["shop"], Access.READ)
    asking.tokens._path.write_text("{")
    refused = sql(asking, {"query": "SELECT 1"})
    assert refused.status == 500 and str(asking.tokens._path) not in refused.body.decode()


def test_a_bug_is_reported_here_and_not_there(asking: Asking, told: Told) -> None:
    told.answers["execute"] = ZeroDivisionError("of 4711")
    refused = sql(asking, {"query": "SELECT 1"})
    assert refused.status == 500 and "4711" not in refused.body.decode() and "ZeroDivision" not in refused.body.decode()
    assert sql(asking, {"query": "x"}, token=asking.token(access=Access.READ)).status == 200


def test_what_is_not_there_is_a_problem_too(asking: Asking) -> None:
    assert asking.ask("GET", "/nowhere").json["type"] == "urn:hivemind:problem:not-found"
    wrong = asking.ask("GET", f"{WHERE}/tables/query")
    assert wrong.status == 405 and wrong.headers["allow"] == "POST"
    assert asking.ask("GET", f"{WHERE}/skills/none").status == 404
    assert asking.ask("GET", f"{WHERE}/runs?branch=a&branch=b").status == 400
    assert asking.ask("GET", f"{WHERE}/runs?brunch=a").status == 422


def test_rows_of_many_pages_come_together_or_one_by_one(asking: Asking, told: Told) -> None:
    page = wire.result_to_json(RESULT)
    more = [{"page": page, "done": False}, {"page": None, "done": True}]
    told.answers |= {"execute": {"page": page, "stream": 7}, "stream.next": list(more)}
    assert sql(asking, {"query": "SELECT 1"}).json["row_count"] == 2
    told.answers |= {"stream.open": {"stream": 8}, "stream.next": [{"page": page, "done": False}, *more]}
    answer = sql(asking, {"query": "SELECT 1"}, Accept=NDJSON)
    assert answer.headers["content-type"] == NDJSON
    assert [json.loads(line) for line in answer.body.splitlines()] == [list(ROW), *[list(ROW.values())] * 2]
    assert [args["stream"] for method, args in told.asked if method == "stream.close"] == [7, 8]
    told.answers["stream.open"] = errors.SQLError("no")
    assert sql(asking, {"query": "SELECT"}, Accept=NDJSON).status == 400


def test_rows_go_in_by_column_or_by_row(asking: Asking, told: Told) -> None:
    told.answers["ingest"] = 2
    columns = {"task": ["a", "b"], "embedding": [[0.5, 1.0], None]}
    rows = [{"task": "a", "embedding": [0.5, 1.0]}, {"task": "b"}]
    for given in ({"columns": columns}, {"rows": rows}):
        answer = asking.ask(
            "POST", f"{WHERE}/tables/ingest", {"table": "t", "types": {"embedding": "vector(2)"}, **given}
        )
        assert (answer.status, answer.json) == (201, {"table": "t", "row_count": 2})
        _, args = told.asked[-1]
        assert wire.columns_from_json(args["columns"]) == columns
        assert args["types"] == {"embedding": ["vector", 2]}
    for wrong in ({}, {"columns": columns, "rows": rows}, {"columns": columns, "types": {"a": "blob"}}):
        assert asking.ask("POST", f"{WHERE}/tables/ingest", {"table": "t", **wrong}).status == 422


def test_what_stays_in_the_workspace_is_asked_there_alone(asking: Asking, told: Told) -> None:
    told.answers["search"] = {"hits": []}
    since = "2026-11-01T00:00:00Z"
    assert asking.ask("POST", f"{WHERE}/search", {"query": "oom", "since": since}).json == {"hits": []}
    _, args = told.asked[-1]
    assert (args["workspace"], args["cwd"], args["since"]) == ("shop", "", "2026-11-01T00:00:00+00:00")
    assert asking.ask("POST", f"{WHERE}/search", {"query": "oom", "workspace": "payments"}).status == 422
    assert asking.ask("GET", f"{WHERE}/runs/a%2Fb/last").status == 200
    assert told.asked[-1][1]["run_id"] == "a/b"


def test_the_document_holds_every_operation_and_anyone_may_read_it(asking: Asking) -> None:
    said = asking.ask("GET", "/openapi.json", token="").json
    assert said["openapi"] == "3.1.0" and asking.ask("GET", "/health", token="").json == {"status": "ok"}
    told = {(path, method) for path, methods in said["paths"].items() for method in methods}
    assert told == {(f"/workspaces/{{workspace}}{one.path}", one.method.lower()) for one in OPERATIONS} | {
        ("/health", "get")
    }
    ids = [method["operationId"] for methods in said["paths"].values() for method in methods.values()]
    assert len(ids) == len(set(ids)) and all(
        method["summary"] for methods in said["paths"].values() for method in methods.values()
    )


def test_every_reference_in_the_document_leads_somewhere() -> None:
    said = document("http://localhost")
    for name in set(re.findall(r'"#/([^"]+)"', json.dumps(said))):
        place: Any = said
        for part in name.split("/"):
            place = place[part]
