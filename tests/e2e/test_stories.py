"""Each story, with the real client: corrected once, and the agent is reminded before it acts, and only then."""

from collections.abc import Callable
from functools import cache

import pytest

from tests.e2e import claims, play, story
from tests.e2e.world import Played, World

FILES = sorted(story.FOLDER.glob("*.json"))

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("name", [file.stem for file in FILES])]

Story = tuple[story.Story, Played]


@pytest.fixture(scope="module")
def plays(new_world: Callable[[], World]) -> Callable[[str], Story]:
    """The story of that name and what it left; played once, when first asked for."""

    @cache
    def of(name: str) -> Story:
        told = story.load(story.FOLDER / f"{name}.json")
        return told, play.play(told, new_world())

    return of


def test_the_correction_becomes_a_valid_skill(name: str, plays: Callable[[str], Story]) -> None:
    claims.the_correction_became_a_valid_skill(*plays(name))


def test_the_words_are_not_told_back_to_the_agent_at_once(name: str, plays: Callable[[str], Story]) -> None:
    claims.the_words_are_not_told_back_at_once(*plays(name))


def test_a_new_session_holds_the_rule_before_its_first_tool_call(name: str, plays: Callable[[str], Story]) -> None:
    claims.the_rule_is_there_before_the_first_tool_call(*plays(name))


def test_a_session_begins_with_the_news_and_only_while_it_is_news(name: str, plays: Callable[[str], Story]) -> None:
    claims.a_session_begins_with_the_news(*plays(name))


def test_the_act_itself_is_held_once_with_the_rule_as_the_reason(name: str, plays: Callable[[str], Story]) -> None:
    claims.the_act_is_held_once_with_the_rule(*plays(name))


def test_without_the_hold_the_rule_comes_with_the_result(name: str, plays: Callable[[str], Story]) -> None:
    claims.without_the_hold_the_rule_comes_with_the_result(*plays(name))


def test_nothing_is_said_when_recall_is_off(name: str, plays: Callable[[str], Story]) -> None:
    claims.it_is_silent_when_recall_is_off(*plays(name))


def test_nothing_is_said_in_another_project(name: str, plays: Callable[[str], Story]) -> None:
    claims.it_is_silent_in_another_project(*plays(name))


def test_nothing_is_said_at_an_unrelated_prompt(name: str, plays: Callable[[str], Story]) -> None:
    claims.it_is_silent_at_an_unrelated_prompt(*plays(name))


def test_uninstall_leaves_the_settings_and_no_process(name: str, plays: Callable[[str], Story]) -> None:
    claims.uninstall_leaves_things_as_they_were(*plays(name))
