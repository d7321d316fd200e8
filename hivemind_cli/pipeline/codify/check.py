"""The adversarial check: does a person's word carry each line of a model's draft? What is not carried is dropped.

    draft ─▶ by rule (words, numbers, polarity, address) ─▶ by a second call that never saw the first's reasons ─▶ draft

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
from hivemind_cli.core.records import Correction, CorrectionKind, SkillLine
from hivemind_cli.core.shell import simple_commands
from hivemind_cli.core.templates import template
from hivemind_cli.llm.base import Provider, Request
from hivemind_cli.pipeline.codify import extractive
from hivemind_cli.pipeline.codify.draft import RULES, Draft
from hivemind_cli.pipeline.spoken import addressed, in_own_words, own_words, pasted
from hivemind_cli.pipeline.wording import Polarity

PURPOSE = "check"
CARRIED = "carried"
SHARED_MIN = 0.4
"""Share of a text's topic terms that must come from what happened: a model says it in other words, not about another
thing."""
_SAME_START = 4
"""Letters from which one term that begins another counts as the same: "build", "building"."""
TEXT_CHARS_MAX = 1500
"""Of each text of a correction that a model is shown."""
_CODE = re.compile(r"`+([^`]+)`+")
_EXACT = re.compile(r"\S*[/_\\=@$|]\S*|\S*\w\.\w\S*|(?<!\S)-{1,2}\w\S*")
"""Words that look like a command, option, path or address: they must be the person's, not the model's."""
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s`'\"<>)\]]+|\bwww\.[^\s`'\"<>)\]]+", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_MATTERS = ("when", "title", "description", "name")
"""What names the moment or the matter: what was asked for may carry it too."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """One text that will reach an agent, and the corrections that must carry it."""

    id: str
    section: str
    text: str
    carrying: tuple[Correction, ...]


def fault(text: str, section: str, carrying: Sequence[Correction]) -> str:
    """What is wrong with a text that claims to rest on `carrying`, as far as rules tell, in words; "" if nothing."""
    why = strange(text, section, carrying)
    if why:
        return why
    own = content(text)
    if len(_shared(own, _known(section, carrying))) < max(1, round(SHARED_MIN * len(own))):
        return "it shares too few words with what happened"
    return "it says the opposite of what the person said" if _turned(text, section, carrying) else ""


def strange(text: str, section: str, carrying: Sequence[Correction]) -> str:
    """What in a text could do harm, and no person said: an address to a model, a command, a link, a number; or ""."""
    why = addressed(text)
    if why:
        return why
    spoken = _spoken(carrying)
    if not content(" ".join((*_CODE.findall(text), *_EXACT.findall(text)))) <= _known(section, carrying):
        return "it names a command, path or option that nobody said"
    if _unsaid_link(text, spoken):
        return "it holds a link that the person did not say"
    done = "" if section == "do" else "\n".join(map(_done, carrying))
    if not set(_NUMBER.findall(text)) <= set(_NUMBER.findall(f"{spoken}\n{done}")):
        return "it holds a number that nobody said"
    if any(_mixed(word) and word not in spoken for word in _LETTERS.findall(text)):
        return "it holds a word of two scripts, which reads as another"
    return ""


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
    plain = extractive.draft([in_own_words(one) for one in corrections])
    title = draft.title if "title" in good else plain.title
    return replace(
        draft,
        title=title,
        trigger=draft.trigger if "description" in good else plain.trigger,
        name=draft.name if "name" in good else title,
        fallback=draft.fallback or plain.fallback,
    )


def named_by(name: str, texts: Sequence[str]) -> bool:
    """Are most words of a skill's `name` words of these texts?"""
    own = content(name.replace("-", " "))
    return 2 * len(_shared(own, content("\n".join(texts)))) >= max(len(own), 1)


