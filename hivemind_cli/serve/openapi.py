"""The OpenAPI 3.1 document of the REST door, made of the same table as its routes.

https://spec.openapis.org/oas/v3.1.1
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

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
    said, schemas = _schemas()
    paths: dict[str, Any] = {"/health": {"get": _health()}}
    for one in OPERATIONS:
        paths.setdefault(f"/workspaces/{{workspace}}{one.path}", {})[one.method.lower()] = _operation(one, said)
    return {
        "openapi": "3.1.0",
        "info": {"title": "hivemind", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {**schemas, "Problem": _problem_schema()},
            "responses": {
                "Problem": {
                    "description": "What happened, why, and what to do (RFC 9457); nothing was changed.",
                    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
        },
    }


def _operation(one: Operation, schemas: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    parameters = [_in_path(name) for name in re.findall(r"{(\w+)}", "/{workspace}" + one.path)]
    answer = schemas.get((one.id, "serialization"), {})
    said: dict[str, Any] = {
        "operationId": one.id,
        "summary": " ".join((one.does.__doc__ or "").split()),
        "tags": [one.path.split("/")[1]],
        "responses": {
            str(one.status): _answer(one, answer),
            **{str(status): _refusal(why) for status, why in _REFUSALS.items()},
        },
    }
    if one.writes:
        said["description"] = "With a token that may write."
    if one.takes is not None and one.method == "POST":
        schema = schemas[one.id, "validation"]
        said["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    elif one.takes is not None:
        parameters += _in_query(one.takes)
    return {**said, "parameters": parameters}


def _answer(one: Operation, schema: Any) -> dict[str, Any]:
    if one.status == 204:
        return {"description": "Done."}
    content: dict[str, Any] = {"application/json": {"schema": schema}}
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


def _schemas() -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """((operation's id, validation for what it takes or serialization for what it gives) -> schema, those they name)"""
    wanted: list[tuple[str, Any, TypeAdapter[Any]]] = []
    for one in OPERATIONS:
        if one.takes is not None and one.method == "POST":
            wanted.append((one.id, "validation", TypeAdapter(one.takes)))
        if one.gives is not None:
            wanted.append((one.id, "serialization", TypeAdapter(one.gives)))
    found, named = TypeAdapter.json_schemas(wanted, ref_template="#/components/schemas/{model}")
    return {(str(id), mode): schema for (id, mode), schema in found.items()}, named.get("$defs", {})


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
