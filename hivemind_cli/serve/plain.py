"""What the daemon said, as everybody's JSON: vectors as lists, times as text; and types as people write them."""

import math
import re
from typing import Any

from hivemind_cli.core.records import SkillRevision
from hivemind_cli.serve.http.problems import Refused
from hivemind_cli.storage.tables import Kind, Result, Type
from hivemind_cli.tables import wire


def told(value: Any) -> Any:
    """What wire.py packed, as everybody's JSON: vectors as lists, times as text."""
    if isinstance(value, list):
        return [told(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = wire.value_from_json(value)
    if found is value:
        return {name: told(one) for name, one in value.items()}
    if isinstance(found, dict):  # in {"$json": ...}: no tag itself
        return {name: told(one) for name, one in found.items()}
    return said(found)


def columns(result: Result) -> list[dict[str, str]]:
    """Names and types."""
    return [{"name": name, "type": str(type)} for name, type in zip(result.names, result.types, strict=True)]


def rows(result: Result) -> list[dict[str, Any]]:
    """An object each."""
    return [{name: said(value) for name, value in row.items()} for row in result.dicts()]


def said(value: Any) -> Any:
    """One value of a table as JSON says it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    return value.isoformat() if hasattr(value, "isoformat") else value


def table(sent: Any) -> dict[str, Any]:
    """A TableInfo, as wire.py packed it."""
    columns = [
        {
            "name": column["name"],
            "type": str(Type(Kind(column["type"]["kind"]), int(column["type"]["dim"]))),
            "not_null": column["not_null"],
            "default": column["default"] or None,
            "embeds": column["embeds"] or None,
        }
        for column in sent["columns"]
    ]
    return {"name": sent["name"], "columns": columns, "key": sent["key"], "own": sent["own"]}


def type_of(said: str) -> Type:
    """A column's type as `Type.__str__` says it. Refused (422)."""
    found = re.fullmatch(r"([a-z]+)(?:\((\d{1,5})\))?", said)
    if not found or found[1] not in list(Kind) or (found[2] and found[1] != Kind.VECTOR):
        known = ", ".join(Kind).replace("vector", "vector(384)")
        raise Refused(422, f"There is no type {said[:40]!r}.", why=f"There are {known}.")
    return Type(Kind(found[1]), int(found[2] or 0))


def skill(one: SkillRevision) -> dict[str, Any]:
    """What of it is for others."""
    lines = [
        {"section": line.section, "text": line.text, "correction_ids": list(line.correction_ids)} for line in one.lines
    ]
    return {
        "skill_id": one.skill_id,
        "name": one.name,
        "version": one.version,
        "state": one.state.value,
        "scope": one.scope.value,
        "project_id": one.project_id,
        "title": one.title,
        "trigger": one.trigger,
        "lines": lines,
        "body": one.body,
    }
