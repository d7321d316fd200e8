"""A paid answer outlives whoever asked, until what came of it is stored; and no longer."""

import os
import stat
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hivemind_cli.core.clock import system_clock
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ProviderError, StoreError
from hivemind_cli.core.records import LLMCall, Record
from hivemind_cli.llm import kept
from hivemind_cli.llm.base import BadAnswer, Provider, Reply, Request
from hivemind_cli.llm.kept import AGE_S_MAX, Answers
from hivemind_cli.llm.meter import CapReached, Metered, Receipts
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.storage.inmemory import InMemoryStore

FINE = {"name": "a"}


class Died(Exception):
    """What a kill is to whoever waits for the answer."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "answers"


def run(folder: Path, provider: Provider, store: Receipts, model: str = "") -> Metered:
    """A new process's."""
    return Metered(
        provider, store, LLMConfig(calls_day_max=1), answers=Answers(folder), clock=system_clock, model=model
    )


def breaks_off(metered: Metered, *requests: Request) -> None:
    """A batch that asks, and whose outcome is never stored."""
    assert metered._answers is not None
    with pytest.raises(Died), metered._answers.batch():
        for request in requests:
            metered.complete(request)
        raise Died


def again(metered: Metered, request: Request) -> Reply:
    assert metered._answers is not None
    with metered._answers.batch():
        return metered.complete(request)


def test_what_was_answered_before_a_kill_is_not_asked_again(folder: Path, request_: Request) -> None:
    store, script = InMemoryStore(), Scripted([FINE], cost_usd=0.1)
    breaks_off(run(folder, script, store), request_)
    reply = again(run(folder, script, store), request_)  # the day's cap of one call is reached, too
    assert (reply.value, reply.cost_usd) == (FINE, 0.1)
    assert len(script.requests) == 1
    assert store.count(LLMCall) == 1
    assert not list(folder.iterdir())
    with pytest.raises(CapReached):
        again(run(folder, script, store), request_)


def test_a_receipt_that_was_never_stored_is_stored_with_the_answers_use(folder: Path, request_: Request) -> None:
    class Dying(InMemoryStore):
        def append(self, records: Sequence[Record]) -> int:
            raise StoreError("It died.")

    metered = run(folder, Scripted([FINE], cost_usd=0.1), Dying())
    assert metered._answers is not None
    with pytest.raises(StoreError), metered._answers.batch():
        metered.complete(request_)
    store = InMemoryStore()
    for _ in range(2):
        breaks_off(run(folder, Scripted(), store), request_)
    (receipt,) = [row.record for row in store.find(LLMCall)]
    assert (receipt.result, receipt.cost_usd, receipt.purpose) == ("ok", 0.1, "codify")


def test_a_batch_that_ended_leaves_nothing_and_takes_nothing_of_another(folder: Path, request_: Request) -> None:
    other = replace(request_, prompt="another")
    breaks_off(Metered(Scripted([FINE]), InMemoryStore(), LLMConfig(), system_clock, answers=Answers(folder)), other)
    again(run(folder, Scripted([FINE]), InMemoryStore()), request_)
    (left,) = folder.iterdir()
    assert again(run(folder, Scripted(), InMemoryStore()), other).value == FINE
    assert not left.exists()


@pytest.mark.parametrize(
    "change",
    [{"prompt": "x"}, {"system": "x"}, {"tokens_max": 9}, {"schema": {"type": "object"}}, {"purpose": "check"}],
)
def test_another_question_is_asked(folder: Path, request_: Request, change: dict[str, object]) -> None:
    breaks_off(run(folder, Scripted([FINE]), InMemoryStore()), request_)
    script = Scripted([FINE])
    again(run(folder, script, InMemoryStore()), replace(request_, **change))  # type: ignore[arg-type]
    assert len(script.requests) == 1


def test_another_model_is_asked(folder: Path, request_: Request) -> None:
    breaks_off(run(folder, Scripted([FINE]), InMemoryStore(), model="a"), request_)
    script = Scripted([FINE])
    again(run(folder, script, InMemoryStore(), model="b"), request_)
    assert len(script.requests) == 1


