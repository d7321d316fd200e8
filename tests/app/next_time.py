"""Corrections as people make them, put through the whole loop, and what the same people type weeks later.

next_time.jsonl, in our own words, of invented projects. A line is a lesson:

    task, runs or edits, replied, said     what was asked, what the agent did and answered, how it was put right
    next     prompts of later sessions at which the same mistake is near; written before anything was ranked, and in
             other words than the correction's wherever a person would use others
    natural  as above, by a writer who knew nothing of the matcher and neither sought nor avoided the lesson's words
    split    tune: may be looked at to improve recall; held: may not

or, at the end, the clean prompts: those to which no lesson applies.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.core.match import content
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import Candidate, Correction, Event, SkillRevision
from tests.app.talk import Talk

_ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("next_time.jsonl").read_text("utf-8").splitlines()
]
LESSONS = [row for row in _ROWS if "said" in row]
CLEAN: list[str] = [prompt for row in _ROWS for prompt in row.get("clean", ())]


@dataclass(frozen=True, slots=True)
class Asked:
    """One next-time prompt and what recall thought of it."""

    lesson: str
    split: str
    prompt: str
    rank: int
    """Of the skill it should bring up, from 1; 0 if it is not among the candidates."""
    given: bool
    """Would the agent have been told that skill?"""
    others_given: int
    """Other skills that the agent would have been told."""
    shares: bool
    """Does it have any topic word in common with the correction, its task or its act? If not, words cannot find it."""
    first: str
    """The name of the candidate that was ranked first; "" for none."""


def taught(owner: OwnedHivemind, paths: Paths, tree: Path) -> dict[str, SkillRevision]:
    """Each lesson in a session of its own, called a lasting correction by the person, and codified: by lesson."""
    for lesson in LESSONS:
        _talk(Talk(paths, tree, lesson["id"]), lesson, tree)
    while owner.drain() or owner.work():
        pass
    events = {row.record.payload.get("text"): row.record.id for row in owner.store.find(Event)}
    for lesson in LESSONS:
        owner.call("label.set", {"event_id": events[lesson["said"]], "said": "correction", "durable": True})
    owner.call("codify", {})
    lesson_of = {row.record.id: row.record.session_id for row in owner.store.find(Correction)}
    found: dict[str, SkillRevision] = {}
    for row in owner.store.find(SkillRevision):  # oldest version first
        for line in row.record.lines:
            found.update({lesson_of[one]: row.record for one in line.correction_ids})
    return found


def ask(owner: OwnedHivemind, tree: Path, skills: dict[str, SkillRevision], prompts: str) -> Iterator[Asked]:
    """Every next-time prompt of that kind (next or natural), in a project that has all the skills."""
    for lesson in LESSONS:
        wanted = skills[lesson["id"]].skill_id
        for prompt in lesson[prompts]:
            candidates = recalled(owner, tree, prompt)
            given = [one.id for one in candidates if one.decision == "injected"]
            yield Asked(
                lesson=lesson["id"],
                split=lesson["split"],
                prompt=prompt,
                rank=next((n for n, one in enumerate(candidates, 1) if one.id == wanted), 0),
                given=wanted in given,
                others_given=len([one for one in given if one != wanted]),
                shares=bool(content(prompt) & _words_of(lesson)),
                first=candidates[0].name if candidates else "",
            )


def recalled(owner: OwnedHivemind, tree: Path, prompt: str) -> list[Candidate]:
    """What a prompt in `tree` would bring up, best first, whether or not it is good enough to be told."""
    answer = owner.call("recall", {"query": prompt, "cwd": str(tree)})
    return [Candidate(**one) for one in answer["candidates"]]


def _words_of(lesson: dict[str, Any]) -> frozenset[str]:
    return content(" ".join((lesson["task"], lesson["said"], lesson.get("runs", ""), *lesson.get("edits", ()))))


def _talk(talk: Talk, lesson: dict[str, Any], tree: Path) -> None:
    talk.starts()
    talk.says(lesson["task"])
    if "runs" in lesson:
        talk.runs(lesson["runs"], "ok")
    if "edits" in lesson:
        path, text = lesson["edits"]
        talk.edits(tree / path, "", text)
    talk.replies(lesson["replied"])
    talk.says(lesson["said"])
    talk.replies("Understood.")
    talk.ends()