def screened(draft: Draft, corrections: Sequence[Correction]) -> Draft | None:
    """`draft` without lines that speak to a model, hide, run what is fetched or lead to where the person did not point.

    None if no rule or title is left.
    """
    spoken = _spoken(corrections)
    lines = tuple(line for line in draft.lines if not addressed(line.text) and not _unsaid_link(line.text, spoken))
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
    if not wanted or not (whole or (content(wanted) and any(wanted in text for text in plain))):
        return False
    told = content(claim.text)  # what was not to be done, and when, may be told by the act alone
    return claim.section in ("do_not", *_MATTERS) or not content(wanted) or bool(_shared(told, content(wanted)))


def _plain(text: str) -> str:
    """To compare by: case, white space and the forms of quotation marks do not count."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("‘", "'")
    return " ".join(re.sub("[“”„«»]", '"', folded).split())


def _turned(text: str, section: str, carrying: Sequence[Correction]) -> bool:
    """Does it want what the person does not want, or the other way round, more than it agrees?"""
    line = meant(text, section)
    agree = disagree = 0
    for one in carrying:
        person = Polarity.of(own_words(one.quote))
        agree += len(line.wanted & person.wanted) + len(line.unwanted & person.unwanted)
        disagree += len(line.wanted & person.unwanted) + len(line.unwanted & person.wanted)
    return disagree > agree


def meant(text: str, section: str) -> Polarity:
    """What a line wants and does not want: under `do_not` nothing is wanted, whatever it says; a `do` line wants all
    that it does not call unwanted.
    """
    said = Polarity.of(text)
    code = content(" ".join(_CODE.findall(text)))
    if section == "do_not":
        return Polarity(frozenset(), said.unwanted or code or content(text))
    if section == "do":
        return Polarity(content(text) - said.unwanted, said.unwanted)
    return said if section in ("title", "note") else Polarity(frozenset(), frozenset())


def _spoken(carrying: Sequence[Correction]) -> str:
    return "\n".join(f"{own_words(one.quote)}\n{one.after}\n{own_words(one.task)}" for one in carrying)


def _unsaid_link(text: str, spoken: str) -> bool:
    return any(link.rstrip(".,;…") not in spoken for link in _LINK.findall(text))


def _known(section: str, carrying: Sequence[Correction]) -> frozenset[str]:
    """The terms that a text of this section may take its commands and names from."""
    texts = [f"{own_words(one.quote)}\n{one.after}\n{own_words(one.task)}" for one in carrying]
    return content("\n".join([*texts, *(() if section == "do" else map(_done, carrying))]))


def _done(correction: Correction) -> str:
    """What may be told of the agent's act: heads and options of its commands, the kind of file; none of its texts."""
    act = Act.of(correction.act) if correction.act else None
    if act is None:
        return ""
    options = (word.partition("=")[0] for words in simple_commands(act.command) for word in words if word[:1] == "-")
    by_hand = correction.before if correction.kind is CorrectionKind.HAND_EDIT else ""
    return "\n".join((*act.heads, *options, act.path, act.path_class, act.tool, by_hand))


def _shared(own: frozenset[str], known: frozenset[str]) -> set[str]:
    """Terms of `own` that are among `known`, or begin or continue one of them."""
    near = {term for term in known if len(term) >= _SAME_START}
    return {
        term
        for term in own
        if term in known
        or (len(term) >= _SAME_START and any(term.startswith(one) or one.startswith(term) for one in near))
    }


def _mixed(word: str) -> bool:
    """Latin letters among Cyrillic or Greek ones."""
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in word}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK"})


def _schema(ids: list[str]) -> dict[str, Any]:
    line = {
        "id": {"type": "string", "enum": ids},
        "verdict": {"type": "string", "enum": [CARRIED, "not_carried", "unsure"]},
        "words": {"type": "string", "maxLength": TEXT_CHARS_MAX},
    }
    entry = {"type": "object", "properties": line, "required": list(line), "additionalProperties": False}
    lines = {"type": "array", "items": entry, "maxItems": 2 * len(ids)}
    return {"type": "object", "properties": {"lines": lines}, "required": ["lines"], "additionalProperties": False}
