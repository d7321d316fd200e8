"""The harness itself: with a stand-in that does everything right every claim holds, and each can also fail."""

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import claims, play, story
from tests.e2e.world import Played, World

Line = dict[str, Any]
Claim = Callable[[story.Story, Played], None]
NAME = "left-pad"
STORY = story.load(story.FOLDER / f"{NAME}.json")
BLOCK = {"role": "user", "content": [{"type": "text", "text": f"{claims.FENCE}pnpm{claims.FENCE_END}"}]}

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def standin_plays(new_world: Callable[..., World]) -> Callable[[str], Played]:
    """What the stand-in leaves of the story of that name; played once."""

    @cache
    def of(name: str) -> Played:
        file = story.FOLDER / f"{name}.json"
        cli = (sys.executable, str(Path(__file__).parent / "standin.py"), str(file))
        return play.play(story.load(file), new_world(cli))

    return of


@pytest.mark.parametrize("file", sorted(story.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_right_answers_are_accepted(file: Path, standin_plays: Callable[[str], Played]) -> None:
    for claim in claims.ALL:
        claim(story.load(file), standin_plays(file.stem))


def _without_fence(line: Line) -> None:
    line["body"] = json.loads(json.dumps(line["body"]).replace(claims.FENCE, "<other>"))


def _with_fence(line: Line) -> None:
    line["body"]["messages"].append(BLOCK)


def _without_brief(line: Line) -> None:
    line["body"] = json.loads(json.dumps(line["body"]).replace(claims.BRIEF, "<other>"))


def _with_brief(line: Line) -> None:
    line["body"]["messages"].append({"role": "user", "content": f"{claims.BRIEF}pnpm{claims.BRIEF_END}"})


def _without_rule(line: Line) -> None:
    line["body"] = json.loads(json.dumps(line["body"]).replace("pnpm", "another"))


def _not_denied(line: Line) -> None:
    line["body"] = json.loads(json.dumps(line["body"]).replace('"is_error": true', '"is_error": false'))


def _all_denied(line: Line) -> None:
    line["body"] = json.loads(json.dumps(line["body"]).replace('"is_error": false', '"is_error": true'))


def _ran_always(line: Line) -> None:
    line["facts"]["runs"] = line["number"]


def _ran_never(line: Line) -> None:
    line["facts"]["runs"] = 0


def _not_ok(line: Line) -> None:
    line["ok"] = False


def _other_text(line: Line) -> None:
    line["text"] += "\n"


def _invalid_skill(line: Line) -> None:
    for skill in line["skills"]:
        skill["copy"] = skill["copy"] + "-gone"


def _unlinked_skill(line: Line) -> None:
    for skill in line["skills"]:
        skill.update(linked=False, same=False)


TAMPERED: list[tuple[Claim, str, Callable[[Line], None], str]] = [
    (claims.the_correction_became_a_valid_skill, play.SKILL_THERE, _not_ok, "did not succeed"),
    (claims.the_correction_became_a_valid_skill, play.SKILLS, _invalid_skill, "not valid"),
    (claims.the_correction_became_a_valid_skill, play.SKILLS, _unlinked_skill, "does not lead"),
    (claims.the_words_are_not_told_back_at_once, play.FIRST, _with_fence, "at the prompt"),
    (claims.the_words_are_not_told_back_at_once, play.TOLD, _with_fence, "at the prompt"),
    (claims.the_rule_is_there_before_the_first_tool_call, play.AGAIN, _without_fence, "0 fences"),
    (claims.the_rule_is_there_before_the_first_tool_call, play.AGAIN, _with_fence, "2 fences"),
    (claims.the_rule_is_there_before_the_first_tool_call, play.AGAIN, _without_rule, "does not say"),
    (claims.a_session_begins_with_the_news, play.AGAIN, _without_brief, "briefs:"),
    (claims.a_session_begins_with_the_news, play.NEVER, _with_brief, "briefs:"),
    (claims.a_session_begins_with_the_news, play.AGAIN, _without_rule, "does not say the rule"),
    (claims.a_session_begins_with_the_news, play.UNRELATED, _with_brief, "nothing is new"),
    (claims.the_act_is_held_once_with_the_rule, play.HELD, _with_fence, "before the call"),
    (claims.the_act_is_held_once_with_the_rule, play.HELD, _not_denied, "not held"),
    (claims.the_act_is_held_once_with_the_rule, play.HELD, _without_fence, "not held"),
    (claims.the_act_is_held_once_with_the_rule, play.HELD, _without_rule, "does not say"),
    (claims.the_act_is_held_once_with_the_rule, play.HELD, _ran_always, "ran although"),
    (claims.the_act_is_held_once_with_the_rule, play.HELD, _ran_never, "did not run"),
    (claims.the_act_is_held_once_with_the_rule, play.HELD, _all_denied, "did not pass"),
    (claims.without_the_hold_the_rule_comes_with_the_result, play.NEVER, _all_denied, "was denied"),
    (claims.without_the_hold_the_rule_comes_with_the_result, play.NEVER, _ran_never, "did not run"),
    (claims.without_the_hold_the_rule_comes_with_the_result, play.NEVER, _without_fence, "0 fences"),
    (claims.without_the_hold_the_rule_comes_with_the_result, play.NEVER, _with_fence, "before the call"),
    (claims.it_is_silent_when_recall_is_off, play.OFF, _with_fence, "must be none"),
    (claims.it_is_silent_when_recall_is_off, play.OFF, _all_denied, "was denied"),
    (claims.it_is_silent_in_another_project, play.ELSEWHERE, _with_fence, "must be none"),
    (claims.it_is_silent_in_another_project, play.ELSEWHERE, _ran_never, "did not run"),
    (claims.it_is_silent_at_an_unrelated_prompt, play.UNRELATED, _with_fence, "nothing fits"),
    (claims.uninstall_leaves_things_as_they_were, play.AFTER, _other_text, "settings.json before"),
    (claims.uninstall_leaves_things_as_they_were, play.PROCESSES, _not_ok, "did not succeed"),
]


@pytest.mark.parametrize(("claim", "name", "tamper", "message"), TAMPERED)
def test_a_wrong_answer_is_refused(
    claim: Claim,
    name: str,
    tamper: Callable[[Line], None],
    message: str,
    standin_plays: Callable[[str], Played],
    tmp_path: Path,
) -> None:
    for log, field in (("requests.jsonl", "label"), ("results.jsonl", "name")):
        lines = [json.loads(line) for line in (standin_plays(NAME).root / log).read_text().split("\n") if line]
        for line in lines:
            if line.get(field) == name and (log == "results.jsonl") == (tamper in RESULT_TAMPERS):
                tamper(line)
        (tmp_path / log).write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    with pytest.raises(AssertionError, match=message):
        claim(STORY, Played(tmp_path))


RESULT_TAMPERS = (_not_ok, _other_text, _invalid_skill, _unlinked_skill)
