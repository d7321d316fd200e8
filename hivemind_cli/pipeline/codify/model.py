"""The drafter with a model: one request a group, evidence as data, and nothing believed that no correction carries."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.assets import asset
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, SkillLine, SkillRevision
from hivemind_cli.llm.base import Provider, Request
from hivemind_cli.pipeline.codify.draft import (
    LINE_CHARS_MAX,
    TITLE_CHARS_MAX,
    TRIGGER_CHARS_MAX,
    Draft,
)
from hivemind_cli.skills.format import HEADINGS, fit_description, fit_line, valid_name

CORRECTIONS_MAX = 12
"""The newest of a group that are shown."""
SKILLS_MAX = 8
LINES_MAX = 6
_TEXT_CHARS_MAX = 1500
_CODE = re.compile(r"`+([^`]+)`+")
_EXACT = re.compile(r"\S*[/_\\=@$|]\S*|\S*\w\.\w\S*|(?<!\S)-{1,2}\w\S*")
"""Words that look like a command, option, path or address: they must be the person's, not the model's."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the model makes of a group."""

    decision: str
    """keep, merge, conflict, skip."""
    target: str
    """An existing skill's name, "" for none."""
    reason: str
    draft: Draft | None
    """None for skip."""


def ask(provider: Provider, corrections: Sequence[Correction], skills: Sequence[SkillRevision]) -> Opinion:
    """What the provider drafts from `corrections`, beside existing `skills`.

    ProviderError: it gave nothing that can be used; the extractive drafter stands in.
    """
    shown = {f"c{n}": one for n, one in enumerate(corrections[-CORRECTIONS_MAX:], 1)}
    beside = {skill.name: skill for skill in skills[-SKILLS_MAX:]}
    request = Request(
        purpose="codify",
        system=_system(),
        prompt=json.dumps(_evidence(shown, beside), ensure_ascii=False, indent=1),
        schema=_schema(list(shown), list(beside)),
    )
    reply = provider.complete(request)
    said = reply.value
    if redact.found(json.dumps(said, ensure_ascii=False)) or "[redacted:" in str(said):
        raise ProviderError("The model's draft holds a secret.")
    target = said["target"] if said["decision"] in ("merge", "conflict") else ""
    if said["decision"] in ("merge", "conflict") and target not in beside:
        raise ProviderError("The model named no existing skill.")
    reason = fit_line(said["reason"])
    if said["decision"] == "skip":
        return Opinion("skip", "", reason, None)
    draft = _draft(said, shown, beside.get(target), f"{provider.name}/{reply.model}")
    return Opinion(said["decision"], target, reason, replace(draft, lines=_resting_on(draft.lines, corrections)))


