"""What every provider must do, whichever it is: fit the schema or raise, and tell what it cost."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.hosts.claude.headless import headless
from hivemind_cli.llm.base import BadAnswer, Provider, Request
from hivemind_cli.llm.headless import Headless
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.llm.worker import InWorker
from tests.llm.conftest import Api

Speaks = Callable[[str], Provider]
"""Gives a provider whose model says this text."""


@pytest.fixture(params=["scripted", "anthropic", "worker", "claude"])
def speaks(request: pytest.FixtureRequest, api: Api, program: Path, tmp_path: Path) -> Speaks:
    """Each provider, over its real transport."""

    def make(text: str) -> Provider:
        if request.param == "scripted":
            return Scripted([text])
        if request.param == "claude":
            said = {"type": "result", "is_error": False, "result": text, "total_cost_usd": 0.01}
            (program.parent / "answer.json").write_text(json.dumps(said))
            (program.parent / "answer.sh").write_text(f"cat {program.parent}/answer.json")
            return Headless("claude", headless(str(program)), env={"PATH": "/usr/bin:/bin"}, work=tmp_path / "work")
        pytest.importorskip("anthropic")
        api.text = text
        if request.param == "worker":
            options = {"key": "k", "base_url": api.url}
            return InWorker("anthropic", options=options, env=_env(), work=tmp_path / "work")
        from hivemind_cli.llm.anthropic import Anthropic

        return Anthropic(key="k", base_url=api.url)

    return make


def _env() -> dict[str, str]:
    import os

    return dict(os.environ)


def test_a_fitting_answer_comes_back_as_a_value(speaks: Speaks, request_: Request) -> None:
    provider = speaks('{"name": "größe"}')
    assert provider.available() == ""
    assert provider.complete(request_).value == {"name": "größe"}


LONG = pytest.param('{"name": "' + "x" * 30 + '"}', marks=pytest.mark.thorough)
A_LIST = pytest.param("[]", marks=pytest.mark.thorough)


@pytest.mark.parametrize("text", ["I'd rather not.", '{"name": 7}', LONG, A_LIST])
def test_nonsense_is_a_provider_error(speaks: Speaks, request_: Request, text: str) -> None:
    with pytest.raises(ProviderError) as caught:
        speaks(text).complete(request_)
    assert not isinstance(caught.value, ProviderUnavailable)


def test_a_paid_answer_that_is_nonsense_still_tells_its_price(
    request: pytest.FixtureRequest, speaks: Speaks, request_: Request
) -> None:
    provider = speaks("no json")
    if provider.name == "scripted":
        pytest.skip("costs nothing")
    with pytest.raises(BadAnswer) as caught:
        provider.complete(request_)
    assert caught.value.spent.cost_usd > 0


def test_a_script_at_its_end_says_so(request_: Request) -> None:
    provider = Scripted([{"name": "a"}])
    provider.complete(request_)
    with pytest.raises(ProviderError, match="no more answers"):
        provider.complete(request_)
    assert [asked.prompt for asked in provider.requests] == [request_.prompt] * 2
