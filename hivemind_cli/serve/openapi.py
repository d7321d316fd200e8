"""The OpenAPI 3.1 document of the REST door, made of the same table as its routes.

https://spec.openapis.org/oas/v3.1.1
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hivemind_cli import __version__
from hivemind_cli.core.settings import WORKSPACE_NAME
from hivemind_cli.serve.http import problems
from hivemind_cli.serve.operations import OPERATIONS, Operation, query, stream

DESCRIPTION = (
    "Memory for agents: tables with hybrid search in SQL, experiences, durable runs with branches, and what was "
    "learned in earlier sessions. Tokens: `hivemind token create NAME --workspace WORKSPACE [--write]`."
)
NDJSON = "application/x-ndjson"
_REFUSALS = {
    400: "the statement or the body cannot be read",
    401: "no token, or not a valid one",
    403: "not with this token, or not in this workspace",
    404: "no such table, run or skill",
    409: "a row with that key is there, or a merge conflicts",
    413: "the body is too large",
    422: "a value does not fit",
    503: "the daemon does not answer now",
}


def document(url: str) -> dict[str, Any]:
    """The whole of it, for a server at `url`."""
    bodies = [one.takes for one in OPERATIONS if one.takes is not None and one.method == "POST"]
    paths: dict[str, Any] = {"/health": {"get": _health()}}
    for one in OPERATIONS:
        paths.setdefault(f"/workspaces/{{workspace}}{one.path}", {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "hivemind", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**_schemas(bodies), "Problem": _problem_schema()},
            "responses": {
                "Problem": {
                    "description": "What happened, why, and what to do (RFC 9457); nothing was changed.",
                    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    parameters = [_in_path(name) for name in re.findall(r"{(\w+)}", "/{workspace}" + one.path)]
    said: dict[str, Any] = {
        "operationId": one.id,
        "summary": " ".join((one.does.__doc__ or "").split()),
        "tags": [one.path.split("/")[1]],
        "responses": {
            str(one.status): _answer(one),
            **{str(status): _refusal(why) for status, why in _REFUSALS.items()},
        },
    }
    if one.writes:
        said["description"] = "With a token that may write."
    if one.takes is not None and one.method == "POST":
        schema = {"$ref": f"#/components/schemas/{one.takes.__name__}"}
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    elif one.takes is not None:
        parameters += _in_query(one.takes)
    return {**said, "parameters": parameters}


def _answer(one: Operation) -> dict[str, Any]:
    if one.status == 204:
        return {"description": "Done."}
    content: dict[str, Any] = {"application/json": {"schema": _rows_schema() if one.does is query else {}}}
    if one.does is query:
        content[NDJSON] = {"schema": {"type": "array", "description": " ".join((stream.__doc__ or "").split())}}
    return {"description": "Done.", "content": content}


def _refusal(why: str) -> dict[str, Any]:
    return {"$ref": "#/components/responses/Problem", "description": why}


def _in_path(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "workspace":
        schema["pattern"] = f"^{WORKSPACE_NAME.pattern}$"
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": one}
        for name, one in schema.get("properties", {}).items()
    ]


def _schemas(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    wanted = [(one, "validation") for one in dict.fromkeys(models)]
    _, schema = models_json_schema(wanted, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    found: dict[str, Any] = schema.get("$defs", {})
    return found


def _rows_schema() -> dict[str, Any]:
    column = {
        "type": "object",
        "required": ["name", "type"],
        "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
    }
    return {
        "type": "object",
        "required": ["columns", "rows", "row_count"],
        "properties": {
            "columns": {"type": "array", "items": column},
            "rows": {"type": "array", "items": {"type": "object"}},
            "row_count": {"type": "integer"},
        },
    }


def _problem_schema() -> dict[str, Any]:
    texts = {name: {"type": "string"} for name in ("type", "title", "detail", "why", "fix")}
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {**texts, "status": {"type": "integer"}},
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "health",
        "summary": "Does the server answer? Asked without a token.",
        "security": [],
        "responses": {"200": {"description": "It does."}},
    }
