"""What a model's stand-in answers to hivemind's own questions, whichever API they come by: found by their form.

A question is a request that asks for JSON of a given form. The form tells its purpose, so that questions can be added
or change their order without a change here.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

DONE = "Done."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: a value, or what goes wrong instead of it."""

    value: Any = None
    carried: str = ""
    """Words of the person: every line that is asked about rests on them."""
    text: str = ""
    """Said instead of a value."""
    status: int = 200
    """An HTTP error instead of an answer."""
    stall_s: float = 0.0
    """How long the answer keeps one waiting."""


@dataclass(slots=True)
class Answers:
    """The first answer whose words are all among the properties of what is asked for; else the emptiest one."""

    by_form: list[tuple[frozenset[str], Answer]] = field(default_factory=list)
    always: Answer | None = None
    """Answered to whatever is asked."""
    asked: threading.Event = field(default_factory=threading.Event)
    """A question has come."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Ends what stalls."""

    def to(self, schema: Mapping[str, Any]) -> Answer:
        """The answer to a question of this form, with its value."""
        names = set(_names(schema))
        fitting = (answer for words, answer in self.by_form if words <= names)
        answer = self.always or next(fitting, Answer(value=anything(schema)))
        return replace(answer, value=_all_carried(schema, answer.carried)) if answer.carried else answer

    def load(self, spec: Mapping[str, Any]) -> None:
        """From a plan: `by_form`, a list of [words, answer], and `always`."""
        self.by_form = [(frozenset(words), Answer(**answer)) for words, answer in spec.get("by_form", [])]
        self.always = Answer(**spec["always"]) if spec.get("always") else None


def _names(schema: Any) -> Iterator[str]:
    """Every property's name, at any depth."""
    for name, part in schema.get("properties", {}).items():
        yield name
        yield from _names(part)
    if "items" in schema:
        yield from _names(schema["items"])


def _all_carried(schema: Mapping[str, Any], words: str) -> dict[str, Any]:
    """What a check of a draft answers that finds nothing wrong."""
    ids = schema["properties"]["lines"]["items"]["properties"]["id"]["enum"]
    return {"lines": [{"id": one, "verdict": "carried", "words": words} for one in ids]}


def anything(schema: Mapping[str, Any]) -> Any:
    """The emptiest value of this form."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: anything(part) for name, part in schema.get("properties", {}).items()}
    return {"array": [], "string": "", "number": 0, "integer": 0, "boolean": False}.get(str(kind))


def schema_in_words(text: str) -> dict[str, Any] | None:
    """The JSON Schema that stands in a prompt for a program which takes none; None if there is none."""
    for start in (found.start() for found in re.finditer(r'\{"type":', text)):
        try:
            value, _ = json.JSONDecoder().raw_decode(text[start:])
        except ValueError:
            continue
        if isinstance(value, dict) and value.get("type") == "object":
            return value
    return None
