"""Corrections become skills: by the gate, in the person's words, each line with its evidence."""

from dataclasses import replace
from typing import Any

import pytest

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import (
    CorrectionKind,
    Notice,
    Scope,
    SkillRevision,
    SkillState,
)
from hivemind_cli.pipeline.codify.gate import refusal
from hivemind_cli.pipeline.codify.phrasing import without_filler
from hivemind_cli.skills.format import check, render
from tests.pipeline.codify_loop import Loop, correction_, prompt_, reasons_


class TestExtractive:
    def test_a_lasting_correction_becomes_a_live_skill_in_the_persons_words(self) -> None:
        revision = Loop().skill(correction_())
        assert revision.state is SkillState.LIVE
        assert (revision.scope, revision.version, revision.drafter) == (Scope.PROJECT, 1, "extractive")
        assert revision.title == "We build with make here, never with scons"
        assert [(line.section, line.text) for line in revision.lines] == [
            ("when", "About to run `scons archive`."),
            ("do", "we build with make here, never with scons"),
            ("do_not", "`scons archive --fast`"),
        ]
        assert all(line.correction_ids == (correction_().id,) for line in revision.lines)
        assert revision.acts == (correction_().act,)
        assert revision.tasks == ("build the release archive",)
        assert "build the release archive" in revision.trigger and "`scons archive`" in revision.trigger
        assert len(revision.trigger) <= 300
        text = render(revision)
        assert check(text, revision.name) == []

    def test_going_live_is_not_told_before_the_file_is_there(self) -> None:
        assert not [one for one in Loop().give(correction_()) if isinstance(one, Notice)]

    @pytest.mark.parametrize(
        ("quote", "rule"),
        [
            ("no, use make", "use make"),
            ("Nein, bitte immer mit make bauen.", "bitte immer mit make bauen."),
            ("Non, compile avec make.", "compile avec make."),
            ("нет, собирай через make", "собирай через make"),
            ("tabs, not spaces in makefiles", "tabs, not spaces in makefiles"),
            ("不要用这个,用 make 构建", "不要用这个,用 make 构建"),
            ("no, no", "no, no"),
            ("make", "make"),
        ],
    )
    def test_a_leading_filler_goes_only_if_a_rule_is_left(self, quote: str, rule: str) -> None:
        assert without_filler(quote) == rule

    @pytest.mark.parametrize(
        "quote",
        [
            "ここでは scons ではなく make を使ってください。",
            "构建请用 make，不要用 scons。",
            "हमेशा make से बनाओ",
            "Собираем только через make, scons не трогай!",
            "Derlemeyi hep make ile yapıyoruz",
            "use `make -j4` <always> --> & 'quoted' \"text\"",
            "line one\nline two: use make",
        ],
    )
    def test_any_language_and_any_characters_give_a_valid_file(self, quote: str) -> None:
        revision = Loop().skill(correction_(quote=quote))
        assert check(render(revision), revision.name) == []
        assert revision.state is SkillState.LIVE

    def test_a_long_quote_is_kept_sentence_by_sentence(self) -> None:
        quote = "Builds go through make. " * 20 + "Ask before you change the Makefile."
        revision = Loop().skill(correction_(quote=quote))
        says = [line.text for line in revision.lines if line.section == "do"]
        assert "Ask before you change the Makefile." in says
        assert all(len(text) <= 300 for text in says)
        assert len(revision.title) <= 80

    def test_what_a_person_changed_silently_twice_shows_the_change(self) -> None:
        edit = {
            "kind": CorrectionKind.HAND_EDIT,
            "quote": "",
            "before": "x = compute( a )",
            "after": "x = compute(a)",
            "act": Act("edit", "Edit", path="src/main.py").as_json(),
            "durable": None,
        }
        loop = Loop()
        assert reasons_(loop.give(correction_(1, **edit))) == ["seen once, without words"]
        revision = loop.skill(correction_(2, **edit))
        assert [(line.section, line.text) for line in revision.lines] == [
            ("when", "Writing files like `src/*.py`."),
            ("do", "As the person changed it: `x = compute(a)`"),
            ("do_not", "As it was written: `x = compute( a )`"),
        ]


