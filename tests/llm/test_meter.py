"""Every call leaves a receipt, and the day's caps hold."""

from datetime import UTC, datetime, timedelta

import pytest

from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.records import LLMCall
from hivemind_cli.llm.base import BadAnswer, Reply, Request
from hivemind_cli.llm.meter import CapReached, Metered
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.storage.inmemory import InMemoryStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _metered(provider: Scripted, store: InMemoryStore, config: LLMConfig, now: datetime = NOON) -> Metered:
    return Metered(provider, store, config, lambda: now, sleep=lambda _: None)


def _receipts(store: InMemoryStore) -> list[LLMCall]:
    return [row.record for row in store.find(LLMCall)]


def test_a_call_leaves_a_receipt_without_its_text(request_: Request) -> None:
    store = InMemoryStore()
    _metered(Scripted([{"name": "a"}], cost_usd=0.25), store, LLMConfig()).complete(request_)
    (receipt,) = _receipts(store)
    assert (receipt.purpose, receipt.provider, receipt.cost_usd, receipt.result) == ("codify", "scripted", 0.25, "ok")
    assert len(receipt.prompt_sha256) == 64
    assert request_.prompt not in repr(receipt)


def test_a_failure_leaves_one_too_with_what_it_cost(request_: Request) -> None:
    store = InMemoryStore()
    bad = BadAnswer("It rambled.", spent=Reply(value={}, model="m", cost_usd=0.1))
    with pytest.raises(BadAnswer):
        _metered(Scripted([bad]), store, LLMConfig()).complete(request_)
    (receipt,) = _receipts(store)
    assert (receipt.result, receipt.cost_usd) == ("It rambled.", 0.1)


def test_what_may_succeed_later_is_tried_once_more_and_nothing_else_is(request_: Request) -> None:
    store = InMemoryStore()
    reply = _metered(Scripted([ProviderUnavailable("busy"), {"name": "a"}]), store, LLMConfig()).complete(request_)
    assert reply.value == {"name": "a"}
    assert [receipt.result for receipt in _receipts(store)] == ["busy", "ok"]
    refused = Scripted([ProviderError("no"), {"name": "a"}])
    with pytest.raises(ProviderError):
        _metered(refused, InMemoryStore(), LLMConfig()).complete(request_)
    assert len(refused.requests) == 1


def test_the_money_cap_stops_calls_before_they_start(request_: Request) -> None:
    store, script = InMemoryStore(), Scripted([{"name": "a"}, {"name": "b"}], cost_usd=1.0)
    metered = _metered(script, store, LLMConfig(usd_per_day=0.5))
    metered.complete(request_)
    with pytest.raises(CapReached):
        metered.complete(request_)
    assert len(script.requests) == 1
    assert "usd_per_day" in metered.available()


def test_the_call_cap_counts_failures_and_is_new_each_day(request_: Request) -> None:
    store, config = InMemoryStore(), LLMConfig(calls_day_max=1)
    with pytest.raises(ProviderError):
        _metered(Scripted([ProviderError("no")]), store, config).complete(request_)
    with pytest.raises(CapReached):
        _metered(Scripted([{"name": "a"}]), store, config).complete(request_)
    _metered(Scripted([{"name": "a"}]), store, config, NOON + timedelta(days=1)).complete(request_)
