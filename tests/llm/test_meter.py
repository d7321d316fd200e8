"""Every call leaves a receipt, the day's caps hold before a call, and a provider that fails is left in peace."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivemind_cli.core import child
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import LLMCall
from hivemind_cli.llm.base import BadAnswer, Busy, Interrupted, Reply, Request
from hivemind_cli.llm.child import run
from hivemind_cli.llm.meter import (
    FAILURES_MAX,
    OK,
    STOPPED,
    CapReached,
    Metered,
    Receipts,
    Resting,
    resting,
    spent_today,
    standing,
)
from hivemind_cli.llm.prices import DEAREST, FREE, Price, price_of, priced, tokens_of
from hivemind_cli.llm.scripted import Answer, Scripted
from hivemind_cli.storage.duckdb import DuckDBStore
from hivemind_cli.storage.inmemory import InMemoryStore
from tests.llm.conftest import SCHEMA

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINE: Answer = {"name": "a"}


class Day:
    """A clock that moves only when told, and a sleep that moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.slept = 0.0

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += timedelta(seconds=seconds)


def _metered(provider: Scripted, store: Receipts, config: LLMConfig | None = None, day: Day | None = None) -> Metered:
    day = day or Day()
    return Metered(provider, store, config or LLMConfig(), day, sleep=day.sleep)


def _receipts(store: InMemoryStore) -> list[LLMCall]:
    return [row.record for row in store.find(LLMCall)]


def _receipt(at: datetime, result: str = OK, **fields: object) -> LLMCall:
    base = LLMCall(
        id=new_id(at), workspace_id="default", occurred_at=at, purpose="codify", provider="scripted", model="m"
    )
    return replace(base, result=result, **fields)  # type: ignore[arg-type]


def test_a_call_leaves_a_receipt_without_its_text(request_: Request) -> None:
    store = InMemoryStore()
    asked = replace(request_, subject="sk_1")
    _metered(Scripted([FINE], cost_usd=0.25), store).complete(asked)
    (receipt,) = _receipts(store)
    assert (receipt.purpose, receipt.provider, receipt.cost_usd, receipt.result) == ("codify", "scripted", 0.25, "ok")
    assert receipt.subject == "sk_1"
    assert len(receipt.prompt_sha256) == 64
    assert request_.prompt not in repr(receipt)


def test_a_failure_leaves_one_too_with_what_it_cost(request_: Request) -> None:
    store = InMemoryStore()
    bad = BadAnswer("It rambled.", spent=Reply(value={}, model="m", tokens_in=9, cost_usd=0.1))
    with pytest.raises(BadAnswer):
        _metered(Scripted([bad]), store).complete(request_)
    (receipt,) = _receipts(store)
    assert (receipt.result, receipt.cost_usd, receipt.tokens_in) == ("It rambled.", 0.1, 9)


def test_what_may_succeed_later_is_paid_too(request_: Request) -> None:
    store = InMemoryStore()
    broken = Interrupted("529", spent=Reply(value={}, model="m", tokens_in=9, cost_usd=0.1))
    _metered(Scripted([broken, FINE], cost_usd=0.2), store).complete(request_)
    assert [receipt.cost_usd for receipt in _receipts(store)] == [0.1, 0.2]


def test_a_program_that_tells_no_tokens_is_given_those_of_its_texts(request_: Request) -> None:
    class Silent(Scripted):
        def complete(self, request: Request) -> Reply:
            return replace(super().complete(request), tokens_in=0, tokens_out=0)

    store = InMemoryStore()
    reply = _metered(Silent([FINE]), store).complete(replace(request_, prompt="x" * 4000))
    (receipt,) = _receipts(store)
    assert 1000 < receipt.tokens_in < 1100 and 0 < receipt.tokens_out < 10
    assert (reply.tokens_in, receipt.cost_usd) == (receipt.tokens_in, 0.0)


def test_what_may_succeed_later_is_tried_once_more_and_nothing_else_is(request_: Request) -> None:
    store, day = InMemoryStore(), Day()
    reply = _metered(Scripted([ProviderUnavailable("busy"), FINE]), store, day=day).complete(request_)
    assert reply.value == {"name": "a"}
    assert [receipt.result for receipt in _receipts(store)] == ["busy", "ok"]
    assert day.slept == 2.0
    refused = Scripted([ProviderError("no"), FINE])
    with pytest.raises(ProviderError):
        _metered(refused, InMemoryStore()).complete(request_)
    assert len(refused.requests) == 1