class TestGate:
    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"durable": False}, "one-off"),
            ({"quote": "", "kind": CorrectionKind.REJECTED}, "no words"),
            ({"quote": "the token is ghp_" + "a1B2" * 9}, "secret"),
            ({"quote": "log in with [redacted:key]"}, "secret"),
            ({"quote": "use make " * 200}, "pasted"),
            ({"quote": "scons doesn't work"}, "not what to do"),
            ({"quote": "das funktioniert nicht"}, "not what to do"),
            ({"quote": "bash: scons: command not found"}, "not what to do"),
            ({"quote": "it still fails"}, "not what to do"),
            ({"quote": "これは動かない"}, "not what to do"),
            ({"quote": 'Traceback (most recent call last):\n  File "x"'}, "pasted error"),
            ({"kind": CorrectionKind.RED_AFTER_DONE}, "unresolved"),
            ({"kind": CorrectionKind.REDO}, "no rule"),
            ({"confidence": 0.3}, "not sure"),
        ],
    )
    def test_what_never_becomes_a_skill_says_why(self, changes: dict[str, Any], why: str) -> None:
        (reason,) = reasons_(Loop().give(correction_(**changes)))
        assert why in reason

    def test_a_complaint_with_a_rule_is_a_rule(self) -> None:
        assert refusal(correction_(quote="scons doesn't work here, build everything with make instead")) == ""
        assert refusal(correction_(quote="Every failing test must be fixed before you go on")) == ""

    def test_retries_of_tools_are_not_even_skipped(self) -> None:
        assert Loop().give(correction_(kind=CorrectionKind.TOOL_RETRY)) == []

    def test_an_uncertain_lesson_waits_for_its_second_time(self) -> None:
        loop = Loop()
        assert reasons_(loop.give(correction_(1, durable=None))) == ["seen once"]
        revision = loop.skill(correction_(2, durable=None))
        do = next(line for line in revision.lines if line.section == "do")
        assert do.correction_ids == (correction_(1).id, correction_(2).id)

    def test_two_acts_put_right_by_one_prompt_are_one_time(self) -> None:
        outputs = Loop().give(
            correction_(1, durable=None), correction_(2, durable=None, reaction_event_id="r1", act_event_id="other")
        )
        assert reasons_(outputs) == ["seen once"]

    def test_the_same_lesson_in_other_words_counts_as_its_second_time(self) -> None:
        loop = Loop()
        loop.give(correction_(1, durable=None, recurrence_key="k1", quote="build with make, please"))
        assert loop.skill(correction_(2, durable=None, recurrence_key="k2", quote="again: build it with make!"))

    def test_projects_and_workspaces_never_mix(self) -> None:
        loop = Loop()
        outputs = loop.give(
            correction_(1, durable=None),
            correction_(2, durable=None, project_id="q"),
            correction_(3, durable=None, workspace_id="w"),
        )
        assert reasons_(outputs) == ["seen once"] * 3

    def test_a_skip_is_not_repeated_until_its_evidence_doubles(self) -> None:
        loop = Loop()
        assert len(loop.give(correction_(1, durable=False))) == 1
        assert len(loop.give(correction_(2, durable=False), correction_(3, durable=False))) == 1
        assert loop.give(correction_(4, durable=False)) == []


class TestMerge:
    def test_the_same_words_again_strengthen_the_line(self) -> None:
        loop = Loop()
        first = loop.skill(correction_(1))
        second = loop.skill(correction_(2))
        assert (second.skill_id, second.version, second.state) == (first.skill_id, 2, SkillState.LIVE)
        assert [line.text for line in second.lines] == [line.text for line in first.lines]
        assert all(len(line.correction_ids) == 2 for line in second.lines)

    def test_other_words_add_a_line_and_leave_the_old_ones(self) -> None:
        loop = Loop()
        first = loop.skill(correction_(1))
        second = loop.skill(correction_(2, quote="and pass -j4 to make so that it uses all cores"))
        assert {line.text for line in first.lines} < {line.text for line in second.lines}
        assert (second.name, second.title, second.trigger) == (first.name, first.title, first.trigger)

    def test_two_lessons_in_one_batch_are_two_skills_with_their_own_names(self) -> None:
        other = correction_(
            2,
            recurrence_key="other",
            quote="no, we build with make here, never with scons!",
            act=Act("shell", "Bash", command="ninja all").as_json(),
        )
        revisions = [one for one in Loop().give(correction_(1), other) if isinstance(one, SkillRevision)]
        assert len({one.skill_id for one in revisions}) == 2
        assert len({one.name for one in revisions}) == 2

    def test_a_persons_file_stays_live_and_untouched_while_more_waits_beside_it(self) -> None:
        loop = Loop()
        first = loop.skill(correction_(1))
        theirs = replace(first, id=correction_(77).id, version=2, body="# Mine\n", drafter="person")
        loop.store.append([theirs])
        beside = loop.skill(correction_(2, quote="and pass -j4 to make so that it uses all cores"))
        assert beside.skill_id != first.skill_id
        assert beside.state is SkillState.REVIEW and first.name in beside.reason
        assert beside.relations == {"adds_to": first.skill_id}
        more = loop.skill(correction_(3, quote="make also needs V=1 in this place"))
        assert (more.skill_id, more.state) == (beside.skill_id, SkillState.REVIEW)

    def test_in_review_mode_what_is_live_stays_live(self) -> None:
        loop = Loop(publish="review")
        first = loop.skill(correction_(1))
        loop.store.append([replace(first, id=correction_(77).id, version=2, state=SkillState.LIVE)])
        beside = loop.skill(correction_(2))
        assert (beside.skill_id != first.skill_id, beside.state) == (True, SkillState.REVIEW)

    def test_a_retired_skill_stays_out_until_the_evidence_doubles(self) -> None:
        loop = Loop()
        first = loop.skill(correction_(1), correction_(2))
        gone = replace(first, id=correction_(77).id, version=2, state=SkillState.RETIRED)
        loop.store.append([gone])
        (reason,) = reasons_(loop.give(correction_(3)))
        assert first.name in reason
        back = loop.skill(correction_(4))
        assert (back.skill_id, back.state) == (first.skill_id, SkillState.REVIEW)


