"""What must be true of a played story. Each claim is a function that raises AssertionError with the evidence."""

from pathlib import Path

import skills_ref

from tests.e2e import play
from tests.e2e.story import Act, Story
from tests.e2e.world import Played, Request, ToolResult

FENCE = "<hivemind-recall>"
FENCE_END = "</hivemind-recall>"
BRIEF = "<hivemind-brief>"
BRIEF_END = "</hivemind-brief>"
BRIEF_LINES_MAX = 5


def the_correction_became_a_valid_skill(story: Story, played: Played) -> None:
    """A SKILL.md that the reference validator takes, which says the rule, and other agents find it too."""
    _ok(played, play.INSTALL)
    (mistake,), _ = _acts(story.act, played, play.FIRST, _requests(played, play.FIRST))
    _claim(played, not _denied(mistake), "the mistake itself did not run: does the story fit?", play.FIRST)
    _ok(played, play.TOLD, play.SKILL_THERE, play.SKILLS)
    skills = played.results[play.SKILLS]["skills"]
    for skill in skills:
        errors = skills_ref.validate(Path(skill["copy"]))
        _claim(played, not errors, f"{skill['name']}/SKILL.md is not valid: {errors}\n{skill['text']}", play.SKILLS)
        found = skill["linked"] or skill["same"]
        _claim(played, found, f".agents/skills/{skill['name']} does not lead to the skill", play.SKILLS)
    said = any(story.rule.search(skill["text"]) for skill in skills)
    _claim(played, said, f"no skill says {story.rule.pattern!r}", play.SKILLS)


def the_words_are_not_told_back_at_once(story: Story, played: Played) -> None:
    """The agent hears the correction from the person; we add nothing at that prompt, nor before it."""
    for name, requests in ((name, _requests(played, name)) for name in (play.FIRST, play.TOLD)):
        for request in requests if name == play.FIRST else requests[:1]:
            _claim(played, _fences(request) == 0, "a fence came at the prompt that is the correction", name)


def the_rule_is_there_before_the_first_tool_call(story: Story, played: Played) -> None:
    """A new session with a like task: the first request holds one fence, with the rule, and later ones no more."""
    requests = _requests(played, play.AGAIN)
    first = requests[0]
    _claim(played, first.tool_calls_made == 0, "the session did not begin anew", play.AGAIN)
    _claim(played, _fences(first) == 1, f"the first request holds {_fences(first)} fences, not one", play.AGAIN)
    _claim(played, _says(story, first.text), f"the fence does not say {story.rule.pattern!r}", play.AGAIN)
    for request in requests[1:]:
        _claim(played, _fences(request) == 1, f"request {request.number} holds {_fences(request)} fences", play.AGAIN)


def a_session_begins_with_the_news(story: Story, played: Played) -> None:
    """What was learned is named once at the start of the next two sessions, in a few lines, and of no later one."""
    briefs = {name: _requests(played, name)[0].text.count(BRIEF) for name in (play.AGAIN, play.HELD, play.NEVER)}
    _claim(played, briefs == {play.AGAIN: 1, play.HELD: 1, play.NEVER: 0}, f"briefs: {briefs}", play.AGAIN)
    brief = _requests(played, play.AGAIN)[0].text.partition(BRIEF)[2].partition(BRIEF_END)[0]
    lines = brief.strip().splitlines()
    _claim(played, len(lines) <= BRIEF_LINES_MAX, f"the brief has {len(lines)} lines: {brief}", play.AGAIN)
    _claim(played, story.rule.search(brief) is not None, f"the brief does not say the rule: {brief}", play.AGAIN)
    for name in (play.FIRST, play.TOLD, play.OFF, play.ELSEWHERE, play.UNRELATED):
        for request in _requests(played, name):
            _claim(played, BRIEF not in request.text, "a brief came where nothing is new", name)


def the_act_is_held_once_with_the_rule(story: Story, played: Played) -> None:
    """Under a prompt that says nothing of it, the act is denied with the rule and does not run; its repeat runs."""
    requests = _requests(played, play.HELD)
    times = 2 if story.held_repeated else 1
    results, acts = _acts(story.held_act, played, play.HELD, requests, times=times)
    for request in requests[: acts[0] + 1]:
        _claim(played, _fences(request) == 0, "a fence came before the call", play.HELD)
    _claim(played, _denied(results[0]) and FENCE in results[0].text, "the call was not held", play.HELD)
    _claim(played, _says(story, results[0].text), f"the reason does not say {story.rule.pattern!r}", play.HELD)
    ran = _ran_between(requests, acts[0])
    _claim(played, not ran, "the call ran although it was held", play.HELD)
    if story.held_repeated:
        _claim(played, not _denied(results[1]), "the repeated call did not pass", play.HELD)
        _claim(played, _ran_between(requests, acts[1]), "the repeated call passed but did not run", play.HELD)
    for request in requests[acts[0] + 1 :]:
        _claim(played, _fences(request) == 1, f"request {request.number} holds {_fences(request)} fences", play.HELD)