def test_the_money_cap_stops_calls_before_they_start(request_: Request) -> None:
    store, script = InMemoryStore(), Scripted([FINE, FINE], cost_usd=1.0)
    metered = _metered(script, store, LLMConfig(usd_per_day=0.5))
    metered.complete(request_)
    with pytest.raises(CapReached):
        metered.complete(request_)
    assert len(script.requests) == 1
    assert "usd_per_day" in metered.available()


def test_a_call_that_may_pass_the_wall_is_not_begun(request_: Request) -> None:
    large = replace(request_, tokens_max=4000)  # 4,000 tokens out at the dearest price are $0.20
    script = Scripted([FINE, FINE], cost_usd=0.06)
    metered = _metered(script, InMemoryStore(), LLMConfig(usd_per_day=0.25))
    metered.complete(large)
    with pytest.raises(CapReached, match=r"may cost \$0.20; `llm.usd_per_day` leaves \$0.19") as caught:
        metered.complete(large)
    assert caught.value.fix == "It goes on at 00:00 UTC."
    assert len(script.requests) == 1
    metered.complete(replace(request_, tokens_max=100))


def test_the_price_is_the_models_where_it_is_known(request_: Request) -> None:
    large = replace(request_, tokens_max=4000)
    config = LLMConfig(usd_per_day=0.03)

    def may(price: Price) -> bool:
        metered = Metered(Scripted([FINE]), InMemoryStore(), config, Day(), price=price)
        with suppress(CapReached):
            metered.complete(large)
            return True
        return False

    assert may(price_of("claude-haiku-4-5")) and may(price_of("haiku")) and may(FREE)
    assert not may(price_of("sonnet")) and not may(price_of("unheard-of"))


def test_a_cap_that_no_call_fits_says_to_raise_it(request_: Request) -> None:
    with pytest.raises(CapReached) as caught:
        _metered(Scripted([FINE]), InMemoryStore(), LLMConfig(tokens_per_day=50)).complete(request_)
    assert "`llm.tokens_per_day` leaves 50" in caught.value.why
    assert "Raise it" in caught.value.fix


def test_tokens_have_a_wall_of_their_own(request_: Request) -> None:
    store = InMemoryStore()
    store.append([_receipt(NOON, tokens_in=900, tokens_out=50)])
    with pytest.raises(CapReached, match="leaves 50 for today"):
        _metered(Scripted([FINE]), store, LLMConfig(tokens_per_day=1000)).complete(request_)
    assert spent_today(store, NOON).tokens == 950


def test_the_call_cap_counts_failures_and_is_new_each_day(request_: Request) -> None:
    store, config = InMemoryStore(), LLMConfig(calls_day_max=1)
    with pytest.raises(ProviderError):
        _metered(Scripted([ProviderError("no")]), store, config).complete(request_)
    with pytest.raises(CapReached):
        _metered(Scripted([FINE]), store, config).complete(request_)
    _metered(Scripted([FINE]), store, config, Day(NOON + timedelta(days=1))).complete(request_)


def test_calls_at_the_same_time_do_not_pass_the_cap_together(request_: Request) -> None:
    inside, go = threading.Event(), threading.Event()

    def slow(request: Request) -> Answer:
        inside.set()
        go.wait(5)
        return FINE

    metered = _metered(Scripted([slow, FINE]), InMemoryStore(), LLMConfig(calls_day_max=1))
    other = threading.Thread(target=metered.complete, args=(request_,))
    other.start()
    assert inside.wait(5)
    with pytest.raises(CapReached):
        metered.complete(request_)
    go.set()
    other.join()


def _fail(metered: Metered, request: Request) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        metered.complete(request)
    return caught.value


def test_after_three_failures_in_a_row_it_rests_longer_each_time(request_: Request) -> None:
    store, day = InMemoryStore(), Day()
    script = Scripted([ProviderError("not signed in")] * 9)
    for _ in range(FAILURES_MAX):
        _fail(_metered(script, store, day=day), request_)
    for rest in (timedelta(minutes=15), timedelta(hours=1)):
        for wait in (timedelta(), rest - timedelta(seconds=1)):
            refused = _fail(_metered(script, store, day=Day(day.now + wait)), request_)
            assert isinstance(refused, Resting)
            assert "not signed in" in refused.why and "--retry" in refused.fix
        day.now += rest
        assert not isinstance(_fail(_metered(script, store, day=day), request_), Resting)
    tomorrow = datetime(2026, 3, 2, tzinfo=UTC)
    rest_now = resting(store, "scripted", day.now)
    assert rest_now is not None and rest_now.until == tomorrow
    assert len(script.requests) == FAILURES_MAX + 2
    day.now = tomorrow
    _fail(_metered(script, store, day=day), request_)
    assert isinstance(_fail(_metered(script, store, day=day), request_), Resting)
    assert resting(store, "another", day.now) is None


