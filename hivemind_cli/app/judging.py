"""The judge for doors: what it would be asked and cost, asking it now, and whether it is on."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import ProviderError
from hivemind_cli.core.records import LLMCall
from hivemind_cli.llm import CONSENT, Setting, choose
from hivemind_cli.llm.meter import standing
from hivemind_cli.storage.base import Store

if TYPE_CHECKING:
    from hivemind_cli.pipeline.judging import Judge

LIMIT = 200
"""Turns judged by one command, unless a person wants more."""
PURPOSE = "judge"
"""Of the receipts, as pipeline/judge_prompt.py writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What judging would take."""

    turns: int
    calls: int
    calls_left: int
    """Of today."""
    tokens_in: int
    tokens_out: int
    cost_usd: float
    """About; 0 for a provider that tells no price."""
    provider: str


def estimate(store: Store, judge: "Judge | None", config: Config, *, limit: int) -> Estimate:
    """What judging the newest `limit` unsure turns would take. ProviderError: there is no judge."""
    from hivemind_cli.app.estimating import listed
    from hivemind_cli.llm.prices import priced
    from hivemind_cli.pipeline.judge_prompt import batches, tokens_of

    there = _there(judge, config)
    turns = there.pending(store, limit)
    tokens_in, tokens_out = tokens_of(turns)
    return Estimate(
        turns=len(turns),
        calls=len(list(batches(turns))),
        calls_left=there.calls_left(store),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=round(priced(listed(there.provider), tokens_in, tokens_out), 4),
        provider=there.provider.name,
    )


def judge_now(store: Store, judge: "Judge | None", config: Config, *, limit: int) -> dict[str, object]:
    """Ask about the newest `limit` unsure turns: {calls, turns, judged, stopped}. ProviderError: there is no judge."""
    there = _there(judge, config)
    ran = there.run_on(store, there.pending(store, limit))
    return {"calls": ran.calls, "turns": ran.turns, "judged": ran.judged, "stopped": ran.stopped}


def describe(setting: Setting, store: Store, now: datetime) -> str:
    """One line for `status`: who decides what the detector is unsure of, and why nobody does."""
    most = setting.config.judge_calls_day_max
    if not most:
        return "off: `llm.judge_calls_day_max` is 0"
    choice = choose(setting)
    if choice.provider is None:
        fix = f". For a model's opinion: {CONSENT}" if not setting.config.allow else ""
        return f"off: {choice.reason}{fix}"
    pause = standing(store, setting.config, choice.provider.name, choice.price, now)
    if pause:
        return f"waiting, as drafts do: {pause.why}"
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    asked = store.count(LLMCall, purpose=PURPOSE, since=midnight)
    return f"on: {choice.provider.name} is asked what the detector is unsure of, {asked} of {most} calls today"


def _there(judge: "Judge | None", config: Config) -> "Judge":
    if judge is not None:
        return judge
    if not config.llm.judge_calls_day_max:
        raise ProviderError(
            "The judge is off.",
            why="`llm.judge_calls_day_max` is 0.",
            fix="hivemind config set llm.judge_calls_day_max 20",
        )
    if not config.llm.allow:
        raise ProviderError("No model may be asked.", why="`llm.allow` is not set.", fix=CONSENT)
    raise ProviderError("There is no model to ask.", fix="`hivemind status` says what is missing.")
