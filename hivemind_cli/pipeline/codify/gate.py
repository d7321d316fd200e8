"""The gate: what never becomes a skill, what belongs into one that is there, and what contradicts one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hivemind_cli.core import redact
from hivemind_cli.core.acts import Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import Correction, CorrectionKind, SkillRevision
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.codify.evidence import (
    Group,
    Shelf,
    contrary,
    inverted,
    is_open,
    named,
    near,
    overlap,
    said,
    turns,
)
from hivemind_cli.pipeline.spoken import addressed, own_words, pasted
from hivemind_cli.skills.format import fit_line

QUOTE_CHARS_MAX = 1500
"""More is pasted material, not something said."""
AKIN_MIN = 0.5
"""Share of a quote's terms that a skill must speak of to take up its lesson because a model says so."""
KEEP, MERGE, CONFLICT = "keep", "merge", "conflict"
REDACTED = "[redacted:"
HOSTILE = "it speaks to the model, hides something or runs what it fetches: no rule for work"

_TRACE = re.compile(r"Traceback \(most recent|^[ \t]+at \S+ ?\(", re.MULTILINE)
"""A stack trace: pasted, not said."""
_BROKEN = re.compile(
    r"\b(?:(?:does|do|did|is|are)(?: not|n['’]t) work\w*|doesnt work\w*|(?:still|keeps) (?:crash|fail)\w*|"
    r"(?:is|are) (?:broken|down)|"
    r"command not found|no such file or directory|permission denied|connection refused|segmentation fault|"
    r"out of memory|no space left|errno \d+|E(?:ACCES|PERM|NOENT|EXIST|ADDRINUSE|TIMEDOUT|NOTFOUND|CONN[A-Z]+)|"
    r"(?:funktioniert|geht|klappt) (?:\w+ )?nicht|ne (?:marche|fonctionne) pas|no (?:funciona|sirve)|"
    r"n[ãa]o funciona|non funziona|werkt niet|не работает|nie dzia[łl]a|nefunguje|[çc]al[ıi][şs]m[ıi]yor|"
    r"fungerer ikke|fungerar inte|virker ikke)\b|不工作|不能用|无法使用|動かない|動きません|작동하지 않",
    re.IGNORECASE,
)
"""That something does not work, as people or programs say it: a state of the world, no rule. As a skill it would
harden into refusal."""
_CLAUSE = re.compile(r"[.,;:!?…–—\n。、，；：！？]+(?:\s|$)|[。、，；：！？\n]")
_RULE_TERMS_MIN = 2
"""Terms in one of the other clauses from which a complaint holds a rule besides."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lesson belongs: a new skill, one that is there, or against one that is there."""

    decision: str
    skill: SkillRevision | None = None
    why: str = ""
    """Why it may be no part of a skill that it would else belong into, in words."""


def refusal(correction: Correction) -> str:
    """Why this correction can never carry a line, in words; "" if it can."""
    if judged.refused(correction):
        return "judged no correction"
    if correction.durable is False:
        return "one-off"
    if correction.kind is CorrectionKind.RED_AFTER_DONE:
        return "an unresolved error"
    if correction.kind is CorrectionKind.REDO:
        return "the same request again says no rule"
    if correction.confidence < judged.SHOWN_MIN:
        return "not sure that it is a correction"
    if not correction.quote.strip():
        return _silent_refusal(correction)
    if holds_secret(correction.quote):
        return "holds a secret"
    quote = own_words(correction.quote)
    if len(quote) > QUOTE_CHARS_MAX or (pasted(correction.quote) and not content(quote)):
        return "pasted material"
    if not fit_line(quote) or not content(quote):
        return "no words"
    if addressed(quote):
        return HOSTILE
    if _TRACE.search(quote):
        return "a pasted error"
    return "says that something does not work, not what to do" if _only_broken(quote) else ""


def _silent_refusal(correction: Correction) -> str:
    if correction.kind is not CorrectionKind.HAND_EDIT or not correction.after.strip():
        return "no words"
    texts = (correction.before, correction.after)
    if any(holds_secret(text) for text in texts):
        return "holds a secret"
    return HOSTILE if any(addressed(text) for text in texts) else ""


def holds_secret(text: str) -> bool:
    """Does `text` hold a secret, or the hole where one was?"""
    return REDACTED in text or bool(redact.found(text))


def immature(corrections: Sequence[Correction]) -> str:
    """Why these allowed corrections of one mistake are not enough yet; "" if they are."""
    if turns(corrections) >= 2:
        return ""
    if not any(one.quote.strip() for one in corrections):
        return "seen once, without words"
    return "" if any(one.durable for one in corrections) else "seen once"


def place(group: Group, shelf: Shelf) -> Place:
    """Where the group's lesson belongs among its project's skills."""
    newest = group.newest
    skill = shelf.carrying((one.id for one in group.known), newest.project_id)
    if skill is not None:  # a later word that only shares the act with it may still say the opposite of another line
        turned = is_open(skill) and newest.id not in shelf.evidence(skill)
        against = turned and any(_contradicts(one, newest) for one in shelf.behind(skill))
        return Place(CONFLICT if against else MERGE, skill)
    skills = shelf.of_project(newest.project_id)
    for skill in sorted(skills, key=lambda one: not is_open(one)):  # of what is out of use only the refusal counts
        behind = shelf.behind(skill)
        if is_open(skill) and any(_contradicts(one, newest) for one in behind):
            return Place(CONFLICT, skill)
        if any(_same_key(one, newest) or near(one, newest) for one in behind):
            return Place(MERGE, skill)
    return Place(KEEP)


def akin(evidence: Sequence[Correction], skill: SkillRevision) -> bool:
    """Do a skill and corrections speak of the same act or the same things? Else a model may not join them."""
    acts = {Act.of(act).signature for act in skill.acts}
    if any(one.act and Act.of(one.act).signature in acts for one in evidence):
        return True
    text = " ".join((skill.title, skill.trigger, skill.body, *(line.text for line in skill.lines)))
    return any(overlap(own_words(one.quote), text) >= AKIN_MIN for one in evidence)


def _contradicts(old: Correction, new: Correction) -> bool:
    return inverted(old, new) or opposed(old, new) or contrary(old, new)


def opposed(old: Correction, new: Correction) -> bool:
    """Is what the one correction asks for what the other put right, and the other way round?"""
    if not old.act or not new.act:
        return False
    old_act, new_act = named(Act.of(old.act)), named(Act.of(new.act))
    asked_for_new_then = (new_act - old_act) & said(old.quote)
    asks_for_old_now = (old_act - new_act) & said(new.quote)
    return bool(asked_for_new_then and asks_for_old_now)


def _same_key(a: Correction, b: Correction) -> bool:
    return bool(a.recurrence_key) and a.recurrence_key == b.recurrence_key


def _only_broken(quote: str) -> bool:
    if not _BROKEN.search(quote):
        return False
    rest = (clause for clause in _CLAUSE.split(quote) if clause and not _BROKEN.search(clause))
    return max((len(content(clause)) for clause in rest), default=0) < _RULE_TERMS_MIN