def test_a_retry_is_the_last_when_the_rest_begins(request_: Request) -> None:
    store, day = InMemoryStore(), Day()
    script = Scripted([ProviderUnavailable("busy")] * 9)
    for _ in range(2):
        _fail(_metered(script, store, day=day), request_)
    assert len(script.requests) == FAILURES_MAX


def test_one_good_answer_ends_the_row(request_: Request) -> None:
    store, day = InMemoryStore(), Day()
    store.append([_receipt(NOON, "no"), _receipt(NOON, "no"), _receipt(NOON), _receipt(NOON, "no")])
    assert resting(store, "scripted", NOON) is None
    _metered(Scripted([FINE]), store, day=day).complete(request_)


def test_a_restart_does_not_forget_the_rest_nor_the_spending(tmp_path: Path, request_: Request) -> None:
    path = tmp_path / "hivemind.duckdb"
    store = DuckDBStore(path, memory_mb=64)
    for _ in range(FAILURES_MAX):
        _fail(_metered(Scripted([ProviderError("no")]), store), request_)
    store.close()
    store = DuckDBStore(path, memory_mb=64)
    assert isinstance(_fail(_metered(Scripted([FINE]), store), request_), Resting)
    assert spent_today(store, NOON).calls == FAILURES_MAX
    store.close()


def test_a_person_can_have_it_asked_once_more(request_: Request) -> None:
    store, day = InMemoryStore(), Day()
    store.append([_receipt(NOON, "no") for _ in range(5)])
    metered = _metered(Scripted([ProviderUnavailable("no"), FINE, FINE]), store, day=day)
    assert isinstance(_fail(metered, request_), Resting)
    metered.wake()
    assert metered.available() == ""
    assert not isinstance(_fail(metered, request_), Resting)
    assert isinstance(_fail(metered, request_), Resting)
    metered.wake()
    for _ in range(2):  # a good answer ends the rest
        metered.complete(request_)


def test_a_short_pause_that_was_asked_for_is_waited_out(request_: Request) -> None:
    day = Day()
    script = Scripted([Busy("429", retry_after_s=4), FINE])
    _metered(script, InMemoryStore(), day=day).complete(request_)
    assert day.slept == 4.0


@pytest.mark.parametrize(
    ("asked_s", "rest"),
    [(90.0, timedelta(seconds=90)), (1e9, timedelta(days=1))],
    ids=["a minute and a half", "thirty years"],
)
def test_a_long_one_is_kept_over_a_restart_within_reason(asked_s: float, rest: timedelta, request_: Request) -> None:
    store, day = InMemoryStore(), Day()
    script = Scripted([Busy("429", why="Slow down.", retry_after_s=asked_s), FINE])
    assert isinstance(_fail(_metered(script, store, day=day), request_), Busy)
    refused = _fail(_metered(script, store, day=Day(NOON + rest - timedelta(seconds=1))), request_)
    assert isinstance(refused, Resting) and "429 Slow down." in refused.why
    _metered(script, store, day=Day(NOON + rest)).complete(request_)
    assert day.slept == 0


def test_a_pause_of_any_length_in_a_providers_words_breaks_nothing(request_: Request) -> None:
    store = InMemoryStore()
    _fail(_metered(Scripted([ProviderError(f"Busy (asked to wait {'9' * 40} s)")]), store), request_)
    rest = resting(store, "scripted", NOON)
    assert rest is not None and rest.until == NOON + timedelta(days=1)


def test_a_clock_that_was_ahead_keeps_nobody_away(request_: Request) -> None:
    store = InMemoryStore()
    store.append([_receipt(NOON + timedelta(days=400), "no") for _ in range(9)])
    assert resting(store, "scripted", NOON) is None
    assert spent_today(store, NOON).calls == 0
    _metered(Scripted([FINE]), store).complete(request_)
    store.append([_receipt(NOON + timedelta(seconds=1), "no") for _ in range(3)])  # of a thread that was quicker
    assert resting(store, "scripted", NOON) is not None


