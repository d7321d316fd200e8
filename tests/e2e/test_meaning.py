"""With the real client and the real sentence model: a lesson comes back when its task does in entirely other words."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import lessons, meaning, play
from tests.e2e.claims import FENCE, FENCE_END
from tests.e2e.lessons import LESSONS, Lesson
from tests.e2e.world import Played, Request, World

pytestmark = pytest.mark.e2e
Plays = Callable[[Lesson], Played]
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


@pytest.fixture(scope="module")
def plays(new_world: Callable[[], World], exported_model: Path) -> Plays:
    """What the lesson left; played once, when first asked for. Skips without the model (HIVEMIND_MODEL_REQUIRED)."""

    @cache
    def of(lesson: Lesson) -> Played:
        return meaning.play_lesson(lesson, new_world(), exported_model)

    return of


@each_lesson
def test_the_next_prompt_shares_no_content_word_with_anything_before(lesson: Lesson, plays: Plays) -> None:
    played = plays(lesson)
    skills = [skill["text"] for skill in _result(played, play.SKILLS)["skills"]]
    assert skills, played.tell("no skill was made", play.SKILLS)
    transcripts = [path.read_text("utf-8") for path in played.root.glob("home/.claude/projects/*/*.jsonl")]
    (first,) = (text for text in transcripts if lesson.prompt in text and lesson.said in text)
    assert lessons.shared_words(lesson.again, *skills, lesson.command, *_sayings(first)) == frozenset()


@each_lesson
def test_with_the_model_the_lesson_comes_before_the_agent_acts(lesson: Lesson, plays: Plays) -> None:
    played = plays(lesson)
    first, *later = _requests(played, meaning.AGAIN)
    assert first.tool_calls_made == 0
    assert _fences(first) == [lesson.rule], played.tell("not the one fence", meaning.AGAIN)
    assert all(_fences(request) == [lesson.rule] for request in later), played.tell("more came", meaning.AGAIN)


@each_lesson
def test_without_the_model_it_does_not_and_only_the_model_is_missing(lesson: Lesson, plays: Plays) -> None:
    played = plays(lesson)
    for request in _requests(played, meaning.WITHOUT):
        assert _fences(request) == [], played.tell("it came without the model", meaning.WITHOUT)
    near = _requests(played, meaning.NEAR)[0]
    assert _fences(near) == [lesson.rule], played.tell("by words alone it must come, too", meaning.NEAR)


@each_lesson
def test_the_same_prompt_again_brings_nothing_new(lesson: Lesson, plays: Plays) -> None:
    played = plays(lesson)
    for request in _requests(played, meaning.TWICE):
        assert request.text.count(lesson.again) >= 2, played.tell("the session did not go on", meaning.TWICE)
        assert _fences(request) == [lesson.rule], played.tell("it was said again", meaning.TWICE)


@each_lesson
def test_an_unrelated_prompt_gets_nothing(lesson: Lesson, plays: Plays) -> None:
    played = plays(lesson)
    for name in meaning.UNRELATED:
        for request in _requests(played, name):
            assert _fences(request) == [], played.tell("a fence came where nothing fits", name)


@each_lesson
def test_a_subagent_gets_it_with_its_task(lesson: Lesson, plays: Plays) -> None:
    played = plays(lesson)
    main, *later = _requests(played, meaning.DELEGATED)
    assert _fences(main) == [], played.tell("it came before the task was given", meaning.DELEGATED)
    subagents = [request for request in later if meaning.TASK not in request.text]
    assert subagents and all(lesson.again in request.text for request in subagents)
    assert _fences(subagents[0]) == [lesson.rule], played.tell("the subagent did not get it", meaning.DELEGATED)


@each_lesson
def test_nothing_is_left_running(lesson: Lesson, plays: Plays) -> None:
    played = plays(lesson)
    assert _result(played, play.PROCESSES)["left"] == []


@pytest.fixture(scope="module")
def in_parallel(new_world: Callable[[], World], exported_model: Path) -> Played:
    """Two sessions at once: one is corrected, the other comes to the same task."""
    return meaning.play_in_parallel(lessons.OUTAGE, new_world(), exported_model)


def test_a_correction_reaches_a_parallel_session_before_there_is_a_skill(in_parallel: Played) -> None:
    assert _result(in_parallel, meaning.SKILLS_YET)["stdout"] == "", in_parallel.tell("not a memo", meaning.SKILLS_YET)
    first = _requests(in_parallel, meaning.BESIDE)[0]
    assert _fences(first) == [lessons.OUTAGE.rule], in_parallel.tell("the correction did not come", meaning.BESIDE)


def _fences(request: Request) -> list[str]:
    """For each fence in what the model was sent: which lesson's rule it says, else its text."""
    texts = [part.partition(FENCE_END)[0] for part in request.text.split(FENCE)[1:]]
    return [next((lesson.rule for lesson in LESSONS if lesson.rule in text), text) for text in texts]


def _requests(played: Played, name: str) -> list[Request]:
    _result(played, name)
    requests = played.requests(name)
    assert requests, played.tell("the client sent no request", name)
    return requests


def _result(played: Played, name: str) -> dict[str, Any]:
    result: dict[str, Any] = played.results.get(name, {})
    assert result.get("ok"), played.tell(f"the step {name!r} did not succeed", name)
    return result


def _sayings(transcript: str) -> list[str]:
    """What the person and the model said in it, tool calls included."""
    lines = [json.loads(line) for line in transcript.split("\n") if line]
    return [json.dumps(line["message"]["content"]) for line in lines if line.get("type") in ("user", "assistant")]