def without_the_hold_the_rule_comes_with_the_result(story: Story, played: Played) -> None:
    """recall.hold = never: the act runs at once, and the request after it holds one fence."""
    _ok(played, "set hold never")
    requests = _requests(played, play.NEVER)
    results, acts = _acts(story.held_act, played, play.NEVER, requests)
    for request in requests[: acts[0] + 1]:
        _claim(played, _fences(request) == 0, "a fence came before the call", play.NEVER)
    _claim(played, not _denied(results[0]), "the call was denied", play.NEVER)
    _claim(played, _ran_between(requests, acts[0]), "the call did not run", play.NEVER)
    after = requests[acts[0] + 1]
    _claim(played, _fences(after) == 1, f"the request after the call holds {_fences(after)} fences", play.NEVER)
    _claim(played, _says(story, after.text), f"the fence does not say {story.rule.pattern!r}", play.NEVER)


def it_is_silent_when_recall_is_off(story: Story, played: Played) -> None:
    """recall.enabled = false: no fence, and nothing is held."""
    _ok(played, "set recall off")
    _silent_while_the_act_runs(story, played, play.OFF)


def it_is_silent_in_another_project(story: Story, played: Played) -> None:
    """The same words and the same act in another repository: no fence, and nothing is held."""
    _ok(played, "set recall on")
    _silent_while_the_act_runs(story, played, play.ELSEWHERE)


def it_is_silent_at_an_unrelated_prompt(story: Story, played: Played) -> None:
    """Another topic in the same project: no fence."""
    for request in _requests(played, play.UNRELATED):
        _claim(played, _fences(request) == 0, "a fence came where nothing fits", play.UNRELATED)


def uninstall_leaves_things_as_they_were(story: Story, played: Played) -> None:
    """The settings are byte for byte those of the person, and no process is left."""
    _ok(played, play.INSTALL, play.UNINSTALL, play.PROCESSES)
    before, after = (played.results[name]["text"] for name in (play.BEFORE, play.AFTER))
    _claim(played, before == after, f"settings.json before:\n{before}\nand after:\n{after}", play.UNINSTALL)


ALL = (
    the_correction_became_a_valid_skill,
    the_words_are_not_told_back_at_once,
    the_rule_is_there_before_the_first_tool_call,
    a_session_begins_with_the_news,
    the_act_is_held_once_with_the_rule,
    without_the_hold_the_rule_comes_with_the_result,
    it_is_silent_when_recall_is_off,
    it_is_silent_in_another_project,
    it_is_silent_at_an_unrelated_prompt,
    uninstall_leaves_things_as_they_were,
)


def _silent_while_the_act_runs(story: Story, played: Played, name: str) -> None:
    requests = _requests(played, name)
    results, acts = _acts(story.held_act, played, name, requests)
    for request in requests:
        _claim(played, _fences(request) == 0, "a fence came where there must be none", name)
    _claim(played, not _denied(results[0]), "the call was denied", name)
    _claim(played, _ran_between(requests, acts[0]), "the call did not run", name)


def _claim(played: Played, true: bool, otherwise: str, name: str) -> None:
    if not true:
        raise AssertionError(played.tell(otherwise, name))


def _ok(played: Played, *names: str) -> None:
    for name in names:
        _claim(played, played.results.get(name, {}).get("ok", False), f"the step {name!r} did not succeed", name)


def _requests(played: Played, name: str) -> list[Request]:
    _ok(played, name)
    requests = played.requests(name)
    _claim(played, bool(requests), "the client sent no request", name)
    return requests


def _acts(
    act: Act, played: Played, name: str, requests: list[Request], *, times: int = 1
) -> tuple[list[ToolResult], list[int]]:
    """The results of the act in this session, and the places of the requests that were answered with it."""
    places, results = [], []
    for place, request in enumerate(requests):
        for call in request.calls:
            if call["name"] != act.tool:
                continue
            later = requests[place + 1].result(call["id"]) if place + 1 < len(requests) else None
            if later is None:
                raise AssertionError(played.tell(f"the model was never told how {call['input']} ended", name))
            places.append(place)
            results.append(later)
    _claim(played, len(places) == times, f"the act was called {len(places)} times, not {times}", name)
    return results, places


def _ran_between(requests: list[Request], place: int) -> bool:
    """Did the fake program run, or the watched file change, between this request and the next?"""
    return requests[place].facts != requests[place + 1].facts


def _denied(result: ToolResult) -> bool:
    """The tool did not run; a command that ran and failed is told to the model by its exit code."""
    return result.error and not result.text.startswith("Exit code")


def _fences(request: Request) -> int:
    return request.text.count(FENCE)


def _says(story: Story, text: str) -> bool:
    return story.rule.search(text.partition(FENCE)[2].partition(FENCE_END)[0]) is not None