@pytest.mark.parametrize("purpose", ["judge", "replay"])
def test_only_what_codify_asks_is_kept(folder: Path, request_: Request, purpose: str) -> None:
    breaks_off(run(folder, Scripted([FINE]), InMemoryStore()), replace(request_, purpose=purpose))
    assert not folder.exists()


def test_outside_a_batch_nothing_is_kept_or_found(folder: Path, request_: Request) -> None:
    run(folder, Scripted([FINE]), InMemoryStore()).complete(request_)
    assert not folder.exists()
    breaks_off(run(folder, Scripted([FINE]), InMemoryStore()), request_)
    with pytest.raises(ProviderError):
        run(folder, Scripted(), InMemoryStore()).complete(request_)


@pytest.mark.parametrize("failure", ["no JSON", BadAnswer("It rambled.", spent=Reply(value={}, model="m"))])
def test_nonsense_is_not_kept(folder: Path, request_: Request, failure: str | Exception) -> None:
    metered = run(folder, Scripted([failure]), InMemoryStore())
    assert metered._answers is not None
    with pytest.raises(ProviderError), metered._answers.batch():
        metered.complete(request_)
    assert not folder.exists()


def test_on_disk_it_is_the_owners_and_holds_no_secret(folder: Path, request_: Request) -> None:
    secret = "ghp_" + "a1B2" * 9
    wide = replace(request_, schema={"type": "object", "properties": {"name": {"type": "string"}}})
    breaks_off(run(folder, Scripted([{"name": f"use {secret}"}]), InMemoryStore()), wide)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    assert request_.prompt not in file.read_text()
    assert "[redacted:" in again(run(folder, Scripted(), InMemoryStore()), wide).value["name"]


def test_forgetting_empties_it_and_closes_the_batch_that_read_what_is_forgotten(
    folder: Path, request_: Request
) -> None:
    breaks_off(run(folder, Scripted([FINE]), InMemoryStore()), replace(request_, prompt="before"))
    metered = run(folder, Scripted([FINE]), InMemoryStore())
    assert metered._answers is not None
    with metered._answers.batch():
        metered._answers.forget()
        assert not list(folder.iterdir())
        metered.complete(request_)
    assert not list(folder.iterdir())


def test_it_is_bounded_in_number_size_and_age(folder: Path, request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ANSWERS_MAX", 3)
    monkeypatch.setattr(kept, "ANSWER_BYTES_MAX", 2000)
    wide = replace(request_, schema={"type": "object"})
    store, clock = InMemoryStore(), system_clock
    long: list[dict[str, str]] = [{"name": "x" * 2000}]
    metered = Metered(Scripted([*[FINE] * 5, *long]), store, LLMConfig(), clock, answers=Answers(folder))
    requests = [replace(wide, prompt=str(number)) for number in range(6)]
    breaks_off(metered, *requests)
    assert len(list(folder.iterdir())) == 3
    old = time.time() - AGE_S_MAX - 1
    for path in folder.iterdir():
        os.utime(path, (old, old))
    (folder / "half.aside").touch()
    breaks_off(metered)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("damage", [b"", b"{", b'{"reply": 1}', b"[]", b"\xff" * 99])
def test_a_damaged_one_is_asked_for_again(folder: Path, request_: Request, damage: bytes) -> None:
    breaks_off(run(folder, Scripted([FINE]), InMemoryStore()), request_)
    (file,) = folder.iterdir()
    file.write_bytes(damage)
    script = Scripted([FINE])
    again(run(folder, script, InMemoryStore()), request_)
    assert len(script.requests) == 1


def test_one_that_does_not_fit_is_asked_for_again(folder: Path, request_: Request) -> None:
    breaks_off(run(folder, Scripted([FINE]), InMemoryStore()), request_)
    (file,) = folder.iterdir()
    file.write_text(file.read_text().replace('"value": {"name": "a"}', '"value": {"name": 5}'))
    script = Scripted([FINE])
    again(run(folder, script, InMemoryStore()), request_)
    assert len(script.requests) == 1


def test_a_full_disk_stops_no_call(folder: Path, request_: Request) -> None:
    folder.parent.mkdir()
    folder.touch()  # no folder can be made there
    metered = run(folder, Scripted([FINE]), InMemoryStore())
    breaks_off(metered, request_)
    Answers(folder).forget()
