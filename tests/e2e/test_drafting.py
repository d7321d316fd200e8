"""With the real client: a correction, a model that is asked on the person's behalf, and the skill it drafts."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import skills_ref

from hivemind_cli.core.assets import asset
from hivemind_cli.core.records import LLMCall, Record, SkillRevision
from hivemind_cli.storage import open_store
from tests.e2e import drafting, play
from tests.e2e.stub import FORM_TOOL, form
from tests.e2e.world import Played, World

pytestmark = [pytest.mark.e2e, pytest.mark.parametrize("provider", ["claude", "anthropic"])]
Plays = Callable[[str], Played]


@pytest.fixture(scope="module")
def plays(new_world: Callable[[], World]) -> Plays:
    """What the play with that provider left; played once."""

    @cache
    def of(provider: str) -> Played:
        if provider == "anthropic":
            pytest.importorskip("anthropic")
        return drafting.play_with(provider, new_world())

    return of


def _found(played: Played, kind: type[Record]) -> list[Any]:
    store = open_store("duckdb", _database(played.root / "home" / ".hivemind"), memory_mb=64)
    try:
        return [row.record for row in store.find(kind)]
    finally:
        store.close()


def _database(root: Path) -> Path:
    (found,) = root.rglob("*.duckdb")
    return found


def test_the_skill_is_the_models_draft_and_valid(provider: str, plays: Plays) -> None:
    played = plays(provider)
    (skill,) = played.results[play.SKILLS]["skills"]
    assert skill["name"] == drafting.DRAFT["name"], played.tell("another skill", play.SKILLS)
    assert skills_ref.validate(Path(skill["copy"])) == []
    (revision,) = _found(played, SkillRevision)
    assert revision.drafter.startswith(f"{provider}/claude-haiku-"), revision
    assert revision.state.value == "live"
    assert all(line.correction_ids for line in revision.lines)


def test_the_model_is_asked_with_our_template_and_the_evidence_as_data(provider: str, plays: Plays) -> None:
    played = plays(provider)
    draft = next(body for body in played.questions() if "decision" in (form(body) or {})["properties"])
    system = "\n".join(part["text"] for part in draft["system"])
    template = asset("skills_templates", "codify.md").read_text("utf-8")
    assert template.strip().splitlines()[-1] in system
    user = [part for part in draft["messages"] if part["role"] == "user"][-1]["content"]
    words = user if isinstance(user, str) else "\n".join(part["text"] for part in user if "corrections" in part["text"])
    document = json.loads(words)
    assert drafting.SAID in document["corrections"][0]["person_said"]
    assert drafting.SAID not in system
    assert {tool["name"] for tool in draft.get("tools", [])} <= {FORM_TOOL, "DeferredToolPlaceholder"}  # none that acts


def test_every_call_has_a_receipt_and_a_price(provider: str, plays: Plays) -> None:
    played = plays(provider)
    receipts, (revision,) = _found(played, LLMCall), _found(played, SkillRevision)
    assert receipts[0].purpose == "codify"
    assert len(receipts) == len(played.questions())
    for call in receipts:
        assert (call.provider, call.result) == (provider, "ok"), receipts
        assert call.model.startswith("claude-haiku-")
        assert call.tokens_in > 100 and call.tokens_out > 0 and 0 < call.cost_usd < 0.01
        assert call.subject == revision.skill_id
    told = json.loads(played.results[drafting.COST]["stdout"])
    assert f"{sum(call.cost_usd for call in receipts):.4f}" in json.dumps(_rounded(told))


def test_nothing_is_left_running(provider: str, plays: Plays) -> None:
    played = plays(provider)
    assert played.results[play.PROCESSES]["ok"], played.tell("something still runs", play.PROCESSES)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
