"""What a list of corrections holds: what counts by now, and what was judged to be none only if asked for."""

from hivemind_cli.app import reading
from hivemind_cli.core.records import SaidKind
from hivemind_cli.pipeline.judged import PASS_MIN, SHOWN_MIN
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.pipeline.codify_loop import correction_
from tests.pipeline.judging_loop import judgement_

SURE, UNSURE, REFUSED, CONFIRMED = (
    correction_(1),
    correction_(2, confidence=PASS_MIN),
    correction_(3),
    correction_(4, confidence=PASS_MIN),
)


def test_a_list_holds_what_counts_by_now() -> None:
    store = InMemoryStore()
    store.append([SURE, UNSURE, REFUSED, CONFIRMED])
    store.append([judgement_(REFUSED, SaidKind.OTHER), judgement_(CONFIRMED)])
    listed, unsure = reading.corrections(store, limit=9, sure_min=SHOWN_MIN)
    assert ([one.id for one in listed], unsure) == ([CONFIRMED.id, SURE.id], 1)
    everything, _ = reading.corrections(store, limit=9, refused=True)
    assert [one.id for one in everything] == [one.id for one in (CONFIRMED, REFUSED, UNSURE, SURE)]
    assert (everything[0].cause, everything[1].cause) == ("person said: correction", "person said: other")
