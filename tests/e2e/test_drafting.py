"""With the real client: a correction, a model that is asked on the person's behalf, and the skill it drafts."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import skills_ref

from hivemind_cli.core.assets import asset
from hivemind_cli.core.records import Event, LLMCall, Record, SkillRevision
from hivemind_cli.storage import open_store
from tests.e2e import drafting, play
from tests.e2e.conftest import Grounds
from tests.e2e.stub import FORM_TOOL
from tests.e2e.world import Played, World

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("provider", ["claude", "anthropic", "codex"])]
Plays = Callable[[str], Played]
MODELS = {"claude": "claude-haiku-", "anthropic": "claude-haiku-", "codex": ""}
"""What the receipts call the model: Codex does not tell."""


@pytest.fixture(scope="module")
def plays(new_world: Callable[[], World], client_of: Callable[[str], Grounds]) -> Plays:
    """What the play with that provider left; played once."""

    @cache
    def of(provider: str) -> Played:
        if provider == "anthropic":
            pytest.importorskip("anthropic")
        program = client_of("codex" if provider == "codex" else "claude").client
        return drafting.play_with(provider, new_world(), program)

    return of


def _found(played: Played, kind: type[Record]) -> list[Any]:
    store = open_store("duckdb", _database(played.root / "home" / ".hivemind"), memory_mb=64)
    try:
        return [row.record for row in store.find(kind)]
    finally:
        store.close()


def _database(root: Path) -> Path:
    (found,) = root.rglob("hivemind.duckdb")
    return found


def test_the_skill_is_the_models_draft_and_valid(provider: str, plays: Plays) -> None:
    played = plays(provider)
    (skill,) = played.results[play.SKILLS]["skills"]
    assert skill["name"] == drafting.DRAFT["name"], played.tell("another skill", play.SKILLS)
    assert skills_ref.validate(Path(skill["copy"])) == []
    (revision,) = _found(played, SkillRevision)
    assert revision.drafter.startswith(f"{provider}/{MODELS[provider]}"), revision
    assert revision.state.value == "live"
    assert all(line.correction_ids for line in revision.lines)


def test_the_model_is_asked_with_our_template_and_the_evidence_as_data(provider: str, plays: Plays) -> None:
    played = plays(provider)
    (line,) = [line for line in played.questions() if "decision" in line["question"]["properties"]]
    body, template = line["body"], asset("skills_templates", "codify.md").read_text("utf-8")
    rule = template.strip().splitlines()[-1]
    if provider == "codex":  # it has no place for a system prompt
        words = str(body["input"][-1]["content"][0]["text"])
        before, document, _ = re.split(r"(?m)^=====.*=====\n", words, maxsplit=2)
        assert rule in before and drafting.SAID not in before
    else:
        system = "\n".join(part["text"] for part in body["system"])
        assert rule in system and drafting.SAID not in system
        user = [part for part in body["messages"] if part["role"] == "user"][-1]["content"]
        document = user if isinstance(user, str) else "\n".join(part["text"] for part in user)
        assert {tool["name"] for tool in body.get("tools", [])} <= {FORM_TOOL, "DeferredToolPlaceholder"}  # none acts
    assert drafting.SAID in json.loads(document[document.index("{") :])["corrections"][0]["person_said"]


def test_every_call_has_a_receipt_and_a_price(provider: str, plays: Plays) -> None:
    played = plays(provider)
    receipts, (revision,) = _found(played, LLMCall), _found(played, SkillRevision)
    assert receipts[0].purpose == "codify"
    assert len(receipts) == len(played.questions())
    for call in receipts:
        assert (call.provider, call.result) == (provider, "ok"), receipts
        assert call.model.startswith(MODELS[provider])
        assert call.tokens_in > 100 and call.tokens_out > 0
        assert 0 < call.cost_usd < 0.01 or provider == "codex"  # it tells no price
        assert call.subject == revision.skill_id
    told = json.loads(played.results[drafting.COST]["stdout"])
    assert f"{sum(call.cost_usd for call in receipts):.4f}" in json.dumps(_rounded(told))


def test_the_models_own_sessions_are_never_captured(provider: str, plays: Plays) -> None:
    played = plays(provider)
    sessions = {event.session_id for event in _found(played, Event)}
    assert len(sessions) == 1, sessions  # the person's, which went on
    spool = played.root / "home" / ".hivemind" / "spool"
    assert [path for path in spool.rglob("*") if path.is_file()] == []
    purposes = [call.purpose for call in _found(played, LLMCall)]
    assert len(purposes) == len(set(purposes))  # no second round of questions


def test_nothing_is_left_running(provider: str, plays: Plays) -> None:
    played = plays(provider)
    assert played.results[play.PROCESSES]["ok"], played.tell("something still runs", play.PROCESSES)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
