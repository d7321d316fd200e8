"""Which turns a person is asked about, what a label does, and what the labels measure."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from hivemind_cli.app import labelling
from hivemind_cli.app.labelling import PICKED, SAMPLED, Scope, Waiting
from hivemind_cli.app.own_figures import own_figures
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.records import Correction, Event, Judgement, Project, SaidKind
from hivemind_cli.pipeline import judged
from hivemind_cli.pipeline.detect import Detect, turn_at
from hivemind_cli.pipeline.judged import effective, is_called, refused
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.session import START, Session

NOW = START + timedelta(days=1)
ALL = Scope()
PLAIN = "and now the same for the other page"
CLEAR = "no, never bring here, always use lift"
MISSED = "and then the page after that one, too"
"""A correction, should a person say so; no detector would."""


class History:
    """Sessions of a person, and their labels."""

    def __init__(self) -> None:
        self.store = InMemoryStore()
        self.detect = Detect()
        self.sessions = 0
        self.minutes = 0

    def talk(self, *turns: str, project: str = "p1", unseen: bool = False) -> list[Event]:
        """One session; its first prompt is a task. The turns after it. `unseen`: detect has not run."""
        self.sessions += 1
        session = Session(self.store, f"s{self.sessions}", project=project, at=START + timedelta(hours=self.sessions))
        session.says("bring the module up")
        said = []
        for text in turns:
            session.runs("bring module")
            session.replies("Brought it up.")
            said.append(session.says(text))
        if not unseen:
            session.corrections()
        return said

    def label(
        self, event: Event, said: SaidKind = SaidKind.CORRECTION, *, durable: bool | None = None, reason: str = PICKED
    ) -> Judgement:
        self.minutes += 1
        now = NOW + timedelta(minutes=self.minutes)
        return labelling.label(self.store, self.detect, event.id, said, durable=durable, reason=reason, now=now)

    def queue(self, scope: Scope = ALL, sample: int = 50, all_turns: bool = False) -> labelling.Queue:
        return labelling.queue(self.store, scope, sample=sample, all_turns=all_turns, now=NOW)

    def corrections(self) -> list[Correction]:
        return effective(self.store, [row.record for row in self.store.find(Correction)])

    def make_unsure(self, event: Event, confidence: float) -> None:
        """As a detector that is not sure would have recorded it."""
        turn = turn_at(event.id, self.store)
        assert turn
        self.store.append([replace(turn.read, confidence=confidence)])


@pytest.fixture
def history() -> History:
    return History()


# what is asked about


def test_first_prompts_and_commands_are_no_answers_to_an_agent(history: History) -> None:
    (event,) = history.talk(PLAIN)
    assert history.queue().turns == [Waiting(event.id, True)]


def test_the_random_order_has_nothing_to_do_with_what_was_said(history: History) -> None:
    events = history.talk(*[f"{PLAIN} {n}" for n in range(30)])
    drawn = [one.event_id for one in history.queue(sample=10).turns]
    assert len(drawn) == 10
    assert drawn != [event.id for event in events][:10]
    assert drawn == [one.event_id for one in history.queue(sample=20).turns][:10]


def test_the_unsure_come_by_turns_with_the_random_and_the_least_sure_first(history: History) -> None:
    events = history.talk(*[f"{PLAIN} {n}" for n in range(12)], unseen=True)
    drawn = {one.event_id for one in history.queue(sample=3).turns}
    others = [event for event in events if event.id not in drawn]
    history.make_unsure(others[0], judged.PASS_MIN)
    history.make_unsure(others[1], judged.CORRECTION_MIN)
    history.make_unsure(others[2], judged.PASS_MIN / 2)
    turns = history.queue(sample=3).turns
    assert [one.sampled for one in turns] == [False, True, False, True, True]
    assert [one.event_id for one in turns if not one.sampled] == [others[1].id, others[0].id]


def test_it_goes_on_where_it_stopped(history: History) -> None:
    history.talk(*[f"{PLAIN} {n}" for n in range(6)])
    before = history.queue()
    for waiting in before.turns[:2]:
        history.label(history.store.find(Event, id=waiting.event_id)[0].record, SaidKind.APPROVAL, reason=SAMPLED)
    after = history.queue()
    assert after.turns == before.turns[2:]
    assert (after.labelled, after.sample, after.sample_left) == (2, 6, 4)


def test_what_was_skipped_is_not_asked_again_and_what_was_taken_back_is(history: History) -> None:
    first, second = history.talk(PLAIN, f"{PLAIN} again")
    history.label(first, SaidKind.UNKNOWN)
    history.label(second, SaidKind.APPROVAL)
    assert history.queue().turns == []
    history.label(second, SaidKind.UNKNOWN, reason=judged.TAKEN_BACK)
    assert history.queue().turns == [Waiting(second.id, True)]


def test_a_label_given_before_its_turn_is_drawn_counts_for_the_sample(history: History) -> None:
    event, _ = history.talk(PLAIN, f"{PLAIN} again")
    history.label(event, SaidKind.APPROVAL)
    assert own_figures(history.store, ALL).n == 0
    assert [one.event_id for one in history.queue().turns] != [event.id]
    assert own_figures(history.store, ALL).n == 1
    history.queue()
    assert history.store.count(Judgement) == 2


def test_every_turn_in_order(history: History) -> None:
    events = [*history.talk(PLAIN, CLEAR), *history.talk(PLAIN)]
    assert history.queue(all_turns=True).turns == [Waiting(event.id, False) for event in events]


def test_a_scope_bounds_what_is_asked(history: History) -> None:
    (first,) = history.talk(PLAIN)
    (second,) = history.talk(PLAIN, project="p2")
    shop = Project(
        id="x", workspace_id="default", project_id="p2", name="shop", root="/s", remote="", occurred_at=START
    )
    history.store.append([shop])

    def asked(scope: Scope) -> list[str]:
        return [one.event_id for one in history.queue(scope).turns]

    assert asked(Scope(project="shop")) == asked(Scope(session="s2")) == [second.id]
    assert asked(Scope(since=first.occurred_at + timedelta(minutes=1))) == [second.id]
    with pytest.raises(HivemindError, match="shopp") as caught:
        asked(Scope(project="shopp"))
    assert "'shop'" in caught.value.why


def test_a_turn_is_shown_with_what_the_agent_did_and_without_our_opinion(history: History) -> None:
    (event,) = history.talk(CLEAR)
    shown = labelling.show(history.store, event.id)
    assert shown
    assert (shown.did, shown.replied, shown.said) == (["Bash: bring module"], "Brought it up.", CLEAR)
    assert not {"confidence", "durable", "cause"} & set(shown.__slots__)
    assert labelling.show(history.store, "gone") is None


# what a label does


def test_a_yes_where_nothing_was_noticed_makes_a_correction(history: History) -> None:
    (event,) = history.talk(MISSED, unseen=True)
    history.label(event, durable=True)
    (found,) = history.corrections()
    assert (found.quote, found.confidence, found.durable) == (MISSED, 1.0, True)
    assert found.recurrence_key
    history.label(event)
    assert len(history.corrections()) == 1


def test_taking_that_yes_back_leaves_a_candidate_that_nobody_is_shown(history: History) -> None:
    (event,) = history.talk(MISSED, unseen=True)
    history.label(event)
    history.label(event, SaidKind.UNKNOWN, reason=judged.TAKEN_BACK)
    (found,) = history.corrections()
    assert not is_called(found)


def test_a_no_counts_at_once(history: History) -> None:
    (event,) = history.talk(CLEAR)
    assert is_called(history.corrections()[0])
    judgement = history.label(event, SaidKind.NEW_REQUEST)
    assert judgement.correction_id == history.corrections()[0].id
    assert refused(history.corrections()[0])


def test_what_does_not_correct_does_not_last(history: History) -> None:
    (event,) = history.talk(PLAIN)
    assert history.label(event, SaidKind.QUESTION, durable=True).durable is None


def test_a_turn_that_is_not_there_cannot_be_labelled(history: History) -> None:
    with pytest.raises(HivemindError, match="no turn 'x'") as caught:
        labelling.label(history.store, history.detect, "x", SaidKind.OTHER, durable=None, reason=PICKED, now=NOW)
    assert caught.value.fix


# what the labels measure


def test_figures_are_of_the_random_part_alone(history: History) -> None:
    found, missed, quiet = history.talk(CLEAR, MISSED, PLAIN)
    history.label(found, durable=True, reason=SAMPLED)
    history.label(missed, durable=False, reason=SAMPLED)
    history.label(quiet, SaidKind.NEW_REQUEST, reason=SAMPLED)
    (alarm,) = history.talk(CLEAR)
    history.label(alarm, SaidKind.OTHER, reason=PICKED)
    figures = own_figures(history.store, ALL)
    assert (figures.n, figures.chosen) == (3, 1)
    assert (figures.strict.precision.k, figures.strict.precision.n) == (1, 1)
    assert (figures.strict.recall.k, figures.strict.recall.n) == (1, 2)
    assert figures.strict.f1 == pytest.approx(2 / 3)
    assert figures.strict.f1_interval is not None
    assert (figures.durable.recall.k, figures.durable.recall.n) == (1, 1)
    assert sum(each.were.n for each in figures.calibration) == 3
    low, high = figures.strict.recall.interval
    assert 0 < low < 0.5 < high < 1


def test_the_correction_that_a_label_made_is_still_one_that_was_missed(history: History) -> None:
    (event,) = history.talk(MISSED, unseen=True)
    history.label(event, reason=SAMPLED)
    assert own_figures(history.store, ALL).strict.recall.k == 0


def test_a_failure_report_is_pushback_and_no_correction(history: History) -> None:
    (event,) = history.talk("hm, it stays empty")
    history.label(event, SaidKind.FAILURE_REPORT, reason=SAMPLED)
    figures = own_figures(history.store, ALL)
    assert (figures.strict.recall.n, figures.pushback.recall.n) == (0, 1)


def test_without_labels_nothing_is_claimed(history: History) -> None:
    figures = own_figures(history.store, ALL)
    assert (figures.n, figures.strict.f1, figures.strict.f1_interval) == (0, None, None)
    assert figures.strict.precision.interval == (0.0, 1.0)


def test_an_export_says_what_bench_reads(history: History) -> None:
    first, second, third = history.talk(CLEAR, PLAIN, "skipped, this one")
    history.label(first, durable=True, reason=SAMPLED)
    history.label(second, SaidKind.NEW_REQUEST)
    history.label(third, SaidKind.UNKNOWN)
    rows = labelling.exported(history.store, ALL)
    assert json.loads(json.dumps(rows)) == [
        {
            "id": first.id,
            "prev_assistant": "Bash: bring module\nBrought it up.",
            "user": CLEAR,
            "label": "correction",
            "durable": True,
            "sample": "natural",
        },
        {
            "id": second.id,
            "prev_assistant": "Bash: bring module\nBrought it up.",
            "user": PLAIN,
            "label": "new_request",
            "durable": None,
            "sample": "chosen",
        },
    ]
