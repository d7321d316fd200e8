"""What asking models took, from the receipts: by day, purpose, skill and provider; and whether it goes on today."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hivemind_cli.app.reading import current_skills
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.records import LLMCall
from hivemind_cli.llm import Setting, choose, describe
from hivemind_cli.llm.meter import OK, STOPPED, spent_today, standing
from hivemind_cli.storage.base import Store

DAYS = 7
BY = ("day", "purpose", "skill", "provider")
NO_SKILL = "no one skill"
"""What calls were about that named none: a skill that did not exist yet, or turns to be judged."""
JUDGE, EVALUATE = "judge", "evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Calls that have something in common, and what they took."""

    key: str
    """The day (UTC), the purpose, the skill's name or the provider's."""
    calls: int
    failed: int
    """Of these; what a failed answer cost is in the sums."""
    tokens_in: int
    tokens_out: int
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """A cap of the day (UTC), and how much of it is used."""

    setting: str
    used: float
    most: float

    @property
    def share(self) -> float:
        """0..1 and more; 1 for a cap of nothing."""
        return self.used / self.most if self.most else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What `hivemind cost` shows."""

    since: datetime
    days: int
    total: Sum
    by: dict[str, tuple[Sum, ...]]
    """For each of BY: days newest first, the others the dearest first."""
    today: tuple[Cap, ...]
    unpriced: tuple[str, ...]
    """Providers whose answers came without a price."""
    ever: int
    """Calls since hivemind was installed."""


def costs(store: Store, config: LLMConfig, now: datetime, *, days: int = DAYS) -> Costs:
    """The last `days` days (UTC), today among them."""
    since = _midnight(now) - timedelta(days=days - 1)
    calls = [row.record for row in store.find(LLMCall, since=since)]
    names = {skill.skill_id: skill.name for skill in current_skills(store)}
    keys: dict[str, Callable[[LLMCall], str]] = {
        "day": lambda call: f"{call.occurred_at.astimezone(UTC):%Y-%m-%d}",
        "purpose": lambda call: call.purpose,
        "skill": lambda call: names.get(call.subject, call.subject) or NO_SKILL,
        "provider": lambda call: call.provider,
    }
    answered = [call for call in calls if call.result == OK]
    priced = {call.provider for call in answered if call.cost_usd}
    return Costs(
        since=since,
        days=days,
        total=_sum("all", calls),
        by={name: _grouped(calls, key, by_day=name == "day") for name, key in keys.items()},
        today=_caps(store, config, now),
        unpriced=tuple(sorted({call.provider for call in answered} - priced)),
        ever=store.count(LLMCall),
    )


def receipts(store: Store, now: datetime, *, days: int = DAYS) -> list[LLMCall]:
    """Each call of the last `days` days (UTC), newest first."""
    since = _midnight(now) - timedelta(days=days - 1)
    return [row.record for row in store.find(LLMCall, since=since, newest_first=True)]


def drafting(setting: Setting, store: Store, now: datetime) -> str:
    """One line for `status`: who drafts skills now; and where nobody is asked for a while, why and until when."""
    choice = choose(setting)
    said = describe(setting)
    if choice.provider is None:
        return said
    pause = standing(store, setting.config, choice.provider.name, choice.price, now)
    if pause is None:
        return said
    how = "" if pause.cap else " Sooner, if it works again: hivemind skillify run --retry."
    return (
        f"extractive until {clock_time(pause.until, now)}: the person's own words, no model. {pause.why.rstrip('.')}."
        f"{how} Then again {said}"
    )


def clock_time(moment: datetime, now: datetime) -> str:
    """A time as a person here reads it, with its date unless it is today."""
    here, today = moment.astimezone(), now.astimezone()
    return f"{here:%H:%M}" if here.date() == today.date() else f"{here:%Y-%m-%d %H:%M}"


def _caps(store: Store, config: LLMConfig, now: datetime) -> tuple[Cap, ...]:
    spent = spent_today(store, now)
    judged, evaluated = (store.count(LLMCall, purpose=one, since=_midnight(now)) for one in (JUDGE, EVALUATE))
    caps = (
        ("llm.usd_per_day", spent.usd, config.usd_per_day),
        ("llm.tokens_per_day", spent.tokens, config.tokens_per_day),
        ("llm.calls_day_max", spent.calls, config.calls_day_max),
        ("llm.judge_calls_day_max", judged, config.judge_calls_day_max),
        ("llm.evaluate_calls_day_max", evaluated, config.evaluate_calls_day_max),
    )
    return tuple(Cap(setting=setting, used=used, most=most) for setting, used, most in caps)


def _grouped(calls: Iterable[LLMCall], key: Callable[[LLMCall], str], *, by_day: bool) -> tuple[Sum, ...]:
    groups: dict[str, list[LLMCall]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    sums = [_sum(name, group) for name, group in sorted(groups.items(), reverse=by_day)]
    if not by_day:
        sums.sort(key=lambda one: (-one.cost_usd, -one.tokens_in - one.tokens_out))
    return tuple(sums)


def _sum(key: str, calls: list[LLMCall]) -> Sum:
    return Sum(
        key=key,
        calls=len(calls),
        failed=sum(call.result not in (OK, STOPPED) for call in calls),
        tokens_in=sum(call.tokens_in for call in calls),
        tokens_out=sum(call.tokens_out for call in calls),
        cost_usd=round(sum(call.cost_usd for call in calls), 6),
    )


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
