"""The drafter with a model: one request a group, evidence as data, and nothing believed that no correction carries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.records import Correction, SkillLine, SkillRevision
from hivemind_cli.core.templates import template
from hivemind_cli.llm.base import Provider, Request
from hivemind_cli.pipeline.codify.check import shown
from hivemind_cli.pipeline.codify.draft import (
    LINE_CHARS_MAX,
    RULES,
    TITLE_CHARS_MAX,
    TRIGGER_CHARS_MAX,
    Draft,
    joined,
)
from hivemind_cli.pipeline.codify.evidence import overlap
from hivemind_cli.pipeline.codify.faults import fault, harmful, named_by, strange
from hivemind_cli.pipeline.hand import PROMPTED
from hivemind_cli.pipeline.spoken import addressed
from hivemind_cli.skills.format import HEADINGS, fit_description, fit_line, valid_name

PURPOSE = "codify"
CORRECTIONS_MAX = 12
"""The newest of a group that are shown."""
SKILLS_MAX = 8
SKILL_LINES_MAX = 30
"""Of each skill that stands beside: people may write books into theirs, and every call would pay for them."""
REPLACES_MIN = 0.5
"""Overlap from which a new line is about what an old one is about; with less it stands beside it."""
LINES_MAX = 6


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


def ask(
    provider: Provider, corrections: Sequence[Correction], skills: Sequence[SkillRevision], *, subject: str = ""
) -> Opinion:
    """What the provider drafts from `corrections`, beside existing `skills`; its lines are yet to be checked.

    subject  skill_id that the draft will have
    ProviderError: it gave nothing that can be used; the extractive drafter stands in.
    """
    evidence = {f"c{n}": one for n, one in enumerate(corrections[-CORRECTIONS_MAX:], 1)}
    beside = {skill.name: skill for skill in skills[-SKILLS_MAX:]}
    system, version = template(PURPOSE)
    request = Request(
        purpose=PURPOSE,
        subject=subject,
        system=system,
        prompt=json.dumps(_document(evidence, beside), ensure_ascii=False, indent=1),
        schema=_schema(list(evidence), list(beside)),
    )
    reply = provider.complete(request)
    said = reply.value
    if redact.found(json.dumps(said, ensure_ascii=False)) or "[redacted:" in str(said):
        raise ProviderError("The model's draft holds a secret.")
    target = said["target"] if said["decision"] in ("merge", "conflict") else ""
    if said["decision"] in ("merge", "conflict") and target not in beside:
        raise ProviderError("The model named no existing skill.")
    reason = fit_line(said["reason"])
    if addressed(said["reason"]) or strange(reason, "reason", corrections):
        reason = ""
    if said["decision"] == "skip":
        return Opinion("skip", "", reason, None)
    of = f"{reason.rstrip('.')} {PROMPTED}{version})".strip()
    draft = _draft(said, evidence, beside.get(target), drafter=f"{provider.name}/{reply.model}", reason=of)
    return Opinion(said["decision"], target, reason, draft)


def _draft(
    said: Mapping[str, Any],
    evidence: Mapping[str, Correction],
    skill: SkillRevision | None,
    *,
    drafter: str,
    reason: str,
) -> Draft:
    merging = said["decision"] == "merge"
    lines: list[SkillLine] = []
    replaced: list[tuple[SkillLine, SkillLine]] = []
    old = _numbered(skill) if skill else {}
    for line in said["lines"]:
        carrying = [evidence[one] for one in dict.fromkeys(line["corrections"]) if one in evidence]
        text = fit_line(line["text"])
        if not carrying or not text or addressed(line["text"]) or fault(text, line["section"], carrying):
            continue
        ids = tuple(one.id for one in carrying)
        gone = _stood_in_for(old.get(line["replaces"]), line["section"], text) if merging else None
        if gone:
            ids = tuple(dict.fromkeys((*gone.correction_ids, *ids)))
        lines.append(SkillLine(section=line["section"], text=text, correction_ids=ids))
        if gone:
            replaced.append((gone, lines[-1]))
    if len({gone for gone, _ in replaced}) > max(1, len(old) // 2):
        raise ProviderError("The model would rewrite the whole skill.")
    if not any(line.section in RULES for line in lines):
        raise ProviderError("No line of the model's draft rests on a correction.")
    name, title, trigger = said["name"], fit_line(said["title"]), fit_description(said["description"])
    everything = list(evidence.values())
    for text, raw in ((title, said["title"]), (trigger, said["description"])):
        if not merging and (not text or addressed(raw) or harmful(text, everything)):
            raise ProviderError("The model's title or description says what no correction says.")
    title = "" if fault(title, "title", everything) else title
    trigger = "" if fault(trigger, "description", everything) else trigger
    strayed = len(said["lines"]) - len(lines) + (not title) + (not trigger)
    if not merging and 2 * strayed > len(said["lines"]) + 2:
        raise ProviderError("Most of the model's draft rests on no correction.")
    texts = [title, *(line.text for line in lines), *(f"{one.quote} {one.task} {one.after}" for one in everything)]
    return Draft(
        name=name if valid_name(name) and not addressed(name.replace("-", " ")) and named_by(name, texts) else title,
        fallback=_fallback(everything),
        title=title.rstrip(". "),
        trigger=trigger,
        lines=joined(lines),
        replaced=tuple(replaced),
        drafter=drafter,
        reason=reason,
    )


def _stood_in_for(old: SkillLine | None, section: str, text: str) -> SkillLine | None:
    """`old`, if a new line may take its place: about the same, in its section, not a person's own (without id)."""
    if old is None or not old.correction_ids or old.section != section:
        return None
    return old if overlap(old.text, text) >= REPLACES_MIN else None


def _fallback(corrections: Sequence[Correction]) -> str:
    acts = [Act.of(one.act) for one in corrections if one.act]
    return " ".join(acts[-1].heads[:1]) or acts[-1].tool if acts else ""


def _document(evidence: Mapping[str, Correction], beside: Mapping[str, SkillRevision]) -> dict[str, Any]:
    document: dict[str, Any] = {"corrections": [shown(alias, one) for alias, one in evidence.items()]}
    if beside:
        document["existing_skills"] = [
            {
                "name": name,
                "title": skill.title,
                "description": skill.trigger,
                "lines": [
                    {"id": id, "section": line.section, "text": line.text[:LINE_CHARS_MAX]}
                    for id, line in islice(_numbered(skill).items(), SKILL_LINES_MAX)
                ],
            }
            for name, skill in beside.items()
        ]
    return document


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