def test_consent_that_is_withdrawn_and_a_cap_that_is_lowered_count_at_once(request_: Request) -> None:
    store, script = InMemoryStore(), Scripted([FINE] * 9)
    held = [LLMConfig(allow=True)]
    metered = Metered(script, store, held[0], Day(), read_config=lambda: held[-1])
    metered.complete(request_)
    changes = {
        "`llm.allow` is no longer true": {"allow": False},
        "`llm.provider` is no longer auto": {"provider": "none"},
        "`llm.calls_day_max` allows": {"calls_day_max": 1},
    }
    for why, change in changes.items():
        held.append(replace(held[0], **change))  # type: ignore[arg-type]
        refused = _fail(metered, request_)
        assert isinstance(refused, CapReached) and why in refused.why
    assert len(script.requests) == len(_receipts(store)) == 1
    held.append(held[0])
    metered.complete(request_)


class _Sleeper:
    """A provider whose program takes very long."""

    name = "sleeper"

    def __init__(self, work: Path, begun: Callable[[], None]) -> None:
        self.work, self.begun = work, begun
        self.calls = 0

    def available(self) -> str:
        return ""

    def complete(self, request: Request) -> Reply:
        self.calls += 1
        self.begun()
        finished = run(["/bin/sleep", "60"], stdin=b"", env={}, cwd=self.work, timeout_s=50)
        raise ProviderUnavailable(f"ended with {finished.code}")


def test_who_ends_hivemind_ends_the_call_under_way_and_no_other_is_begun(tmp_path: Path, request_: Request) -> None:
    store, begun = InMemoryStore(), threading.Event()
    sleeper = _Sleeper(tmp_path / "work", begun.set)
    metered = Metered(sleeper, store, LLMConfig(), lambda: NOON)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            metered.complete(request_)
        except ProviderError as exc:
            failed.append(exc)

    thread = threading.Thread(target=ask)
    thread.start()
    assert begun.wait(5)
    while not child._live:
        thread.join(0.01)
    child.stop_all()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(failed[0], ProviderUnavailable)
    assert "hivemind ends" in _fail(metered, request_).why
    assert sleeper.calls == 1
    assert [receipt.result for receipt in _receipts(store)] == [STOPPED]
    store.append([_receipt(NOON, STOPPED) for _ in range(5)])
    assert resting(store, "scripted", NOON) is None


def test_status_is_told_why_no_call_would_be_begun_and_until_when() -> None:
    store = InMemoryStore()
    assert standing(store, LLMConfig(), "scripted", price_of("haiku"), NOON) is None
    store.append([_receipt(NOON, cost_usd=0.245)])
    wall = standing(store, LLMConfig(), "scripted", price_of("haiku"), NOON)
    assert wall is not None and wall.cap and wall.until == datetime(2026, 3, 2, tzinfo=UTC)
    store.append([_receipt(NOON, "not signed in") for _ in range(3)])
    rest = standing(store, LLMConfig(), "scripted", price_of("haiku"), NOON)
    assert rest is not None and not rest.cap and rest.until == NOON + timedelta(minutes=15)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 3000)), max_size=30),
    st.floats(0.001, 0.2),
    st.integers(1, 20),
)
def test_whatever_is_answered_no_day_passes_its_caps(
    answers: list[tuple[float, bool, int]], usd_per_day: float, calls_day_max: int
) -> None:
    store, config = InMemoryStore(), LLMConfig(usd_per_day=usd_per_day, calls_day_max=calls_day_max)
    for share, useful, prompt in answers:
        asked = Request(purpose="codify", system="", prompt="x" * prompt, schema=SCHEMA, tokens_max=1000)
        most = priced(DEAREST, tokens_of(asked.prompt), asked.tokens_max)
        spent = Reply(value={}, model="m", tokens_in=prompt // 4, tokens_out=1, cost_usd=share * most)
        answer: Answer = BadAnswer("no", spent=spent)
        with suppress(ProviderError):
            _metered(Scripted([FINE] if useful else [answer], cost_usd=share * most), store, config).complete(asked)
    day = spent_today(store, NOON)
    assert day.usd <= usd_per_day + 1e-9
    assert day.calls <= calls_day_max