def _draft(
    said: Mapping[str, Any], shown: Mapping[str, Correction], skill: SkillRevision | None, drafter: str
) -> Draft:
    lines: list[SkillLine] = []
    replaced: list[SkillLine] = []
    old = _numbered(skill) if skill else {}
    for line in said["lines"]:
        carrying = [shown[one] for one in line["corrections"] if one in shown]
        text = fit_line(line["text"])
        if not carrying or not text or not _grounded(text, line["section"], carrying):
            continue
        ids = tuple(one.id for one in carrying)
        gone = old.get(line["replaces"])
        if gone and gone.correction_ids and said["decision"] == "merge":  # a line without one is a person's own
            replaced.append(gone)
            ids = tuple(dict.fromkeys((*gone.correction_ids, *ids)))
        lines.append(SkillLine(section=line["section"], text=text, correction_ids=ids))
    if len(replaced) > max(1, len(old) // 2):
        raise ProviderError("The model would rewrite the whole skill.")
    if not any(line.section in ("do", "do_not") for line in lines):
        raise ProviderError("No line of the model's draft rests on a correction.")
    name, title, trigger = said["name"], fit_line(said["title"]), fit_description(said["description"])
    everything = list(shown.values())
    if not title or not trigger or not all(_grounded(text, "do_not", everything) for text in (title, trigger)):
        raise ProviderError("The model's title or description says what no correction says.")
    return Draft(
        name=name if valid_name(name) else title,
        fallback=_fallback(everything),
        title=title.rstrip("."),
        trigger=trigger,
        lines=tuple(lines),
        replaced=tuple(replaced),
        drafter=drafter,
        reason=fit_line(said["reason"]),
    )


def _resting_on(lines: Sequence[SkillLine], corrections: Sequence[Correction]) -> tuple[SkillLine, ...]:
    """The lines, the first rule resting also on corrections that none cites: all are the same mistake again."""
    cited = {one for line in lines for one in line.correction_ids}
    uncited = tuple(one.id for one in corrections if one.id not in cited)
    first = next(line for line in lines if line.section in ("do", "do_not"))
    whole = replace(first, correction_ids=first.correction_ids + uncited)
    return tuple(whole if line is first else line for line in lines)


def _fallback(corrections: Sequence[Correction]) -> str:
    acts = [Act.of(one.act) for one in corrections if one.act]
    return " ".join(acts[-1].heads[:1]) or acts[-1].tool if acts else ""


def _grounded(text: str, section: str, carrying: Sequence[Correction]) -> bool:
    """Do the commands, paths and addresses in `text` stand in the person's words, or for what not to do in the act?"""
    exact = content(" ".join((*_CODE.findall(text), *_EXACT.findall(text))))
    allowed: set[str] = set()
    for one in carrying:
        allowed |= content(f"{one.quote} {one.after} {one.task}")
        if section != "do":
            act = Act.of(one.act) if one.act else None
            allowed |= content(f"{act.command} {act.path} {act.path_class} {act.tool}" if act else "")
            allowed |= content(one.before)
    return exact <= allowed


def _evidence(shown: Mapping[str, Correction], beside: Mapping[str, SkillRevision]) -> dict[str, Any]:
    document: dict[str, Any] = {"corrections": [_shown(alias, one) for alias, one in shown.items()]}
    if beside:
        document["existing_skills"] = [
            {
                "name": name,
                "title": skill.title,
                "description": skill.trigger,
                "lines": [
                    {"id": id, "section": line.section, "text": line.text} for id, line in _numbered(skill).items()
                ],
            }
            for name, skill in beside.items()
        ]
    return document


def _shown(alias: str, correction: Correction) -> dict[str, str]:
    act = Act.of(correction.act) if correction.act else None
    fields = {
        "id": alias,
        "how": correction.kind.value,
        "person_said": correction.quote,
        "person_changed_it_to": correction.after,
        "task": correction.task,
        "untrusted_agent_did": f"{act.tool}: {act.short}" if act else "",
        "untrusted_it_was": correction.before,
    }
    return {name: redact.text(value)[:_TEXT_CHARS_MAX] for name, value in fields.items() if value}


def _numbered(skill: SkillRevision) -> dict[str, SkillLine]:
    return {f"l{n}": line for n, line in enumerate(skill.lines, 1)}


def _schema(correction_ids: list[str], skill_names: list[str]) -> dict[str, Any]:
    text = {"type": "string", "maxLength": LINE_CHARS_MAX}
    line = {
        "section": {"type": "string", "enum": list(HEADINGS)},
        "text": text,
        "corrections": {"type": "array", "items": {"type": "string", "enum": correction_ids}},
        "replaces": {"type": "string", "maxLength": 8},
    }
    whole = {
        "decision": {
            "type": "string",
            "enum": ["keep", "merge", "conflict", "skip"] if skill_names else ["keep", "skip"],
        },
        "target": {"type": "string", "enum": ["", *skill_names]},
        "reason": text,
        "name": {"type": "string", "maxLength": 64},
        "title": {"type": "string", "maxLength": TITLE_CHARS_MAX},
        "description": {"type": "string", "maxLength": TRIGGER_CHARS_MAX},
        "lines": {"type": "array", "items": _object(line), "maxItems": LINES_MAX},
    }
    return _object(whole)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


@cache
def _system() -> str:
    return asset("skills_templates", "codify.md").read_text(encoding="utf-8")
