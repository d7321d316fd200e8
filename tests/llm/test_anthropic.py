"""The anthropic provider against a real HTTP server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.llm.anthropic import Anthropic, retry_after_s
from hivemind_cli.llm.base import BadAnswer, Busy, Request
from hivemind_cli.llm.prices import MODEL, cost_usd
from hivemind_cli.llm.worker import InWorker
from tests.llm.conftest import Api

pytest.importorskip("anthropic")
KEY = "key-for-tests-7f3a"


def test_the_request_is_structured_cached_and_carries_the_key(api: Api, request_: Request) -> None:
    reply = Anthropic(key=KEY, base_url=api.url).complete(request_)
    (asked,) = api.asked
    assert asked["model"] == MODEL == "claude-haiku-4-5"
    assert asked["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert asked["messages"] == [{"role": "user", "content": request_.prompt}]
    wanted = asked["output_config"]["format"]
    assert wanted["type"] == "json_schema"
    assert wanted["schema"]["properties"]["name"] == {"type": "string"}  # lengths are ours to check
    assert any(value.endswith(KEY) for value in api.headers[0].values())
    assert (reply.tokens_in, reply.tokens_out) == (1500, 200)
    assert reply.cost_usd == pytest.approx((1000 + 1.25 * 400 + 0.1 * 100) * 1e-6 + 200 * 5e-6)


@pytest.mark.parametrize(
    ("status", "later"),
    [(429, True), (500, True), (503, True), (529, True), (408, True), (400, False), (401, False), (404, False)],
)
def test_only_what_may_pass_is_called_unavailable(api: Api, request_: Request, status: int, later: bool) -> None:
    api.status = status
    with pytest.raises(ProviderError) as caught:
        Anthropic(key=KEY, base_url=api.url).complete(request_)
    assert isinstance(caught.value, ProviderUnavailable) is later
    assert KEY not in str(caught.value)
    assert len(api.asked) == 1  # retrying has one place, and it is not here


def test_a_server_that_hangs_or_is_gone_is_unavailable(api: Api, request_: Request) -> None:
    api.hang = True
    with pytest.raises(ProviderUnavailable):
        Anthropic(key=KEY, base_url=api.url, timeout_s=0.2).complete(request_)
    with pytest.raises(ProviderUnavailable):
        Anthropic(key=KEY, base_url="http://127.0.0.1:9", timeout_s=1).complete(request_)


@pytest.mark.parametrize("reason", ["refusal", "max_tokens"])
def test_a_refusal_and_a_cut_answer_are_errors(api: Api, request_: Request, reason: str) -> None:
    api.stop_reason = reason
    with pytest.raises(ProviderError):
        Anthropic(key=KEY, base_url=api.url).complete(request_)


@pytest.mark.parametrize("body", [b"<html>captive portal</html>", b"{}", b"[1]", b'"x"', b""])
def test_a_body_that_is_no_message_is_an_error(api: Api, request_: Request, body: bytes) -> None:
    api.body = body
    with pytest.raises(ProviderError):
        Anthropic(key=KEY, base_url=api.url).complete(request_)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": -(10**9), "output_tokens": -5}, (0, 0)),
        ({"input_tokens": None, "output_tokens": "many"}, (0, 0)),
        ({"input_tokens": 10, "cache_read_input_tokens": -20}, (10, 0)),
    ],
)
def test_no_bill_is_below_nothing(
    api: Api, request_: Request, usage: dict[str, object], tokens: tuple[int, int]
) -> None:
    api.body = json.dumps({**json.loads(api.message()), "usage": usage}).encode()
    reply = Anthropic(key=KEY, base_url=api.url).complete(request_)
    assert (reply.tokens_in, reply.tokens_out) == tokens
    assert reply.cost_usd == pytest.approx(tokens[0] * 1e-6)


@pytest.mark.parametrize("content", [["words"], [{"type": "text", "text": None}], [{}], [None]])
def test_content_of_a_strange_form_is_an_answer_of_no_use(api: Api, request_: Request, content: list[object]) -> None:
    api.body = json.dumps({**json.loads(api.message()), "content": content}).encode()
    with pytest.raises(BadAnswer) as caught:
        Anthropic(key=KEY, base_url=api.url).complete(request_)
    assert caught.value.spent.tokens_in == 1500


def test_a_service_that_repeats_the_key_does_not_make_us_repeat_it(api: Api, request_: Request) -> None:
    api.status = 400
    api.body = json.dumps({"type": "error", "error": {"type": "x", "message": f"bad {KEY} here"}}).encode()
    with pytest.raises(ProviderError, match=r"bad \[key\] here"):
        Anthropic(key=KEY, base_url=api.url).complete(request_)


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(Anthropic(key=KEY))


def test_an_unknown_model_is_reckoned_at_the_dearest_price() -> None:
    dear = cost_usd("brand-new", fresh=1000, written=0, read=0, out=1000)
    assert dear >= max(cost_usd(name, fresh=1000, written=0, read=0, out=1000) for name in (MODEL, "claude-opus-4-5"))


def test_the_worker_asks_for_us_without_the_sdk_here(api: Api, tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from hivemind_cli.llm.base import Busy, Request
from hivemind_cli.llm.prices import MODEL, cost_usd
from hivemind_cli.llm.worker import InWorker
options = {{"key": "{KEY}", "base_url": "{api.url}"}}
worker = InWorker("anthropic", options=options, env={dict(os.environ)!r}, work=Path({str(tmp_path)!r}))
schema = {{"type": "object", "properties": {{"name": {{"type": "string"}}}}, "required": ["name"]}}
print(worker.complete(Request(purpose="p", system="s", prompt="q", schema=schema)).value, "anthropic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'name': 'it'} False"


@pytest.mark.thorough
def test_the_worker_passes_on_what_may_succeed_later(api: Api, request_: Request, tmp_path: Path) -> None:
    api.status = 529
    worker = InWorker("anthropic", options={"key": KEY, "base_url": api.url}, env=dict(os.environ), work=tmp_path)
    with pytest.raises(ProviderUnavailable, match="busy"):
        worker.complete(request_)


def test_a_worker_that_hangs_is_ended(
    api: Api, request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hivemind_cli.llm.worker.START_S", 0.3)
    api.hang = True
    options = {"key": KEY, "base_url": api.url}
    worker = InWorker("anthropic", options=options, env=dict(os.environ), work=tmp_path, timeout_s=0.2)
    with pytest.raises(ProviderUnavailable):
        worker.complete(request_)


def test_the_key_reaches_neither_the_workers_arguments_nor_its_environment(tmp_path: Path) -> None:
    env = {**os.environ, "ANTHROPIC_API_KEY": KEY, "OTHER_SECRET": "x"}
    worker = InWorker("anthropic", options={"key": KEY}, env=env, work=tmp_path)
    assert KEY not in repr(worker)
    assert not {"ANTHROPIC_API_KEY", "OTHER_SECRET"} & set(worker._env)


IN_WORKER = pytest.param(True, marks=pytest.mark.thorough, id="in the worker")


@pytest.mark.parametrize("in_worker", [pytest.param(False, id="here"), IN_WORKER])
def test_a_429_tells_how_long_to_stay_away(api: Api, request_: Request, tmp_path: Path, in_worker: bool) -> None:
    api.status, api.more_headers = 429, {"retry-after": "120"}
    with pytest.raises(Busy, match="busy") as caught:
        if in_worker:
            options = {"key": KEY, "base_url": api.url}
            InWorker("anthropic", options=options, env=dict(os.environ), work=tmp_path).complete(request_)
        else:
            Anthropic(key=KEY, base_url=api.url).complete(request_)
    assert caught.value.retry_after_s == 120
    assert len(api.asked) == 1


@pytest.mark.parametrize("said", ["", "soon", "-1", "inf", "nan"])
def test_a_pause_that_says_nothing_is_none(said: str) -> None:
    assert retry_after_s({"retry-after": said} if said else {}) is None


def test_a_pause_may_be_a_date() -> None:
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    seconds = retry_after_s({"retry-after": "Wed, 21 Oct 2195 07:28:00 GMT"})
    assert seconds is not None and seconds > 1e9
