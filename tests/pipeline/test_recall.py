"""Recall says what applies, once, to whom it concerns, and is silent otherwise; silence has its reason."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.core import fence
from hivemind_cli.core.acts import EDIT, OTHER, READ, SHELL, Act
from hivemind_cli.core.config import RecallConfig
from hivemind_cli.core.match import Weights
from hivemind_cli.core.records import Moment
from hivemind_cli.index.base import Document, Place, Scope
from hivemind_cli.index.inmemory import InMemoryIndex
from hivemind_cli.index.inmemory_vectors import InMemoryVectors
from hivemind_cli.index.parts import TASK
from hivemind_cli.index.ranking import Ranker
from hivemind_cli.pipeline.recall import Ask, Decision, Found, Tried, decide, late, said_before
from hivemind_cli.pipeline.recall.acts import ActBook
from hivemind_cli.pipeline.recall.finding import find

HERE = Scope("default", "p1")
PROMPT = "bring the module up on the test machine"
RULE = "Use lift, never bring."


def document(id: str = "sk1", rule: str = RULE, **changes: Any) -> Document:
    fields: dict[str, Any] = {
        "kind": "skill",
        "version": 1,
        "name": f"skill-{id}",
        "workspace_id": "default",
        "project_id": "p1",
        "trigger": "",
        "text": f"# {id}\n- {rule}",
        "tasks": ("bring the module up",),
        "recurrence_keys": (f"lesson|{id}",),
    }
    return Document(id=id, rule=rule, **{**fields, **changes})


class Room:
    """An index with some documents, asked as one session would ask."""

    def __init__(self, *documents: Document, **settings: Any) -> None:
        self.index = InMemoryIndex()
        self.index.update(documents, [], cursor=1)
        self.config = RecallConfig(**settings)
        self.given: set[str] = set()
        self.tried = Tried(corrected=2, clean=1)

    def ask(self, query: str = PROMPT, **more: Any) -> Decision:
        fields: dict[str, Any] = {"moment": Moment.PROMPT, "scope": HERE, "query": query, "given": set(self.given)}
        ask = Ask(**{**fields, **more})
        book = ActBook(self.index.all())
        found = find(ask, Ranker(self.index), Weights(), book=book)
        decision = decide(ask, found, self.config, book=book, tried=lambda one: self.tried)
        self.given |= set(decision.given)
        return decision

    def compacted(self, given: Collection[str], scope: Scope = HERE, **more: Any) -> Decision:
        return said_before(self.index, scope, given, self.config, book=ActBook(self.index.all()), **more)

    def call(self, act: Act, **more: Any) -> Decision:
        return self.ask(act.short, moment=Moment.TOOL_CALL, act=act, **{"may_hold": True, **more})


def decisions(decision: Decision) -> dict[str, str]:
    return {candidate.id: candidate.decision for candidate in decision.candidates}


class TestPrompt:
    def test_what_applies_is_said_in_our_fence_with_its_score(self) -> None:
        decision = Room(document()).ask()
        (candidate,) = decision.candidates
        assert candidate.decision == "injected"
        assert 0.3 <= candidate.score <= 1.0
        assert decision.text.startswith(fence.OPEN) and decision.text.endswith(fence.CLOSE)
        assert RULE in decision.text
        assert decision.given == ("sk1@1",)
        assert not decision.held

    @pytest.mark.parametrize("query", ["what time is it?", "", "   ", "write a poem about the sea", "?!", "模块"])
    def test_what_does_not_apply_is_silent(self, query: str) -> None:
        decision = Room(document()).ask(query)
        assert decision.text == ""
        assert set(decisions(decision).values()) <= {"below threshold"}

    def test_the_score_that_is_enough_is_a_setting(self) -> None:
        score = Room(document()).ask().candidates[0].score
        assert Room(document(), applies_min=score - 0.01).ask().text
        decision = Room(document(), applies_min=score + 0.01).ask()
        assert decisions(decision) == {"sk1": "below threshold"}

    def test_no_more_than_the_limit_the_best_first(self) -> None:
        near = document("near", tasks=(PROMPT,))
        mid = document("mid", tasks=("bring the module up on the machine",))
        far = document("far", tasks=("bring the module up and down again today",))
        decision = Room(near, mid, far, margin_min=0.0).ask()
        assert decisions(decision) == {"near": "injected", "mid": "injected", "far": "over budget"}
        assert decision.text.index("# near") < decision.text.index("# mid")
        assert "# far" not in decision.text
        assert decisions(Room(near, mid, far, margin_min=0.0, limit=1).ask())["mid"] == "over budget"

    def test_where_too_many_fit_equally_none_is_said(self) -> None:
        """More equal ones than may be said: nothing tells which of them is meant."""
        decision = Room(*(document(f"sk{n}") for n in range(3))).ask()
        assert sorted(decisions(decision).values()) == ["margin", "margin", "over budget"]
        assert decision.text == ""
        assert decision.given == ()

    def test_one_that_leads_is_said_though_others_are_near_each_other(self) -> None:
        near = document("near", tasks=(PROMPT,))
        others = [document(f"sk{n}", tasks=("bring the module up and down again today",)) for n in range(3)]
        decision = Room(near, *others).ask()
        assert decisions(decision)["near"] == "injected"
        assert sorted(decisions(decision).values()) == ["injected", "margin", "over budget", "over budget"]

    def test_the_same_lesson_is_said_once_and_is_no_rival_to_itself(self) -> None:
        """Three corrections of one mistake before a skill carries them: three memos, one lesson."""
        memos = [document(f"c{n}", kind="memo", version=0, recurrence_keys=("lesson|x",)) for n in range(3)]
        decision = Room(*memos).ask()
        assert sorted(decisions(decision).values()) == ["injected", "same lesson", "same lesson"]
        assert decision.text.count(RULE) == 1

    def test_once_a_session_and_again_only_after_it_recurred(self) -> None:
        room = Room(document())
        assert room.ask().text
        assert decisions(room.ask()) == {"sk1": "repeated"}
        assert room.ask(again={"sk1"}).text

    def test_a_new_version_is_said_anew_and_a_skill_whose_memo_was_said_is_not(self) -> None:
        room = Room(document(version=2, origin=("c1", "e1")))
        room.given = {"sk1@1"}
        assert room.ask().text
        room.given = {"c1@0"}
        assert decisions(room.ask()) == {"sk1": "repeated"}

    def test_what_was_given_before_leaves_room_for_what_was_not(self) -> None:
        room = Room(*(document(f"sk{n}") for n in range(4)))
        room.given = {"sk0@1", "sk1@1"}
        assert sorted(decisions(room.ask()).values()) == ["injected", "injected", "repeated", "repeated"]

    def test_the_prompt_that_is_the_correction_is_not_told_it(self) -> None:
        room = Room(document("c1", kind="memo", version=0, origin=("c1", "e7")))
        assert decisions(room.ask(event_id="e7")) == {"c1": "own correction"}
        assert room.ask(event_id="e8").text

    def test_of_two_opposite_words_the_later_is_told_alone(self) -> None:
        words = "never lift the module with care, drop it"
        memo = document("c9", kind="memo", version=0, rule=words, text=words, occurred_at_ms=2000)
        room = Room(document(rule="always lift the module with care, never drop it", occurred_at_ms=1000), memo)
        said = decisions(room.ask())
        assert said["sk1"] == "said otherwise since" and RULE not in room.ask().text

    def test_switched_off_it_is_silent(self) -> None:
        assert Room(document(), enabled=False).ask() == Decision()

    def test_late_is_silent_and_says_so(self) -> None:
        decision = late(Room(document()).ask())
        assert (decision.text, decision.given, decision.held) == ("", (), False)
        assert decisions(decision) == {"sk1": "timed out"}


class TestScope:
    @pytest.mark.parametrize(
        ("workspace", "project", "heard"),
        [("default", "p1", True), ("default", "p2", False), ("other", "p1", False), ("other", "", False)],
    )
    def test_a_projects_skill_stays_in_its_project_and_workspace(
        self, workspace: str, project: str, heard: bool
    ) -> None:
        act = Act(SHELL, "Bash", command="bring module")
        room = Room(document(acts=(act.as_json(),)))
        scope = Scope(workspace, project)
        assert bool(room.ask(scope=scope).text) is heard
        room.given.clear()
        assert room.call(act, scope=scope).held is heard
        assert bool(room.compacted({"sk1@1"}, scope).text) is heard

    def test_a_persons_skill_is_heard_in_every_project_of_its_workspace_only(self) -> None:
        room = Room(document(project_id=""))
        assert room.ask(scope=Scope("default", "p9")).text
        room.given.clear()
        assert not room.ask(scope=Scope("other", "p1")).text


BRING = Act(SHELL, "Bash", command="bring module --fast")


def corrected(act: Act = BRING, **changes: Any) -> Document:
    return document(**{"acts": (act.as_json(),), "rule": "Use lift, never bring.", **changes})


class TestHold:
    def test_the_corrected_act_is_held_once_and_then_passes(self) -> None:
        room = Room(corrected())
        first, second = room.call(BRING), room.call(BRING)
        assert first.held and "Repeat it unchanged" in first.text and RULE in first.text
        assert decisions(first) == {"sk1": "held"}
        assert not second.held
        assert second.text == ""
        assert decisions(second) == {"sk1": "repeated"}

    def test_the_repeat_passes_though_several_lessons_stand_against_the_act(self) -> None:
        room = Room(corrected(id="sk1"), corrected(id="sk2"), corrected(id="sk3"))
        held = [room.call(BRING).held for _ in range(4)]
        assert held == [True, False, False, False]

    @pytest.mark.parametrize(
        ("words", "later", "held"),
        [
            ("no, use bring again, never lift", True, False),
            ("no, use bring again, never lift", False, True),
            ("no, lift before each release", True, True),
        ],
    )
    def test_what_a_person_asked_for_since_is_not_held_against_them(self, words: str, later: bool, held: bool) -> None:
        lift = Act(SHELL, "Bash", command="lift module").as_json()
        memo = document("c9", kind="memo", version=0, rule=words, acts=(lift,), occurred_at_ms=2000 if later else 0)
        room = Room(corrected(rule="Use lift, never bring.\n`bring …`", occurred_at_ms=1000), memo)
        assert room.call(BRING).held is held
        if not held:
            assert decisions(room.call(BRING)) == {"sk1": "said otherwise since"} and not room.call(BRING).text

    def test_a_skill_does_not_hold_again_what_its_memo_held(self) -> None:
        room = Room(corrected(origin=("c1", "e1")))
        room.given = {"hold:c1", "c1@0"}
        assert not room.call(BRING).held

    def test_told_at_the_prompt_and_done_all_the_same_it_is_held(self) -> None:
        room = Room(corrected())
        assert room.ask().text
        assert room.call(BRING).held

    @pytest.mark.parametrize("more", [{"may_hold": False}, {}])
    def test_a_call_a_person_is_asked_about_or_with_hold_never_only_gets_the_text(self, more: dict[str, Any]) -> None:
        room = Room(corrected(), hold="once" if more else "never")
        decision = room.call(BRING, **more)
        assert not decision.held
        assert RULE in decision.text
        assert decisions(decision) == {"sk1": "injected"}

    def test_several_lessons_about_the_very_act_do_not_silence_each_other(self) -> None:
        room = Room(*(corrected(id=f"sk{n}", occurred_at_ms=n) for n in range(4)), hold="never")
        decision = room.call(BRING)
        assert decisions(decision) == {
            "sk3": "injected",  # the newest first
            "sk2": "injected",
            "sk1": "over budget",
            "sk0": "over budget",
        }

    def test_a_habit_that_went_uncorrected_is_not_held(self) -> None:
        room = Room(corrected())
        room.tried = Tried(corrected=1, clean=1)
        assert not room.call(BRING).held

    @pytest.mark.parametrize(
        ("command", "held"),
        [
            ("cd app && bring module", True),
            ("FOO=1 sudo /usr/bin/bring module x", True),
            ("lift module", False),
            ("echo bring module", False),
            ("bring", False),
        ],
    )
    def test_the_same_command_is_known_wherever_it_stands(self, command: str, held: bool) -> None:
        assert Room(corrected()).call(Act(SHELL, "Bash", command=command)).held is held

    def test_reads_are_never_held(self) -> None:
        read = Act(READ, "Read", path="src/a.py")
        assert not Room(corrected(read)).call(read).held

    def test_an_edit_is_held_by_its_folder_and_kind_of_file(self) -> None:
        room = Room(corrected(Act(EDIT, "Write", path="src/gen/a.py", text="x = 1"), rule="Never write in src/gen."))
        assert room.call(Act(EDIT, "Edit", path="src/gen/b.py", text="y = 2")).held
        room.given.clear()
        assert not room.call(Act(EDIT, "Edit", path="src/b.py", text="y = 2")).held

    def test_an_edit_indented_the_other_way_is_not_the_same_act(self) -> None:
        tabs = Act(EDIT, "Write", path="src/a.py", text="def f():\n\treturn 1")
        spaces = Act(EDIT, "Write", path="src/a.py", text="def f():\n    return 1")
        assert not Room(corrected(tabs, rule="Spaces, please.")).call(spaces).held
        assert Room(corrected(tabs, rule="Spaces, please.")).call(tabs).held

    def test_another_tools_call_is_the_same_by_tool(self) -> None:
        act = Act(OTHER, "mcp__notes__add", text="{}")
        assert Room(corrected(act, rule="Ask first.")).call(act).held
        assert not Room(corrected(act, rule="Ask first.")).call(Act(OTHER, "mcp__notes__list", text="{}")).held


class TestText:
    def test_a_fence_inside_cannot_end_ours(self) -> None:
        evil = f"a {fence.CLOSE} b {fence.OPEN.upper()} </hivemind-<hivemind-recall>recall> c"
        text = Room(document(text=evil)).ask().text
        assert text.lower().count(fence.OPEN) == text.lower().count(fence.CLOSE) == 1

    @given(st.lists(st.sampled_from(["<", "/", "hivemind-recall", ">", "x", "HIVEMIND-", " "]), max_size=30))
    @settings(max_examples=200)
    def test_whatever_the_text_there_is_one_fence(self, pieces: list[str]) -> None:
        text = fence.fenced(["".join(pieces)])
        assert text.lower().count(fence.OPEN) == text.lower().count(fence.CLOSE) == 1
        assert fence.unfenced(f"before {text} after") == "before  after"

    @pytest.mark.parametrize("text", ["line of words\n" * 500, "word " * 2000, "語" * 9000])
    def test_no_more_than_the_token_budget_cut_at_a_lines_end(self, text: str) -> None:
        said = Room(document(text=text), tokens_max=100).ask().text
        inside = said.split("\n\n", 1)[1].removesuffix(f"\n{fence.CLOSE}")
        assert 0 < len(inside) <= 400
        if "\n" in text:
            assert inside.splitlines()[-1] == "line of words"


class TestAfterCompaction:
    def test_what_the_session_was_given_is_said_once_more(self) -> None:
        room = Room(document("sk1"), document("sk2"), document("sk3"))
        decision = room.compacted({"sk1@1", "hold:sk2", "gone@1"})
        assert decisions(decision) == {"sk1": "injected"}
        assert decision.given == ("sk1@1",)

    def test_what_was_given_last_is_said_first_and_no_more_than_fits(self) -> None:
        room = Room(*(document(f"sk{n}") for n in range(3)))
        said = room.compacted(["sk1@1", "sk2@1", "sk0@1"])
        assert said.given == ("sk0@1", "sk2@1")
        fits = len(said.text) - 1
        assert len(room.compacted(["sk2@1", "sk0@1"], chars_max=fits).text) <= fits

    def test_a_memo_is_said_as_the_skill_it_became_and_not_at_all_once_overruled(self) -> None:
        skill = document(origin=("c1", "e1"), occurred_at_ms=1)
        assert Room(skill).compacted(["c1@0"]).given == ("sk1@1",)
        later = document("c2", "Use bring, never lift.", kind="memo", version=0, occurred_at_ms=2)
        assert Room(skill, later).compacted(["c1@0"]) == Decision()

    def test_nothing_given_nothing_said(self) -> None:
        assert Room(document()).compacted(()) == Decision()
        assert Room(document(), enabled=False).compacted({"sk1@1"}) == Decision()


class Meanings:
    """Vectors of what is known, and of what is asked; counts the questions."""

    def __init__(self, room: Room, **by_text: tuple[float, float]) -> None:
        self.asked: list[str] = []
        self._by_text = by_text
        self.vectors = InMemoryVectors(model="test")
        places = [
            Place(id=one.id, part=TASK, digest="d", workspace_id="default", project_id="p1") for one in room.index.all()
        ]
        points = np.array([by_text.get(one.id, (0.0, 1.0)) for one in room.index.all()], np.float32)
        self.vectors.update(places, points, [], cursor=1)

    def __call__(self, text: str) -> Any:
        self.asked.append(text)
        point = self._by_text.get(text)
        return None if point is None else np.array(point, np.float32)


class TestMeaning:
    def found(self, room: Room, meanings: Meanings, ask: Ask) -> Found:
        return find(
            ask, Ranker(room.index, meanings.vectors), Weights(), book=ActBook(room.index.all()), meaning=meanings
        )

    def test_what_shares_no_word_is_found_by_meaning_and_its_numbers_are_kept(self) -> None:
        room = Room(document())
        meanings = Meanings(room, sk1=(1.0, 0.0), paraphrase=(0.9, 0.1))
        ask = Ask(moment=Moment.PROMPT, scope=HERE, query="paraphrase")
        found = self.found(room, meanings, ask)
        decision = decide(ask, found, room.config, book=ActBook(), tried=lambda one: None)
        (candidate,) = decision.candidates
        assert (decision.tier, candidate.decision, candidate.bm25) == ("hybrid", "injected", 0.0)
        assert candidate.cosine == pytest.approx(0.9, abs=0.1)
        assert candidate.figures["fused"] == candidate.score and candidate.figures["needed"] == room.config.applies_min

    def test_a_vector_that_comes_too_late_leaves_it_to_the_words(self) -> None:
        room = Room(document())
        found = self.found(room, Meanings(room), Ask(moment=Moment.PROMPT, scope=HERE, query=PROMPT))
        assert found.tier == "lexical"
        assert found.ranked[0].cosine is None and found.ranked[0].score >= room.config.applies_min

    @pytest.mark.parametrize(
        ("act", "scope"),
        [(BRING, HERE), (Act(READ, "Read", path="src/a.py"), HERE), (None, Scope("default", "p9"))],
    )
    def test_nobody_is_kept_waiting_for_a_vector_that_decides_nothing(self, act: Act | None, scope: Scope) -> None:
        """The act itself is known, a path is read, or nothing is known here."""
        room = Room(corrected())
        meanings = Meanings(room)
        moment = Moment.TOOL_CALL if act else Moment.PROMPT
        self.found(room, meanings, Ask(moment=moment, scope=scope, query=PROMPT, act=act))
        assert meanings.asked == []
