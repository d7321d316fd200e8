"""The adversarial check: does a person's word carry each line of a model's draft? What is not carried is dropped.

    draft ─▶ by rule (faults.py) ─▶ by a second call that never saw the first's reasons ─▶ draft

The second call must name the words that carry a line, and they must really stand in what the person said or changed.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, SkillLine
from hivemind_cli.core.templates import template
from hivemind_cli.llm.base import Provider, Request
from hivemind_cli.pipeline.codify.draft import RULES, Draft
from hivemind_cli.pipeline.codify.faults import shared, unsaid_link
from hivemind_cli.pipeline.codify.revise import plain_draft
from hivemind_cli.pipeline.spoken import addressed, own_words, pasted

PURPOSE = "check"
CARRIED = "carried"
TEXT_CHARS_MAX = 1500
"""Of each text of a correction that a model is shown."""
_LEFT_OUT = re.compile(r"\s*(?:\[?(?:\.{3}|…)]?)\s*")
_MATTERS = ("when", "title", "description", "name")
"""What names the moment or the matter: what was asked for may carry it too."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """One text that will reach an agent, and the corrections that must carry it."""

    id: str
    section: str
    text: str
    carrying: tuple[Correction, ...]


def checked(
    provider: Provider, draft: Draft, corrections: Sequence[Correction], *, merging: bool, subject: str
) -> Draft:
    """`draft` with what the provider finds carried. ProviderError: no usable answer, or no rule is left.

    merging  title, description and name are not used, and not asked about
    """
    claims = _claims(draft, corrections, merging)
    text, _ = template(PURPOSE)
    request = Request(
        purpose=PURPOSE,
        subject=subject,
        system=text,
        prompt=json.dumps(_document(claims), ensure_ascii=False, indent=1),
        schema=_schema([claim.id for claim in claims]),
    )
    found = provider.complete(request).value["lines"]
    good = {claim.id for claim in claims if _carried(claim, [one for one in found if one["id"] == claim.id])}
    lines = tuple(line for n, line in enumerate(draft.lines, 1) if f"l{n}" in good)
    if not any(line.section in RULES for line in lines):
        raise ProviderError("No line of the model's draft is carried by the person's words.")
    draft = replace(draft, lines=_resting_on(lines, corrections))
    if merging:
        return draft
    plain = plain_draft(corrections)
    title = draft.title if "title" in good else plain.title
    return replace(
        draft,
        title=title,
        trigger=draft.trigger if "description" in good else plain.trigger,
        name=draft.name if "name" in good else title,
        fallback=draft.fallback or plain.fallback,
    )


def screened(draft: Draft, corrections: Sequence[Correction]) -> Draft | None:
    """`draft` without lines that speak to a model, hide, run what is fetched or lead to where the person did not point.

    None if no rule or title is left.
    """
    lines = tuple(line for line in draft.lines if not addressed(line.text) and not unsaid_link(line.text, corrections))
    whole = (draft.title, draft.trigger)
    if not any(line.section in RULES for line in lines) or any(map(addressed, whole)):
        return None
    return replace(draft, lines=lines)


def shown(alias: str, correction: Correction) -> dict[str, str]:
    """`correction` as a model sees it: the person's own words apart from what they only show, and from the agent's."""
    act = Act.of(correction.act) if correction.act else None
    fields = {
        "id": alias,
        "how": correction.kind.value,
        "person_said": own_words(correction.quote),
        "person_changed_it_to": correction.after,
        "task": own_words(correction.task),
        "untrusted_person_showed": pasted(correction.quote),
        "untrusted_agent_did": f"{act.tool}: {act.short}" if act else "",
        "untrusted_it_was": correction.before,
    }
    return {name: redact.text(value)[:TEXT_CHARS_MAX] for name, value in fields.items() if value}


def _resting_on(lines: Sequence[SkillLine], corrections: Sequence[Correction]) -> tuple[SkillLine, ...]:
    """The lines, the first rule resting also on corrections that none cites: all are the same mistake again."""
    cited = {one for line in lines for one in line.correction_ids}
    uncited = tuple(one.id for one in corrections if one.id not in cited)
    first = next(line for line in lines if line.section in RULES)
    whole = replace(first, correction_ids=first.correction_ids + uncited)
    return tuple(whole if line is first else line for line in lines)


def _claims(draft: Draft, corrections: Sequence[Correction], merging: bool) -> list[_Claim]:
    by_id = {one.id: one for one in corrections}
    claims = [
        _Claim(f"l{n}", line.section, line.text, tuple(by_id[id] for id in line.correction_ids if id in by_id))
        for n, line in enumerate(draft.lines, 1)
    ]
    if not merging:
        whole = (("title", draft.title), ("description", draft.trigger), ("name", draft.name.replace("-", " ")))
        claims += [_Claim(section, section, text, tuple(corrections)) for section, text in whole if text]
    return claims


def _document(claims: Sequence[_Claim]) -> dict[str, Any]:
    turns = {one.id: one for claim in claims for one in claim.carrying}
    alias = {id: f"c{n}" for n, id in enumerate(turns, 1)}
    return {
        "lines": [
            {
                "id": claim.id,
                "section": claim.section,
                "text": claim.text,
                "turns": [alias[one.id] for one in claim.carrying],
            }
            for claim in claims
        ],
        "turns": [shown(alias[id], one) for id, one in turns.items()],
    }


def _carried(claim: _Claim, said: Sequence[Mapping[str, str]]) -> bool:
    """Do all answers about `claim` say so, with words that really stand there?"""
    return bool(said) and all(one["verdict"] == CARRIED and _stand(one["words"], claim) for one in said)


def _stand(words: str, claim: _Claim) -> bool:
    wanted = _plain(words).strip(" .…\"'`")
    places = [text for one in claim.carrying for text in (own_words(one.quote), one.after)]
    if claim.section in _MATTERS:
        places += [own_words(one.task) for one in claim.carrying]
    plain = [_plain(text) for text in places]
    whole = any(wanted == text.strip(" .…\"'`") for text in plain)
    if not wanted or not (whole or (content(wanted) and any(_stands(wanted, text) for text in plain))):
        return False
    told = content(claim.text)  # what was not to be done, and when, may be told by the act alone
    return claim.section in ("do_not", *_MATTERS) or not content(wanted) or bool(shared(told, content(wanted)))


def _stands(wanted: str, text: str) -> bool:
    """Does it stand there, or each of its pieces in order, where it leaves something out?"""
    at = 0
    for piece in filter(None, _LEFT_OUT.split(wanted)):
        found = text.find(piece, at)
        if found < 0 or not content(piece):
            return False
        at = found + len(piece)
    return True


def _plain(text: str) -> str:
    """To compare by: case, white space and the forms of quotation marks do not count."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("‘", "'")
    return " ".join(re.sub("[“”„«»]", '"', folded).split())


def _schema(ids: list[str]) -> dict[str, Any]:
    line = {
        "id": {"type": "string", "enum": ids},
        "verdict": {"type": "string", "enum": [CARRIED, "not_carried", "unsure"]},
        "words": {"type": "string", "maxLength": TEXT_CHARS_MAX},
    }
    entry = {"type": "object", "properties": line, "required": list(line), "additionalProperties": False}
    lines = {"type": "array", "items": entry, "maxItems": 2 * len(ids)}
    return {"type": "object", "properties": {"lines": lines}, "required": ["lines"], "additionalProperties": False}
