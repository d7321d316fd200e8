"""A small strict subset of JSON Schema: what our requests use, and nothing that could be read two ways.

type (object, array, string, number, integer, boolean), properties, required, additionalProperties (false),
items, enum, maxLength, maxItems. A keyword outside the subset is a fault of the caller: ValueError.
"""

import json
from collections.abc import Mapping
from typing import Any

from hivemind_cli.core.errors import ProviderError

ANSWER_BYTES_MAX = 256_000
"""More than any answer we ask for: larger is nonsense, not thoroughness."""
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}
_BOUNDS = frozenset({"maxLength", "maxItems"})
_KNOWN = _BOUNDS | {"type", "properties", "required", "additionalProperties", "items", "enum", "description", "title"}


def problem(value: Any, schema: Mapping[str, Any], where: str = "answer") -> str:
    """The first way in which `value` does not fit `schema`, in words; "" if it fits."""
    unknown = set(schema) - _KNOWN
    if unknown:
        raise ValueError(f"schema keyword outside the subset: {', '.join(sorted(unknown))}")
    kind = schema.get("type")
    if kind is not None and (
        not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind in ("number", "integer"))
    ):
        return f"{where} is {type(value).__name__}, not {kind}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where} is none of {', '.join(map(str, schema['enum']))}"
    if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        return f"{where} is longer than {schema['maxLength']} characters"
    if isinstance(value, list):
        return _list_problem(value, schema, where)
    if isinstance(value, dict):
        return _object_problem(value, schema, where)
    return ""


def parse_answer(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The one JSON object in `text`, bare or alone in a code fence. ProviderError: anything else, or no fit."""
    if len(text) > ANSWER_BYTES_MAX:
        raise ProviderError("The model's answer is far too long.", why=f"It has {len(text)} characters.")
    try:
        value = json.loads(_unfenced(text))
    except (ValueError, RecursionError) as exc:
        raise ProviderError("The model did not answer in JSON.") from exc
    return checked(value, schema)


def checked(value: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """`value`, an object that fits `schema`. ProviderError: it does not."""
    why = problem(value, schema)
    if why or not isinstance(value, dict):
        raise ProviderError("The model's answer does not have the form that was asked for.", why=why)
    return value


def without_bounds(schema: Any) -> Any:
    """`schema` without lengths and counts, which constrained decoding refuses; `checked` still applies them."""
    if isinstance(schema, Mapping):
        return {key: without_bounds(value) for key, value in schema.items() if key not in _BOUNDS}
    if isinstance(schema, list):
        return [without_bounds(value) for value in schema]
    return schema


def _unfenced(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped[stripped.index("\n") : -3]
    return stripped


def _list_problem(value: list[Any], schema: Mapping[str, Any], where: str) -> str:
    if len(value) > schema.get("maxItems", len(value)):
        return f"{where} has more than {schema['maxItems']} entries"
    items = schema.get("items", {})
    return next(filter(None, (problem(item, items, f"{where}[{i}]") for i, item in enumerate(value))), "")


def _object_problem(value: dict[str, Any], schema: Mapping[str, Any], where: str) -> str:
    properties = schema.get("properties", {})
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        return f"{where} lacks {', '.join(missing)}"
    extra = [name for name in value if name not in properties]
    if extra and schema.get("additionalProperties") is False:
        return f"{where} has unknown {', '.join(map(str, extra))[:80]}"
    known = ((name, value[name]) for name in properties if name in value)
    return next(filter(None, (problem(item, properties[name], f"{where}.{name}") for name, item in known)), "")
