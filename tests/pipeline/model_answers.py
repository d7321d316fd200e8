"""What a language model answered to the lessons of tests/app/next_time.jsonl, and a provider that gives it again.

The model was shown what the codifier's prompts show; it had seen the prompts of next_time.jsonl by then, so its skills
may rank better there than elsewhere. model_answers.jsonl, each line one skill as it wrote it:

    lesson   id of the lesson
    wording  first: written before the model knew by which rules its lines are judged; second: later, by other habits
    draft    its words; the lines by section; description_again: as it wrote it for the prompt's third version
    check    the words that the model, asked to check, found to carry each text (null: none); without it, all of them
"""

import json
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.records import SkillRevision
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.scripted import Scripted

ANSWERS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_suffix(".jsonl").read_text("utf-8").splitlines()
]
SECTIONS = ("when", "do", "do_not", "note")
WHOLE = ("title", "description", "name")


class Remembered:
    """A provider that answers what the model answered then, by the lesson's words."""

    name = "remembered"

    def __init__(self, wording: str, said: dict[str, str]) -> None:
        """`said`: lesson -> the person's words."""
        self._of = {said[one["lesson"]]: one for one in answers(wording)}

    def available(self) -> str:
        return ""

    def complete(self, request: Request) -> Reply:
        shown = json.loads(request.prompt)
        turns = shown.get("corrections") or shown.get("turns") or [{}]
        answer = self._of.get(turns[-1].get("person_said", ""))
        if answer is None or request.purpose not in ("codify", "check"):
            raise ProviderError("It was never asked that.")
        given = _drafted(answer["draft"]) if request.purpose == "codify" else _checked(answer, shown)
        return Scripted([given]).complete(request)


def answers(wording: str) -> list[dict[str, Any]]:
    """Those of one wording; `again`: the first, with the descriptions for the newer prompt."""
    found = [one for one in ANSWERS if one["wording"] == ("first" if wording == "again" else wording)]
    if wording != "again":
        return found
    return [one | {"draft": one["draft"] | {"description": one["draft"]["description_again"]}} for one in found]


def texts(draft: dict[str, Any]) -> list[tuple[str, str]]:
    """(section, text) of all that a draft says."""
    lines = [(section, text) for section in SECTIONS for text in draft.get(section, [])]
    return [*lines, *((field, draft[field]) for field in WHOLE)]


def lost(draft: dict[str, Any], skill: SkillRevision) -> list[tuple[str, str]]:
    """What of a draft does not stand in the skill that came of it."""
    whole = {("title", skill.title), ("description", skill.trigger), ("name", skill.name)}
    kept = {(section, text.rstrip(". ")) for section, text in whole | {(one.section, one.text) for one in skill.lines}}
    return [one for one in texts(draft) if (one[0], one[1].rstrip(". ")) not in kept]


def _drafted(draft: dict[str, Any]) -> dict[str, Any]:
    lines = [
        {"section": section, "text": text, "corrections": ["c1"], "replaces": ""}
        for section in SECTIONS
        for text in draft.get(section, [])
    ]
    return {"decision": "keep", "target": "", "lines": lines, **{one: draft[one] for one in ("reason", *WHOLE)}}


def _checked(answer: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    entries = []
    for line in shown["lines"]:
        words = _words(answer, line) if "check" in answer else shown["turns"][0]["person_said"]
        verdict = "carried" if words else "not_carried"
        entries.append({"id": line["id"], "verdict": verdict, "words": words or ""})
    return {"lines": entries}


def _words(answer: dict[str, Any], line: dict[str, Any]) -> str | None:
    section = line["section"]
    found = answer["check"][section]
    if section in SECTIONS:
        found = found[answer["draft"][section].index(line["text"])]
    return None if found is None else str(found)