class TestConflict:
    def test_the_opposite_waits_for_review_beside_what_is_live(self) -> None:
        loop = Loop()
        first = loop.skill(correction_(1))
        turned = correction_(
            2,
            quote="stop, use scons for this",
            act=Act("shell", "Bash", command="make archive").as_json(),
            recurrence_key="lesson|shell:make archive|scons",
        )
        outputs = loop.give(turned)
        (revision,) = [one for one in outputs if isinstance(one, SkillRevision)]
        (notice,) = [one for one in outputs if isinstance(one, Notice)]
        assert revision.skill_id != first.skill_id
        assert revision.state is SkillState.REVIEW
        assert notice.about == "conflict" and first.name in notice.text
        assert revision.relations == {"contradicts": first.skill_id}
        more = loop.skill(replace(turned, id=correction_(3).id, reaction_event_id="r3", quote="scons it is, I said"))
        assert (more.skill_id, more.version, more.relations) == (revision.skill_id, 2, revision.relations)

    @pytest.mark.parametrize(
        ("before", "after", "opposite"),
        [
            ("use tabs, not spaces", "use spaces, not tabs", True),
            ("indent Go code with tabs", "Go code uses tabs to indent", False),
            ("use tabs, not spaces", "not spaces please, use tabs", False),
        ],
    )
    def test_two_words_swapped_turn_a_rule_around(self, before: str, after: str, opposite: bool) -> None:
        edit = {"act": Act("edit", "Edit", path="web/page.go").as_json(), "recurrence_key": "lesson|edit:web/*.go|tab"}
        loop = Loop()
        first = loop.skill(correction_(1, quote=before, **edit))
        second = loop.skill(correction_(2, quote=after, **edit))
        assert (second.skill_id != first.skill_id) is opposite
        assert second.state is (SkillState.REVIEW if opposite else SkillState.LIVE)
        third = loop.skill(correction_(3, quote=before, **edit))
        assert third.skill_id == first.skill_id

    @pytest.mark.parametrize(
        ("before", "after", "opposite"),
        [
            ("always squash commits here", "never squash commits here", True),
            ("always use yarn here, never npm", "always use pnpm here, never yarn", True),
            ("Commits immer zusammenfassen", "Commits niemals zusammenfassen", True),
            ("never commit to main", "always commit before a push", False),
            ("always squash commits here", "please always squash the commits", False),
            ("always squash commits here", "why do we never squash commits?", False),
        ],
    )
    def test_the_same_thing_wanted_and_not_wanted_contradicts(self, before: str, after: str, opposite: bool) -> None:
        loop = Loop()
        first = loop.skill(correction_(1, quote=before, act={}, recurrence_key="k1"))
        outputs = loop.give(correction_(2, quote=after, act={}, recurrence_key="k2"))
        conflicts = [one for one in outputs if isinstance(one, Notice) and one.about == "conflict"]
        assert bool(conflicts) is opposite
        if opposite:
            assert first.name in conflicts[0].text

    def test_opposite_rules_of_one_batch_are_not_one_lesson(self) -> None:
        outputs = Loop().give(
            correction_(1, quote="always squash commits", act={}), correction_(2, quote="never squash commits", act={})
        )
        revisions = [one for one in outputs if isinstance(one, SkillRevision)]
        assert [one.state for one in revisions] == [SkillState.LIVE, SkillState.REVIEW]


class TestPublish:
    def test_review_mode_and_homeless_corrections_wait(self) -> None:
        assert Loop(publish="review").skill(correction_()).state is SkillState.REVIEW
        everywhere = Loop().skill(correction_(project_id=""))
        assert (everywhere.state, everywhere.scope) == (SkillState.REVIEW, Scope.USER)

    def test_a_skill_that_would_fire_everywhere_stays_a_draft(self) -> None:
        loop = Loop()
        loop.store.append([prompt_(n, f"build the release archive number {n}") for n in range(15)])
        revision = loop.skill(correction_())
        assert revision.state is SkillState.DRAFT
        assert "other prompts" in revision.reason

    def test_other_work_of_the_project_does_not_hinder_it(self) -> None:
        loop = Loop()
        names = ("login", "avatar", "upload", "invoice", "export", "theme", "search", "parser", "queue", "mail", "font")
        loop.store.append([prompt_(n, f"repair the {name} of the customer page") for n, name in enumerate(names)])
        assert loop.skill(correction_()).state is SkillState.LIVE

    def test_a_skill_that_cannot_fire_at_its_own_moment_stays_a_draft(self) -> None:
        revision = Loop().skill(correction_(task="", act={}, quote="immer make"))
        assert revision.state is SkillState.DRAFT
