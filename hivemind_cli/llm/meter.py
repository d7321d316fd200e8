"""The one place that spends: whether a call may be begun, the retry, and a receipt after it, whatever came of it.

What was spent and what failed is read from the receipts themselves, so that a restart forgets neither.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from hivemind_cli.core.child import stops
from hivemind_cli.core.clock import Clock
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable, StoreError
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import DEFAULT_WORKSPACE, LLMCall, Record
from hivemind_cli.llm import CONSENT
from hivemind_cli.llm.base import BadAnswer, Busy, Interrupted, Provider, Reply, Request
from hivemind_cli.llm.kept import Answers, Kept
from hivemind_cli.llm.prices import DEAREST, Price, priced, tokens_of

OK = "ok"
"""`LLMCall.result` of a call whose answer was of use."""
STOPPED = "stopped: hivemind ended"
"""... of one that we ended ourselves: it says nothing about the provider."""
ATTEMPTS_MAX = 2
RETRY_S = 2.0
RETRY_AFTER_S_MAX = 5.0
"""So long a service may ask us to wait within a call; longer, and it rests."""
RESTS = (timedelta(minutes=15), timedelta(hours=1))
"""After FAILURES_MAX failures in a row, and after one more; from then on until the next day (UTC)."""
FAILURES_MAX = 3
WAIT_MAX = timedelta(days=1)
"""No service can keep us away for longer."""
TYPICAL = (2500, 2000)
"""Tokens in and out of a call that drafts a skill: what must be left of a day's caps for the next to be begun."""
_LOOK_BACK = 20
"""Receipts of a provider that tell how it is."""
_AHEAD_MAX = timedelta(minutes=1)
"""A receipt further in the future is of a clock that went wrong: nobody rests because of it."""
_SLICE_S = 0.25
_WAIT = re.compile(r"\(asked to wait (\d+) s\)$")


class Receipts(Protocol):
    """What the meter needs of a store: `storage.base.Store` fits."""

    def append(self, records: Sequence[Record]) -> int:
        """Store receipts."""

    def find(
        self,
        kind: type[LLMCall],
        /,
        *,
        limit: int | None = None,
        newest_first: bool = False,
        since: datetime | None = None,
        **equals: Any,
    ) -> Sequence[Any]:
        """Rows of receipts: those since a time, or a provider's newest."""


class CapReached(ProviderUnavailable):
    """The day's cap, or a setting that was changed, stands in the way: nothing was asked."""


class Resting(ProviderUnavailable):
    """The provider failed too often, or asked for a pause: nothing was asked."""

    def __init__(self, what: str, *, why: str = "", fix: str = "", until: datetime) -> None:
        super().__init__(what, why=why, fix=fix)
        self.until = until


class Ends(ProviderUnavailable):
    """hivemind ends: nothing is asked any more, or the call under way was stopped."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a day's calls took."""

    calls: int = 0
    tokens: int = 0
    """In and out."""
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Why no call is begun, and until when."""

    why: str
    until: datetime
    cap: bool
    """A cap of the day; else the provider rests."""


def spent_today(store: Receipts, now: datetime) -> Spent:
    """Of the whole machine, whichever provider it was, since 00:00 UTC."""
    midnight = _midnight(now)
    calls = [row.record for row in store.find(LLMCall, since=midnight)]
    calls = [call for call in calls if call.occurred_at < midnight + timedelta(days=1)]
    tokens = sum(call.tokens_in + call.tokens_out for call in calls)
    return Spent(len(calls), tokens, sum(call.cost_usd for call in calls))


def wall(config: LLMConfig, spent: Spent, *, tokens: int = 0, usd: float = 0.0) -> str:
    """Which cap a call of `tokens` and `usd` would pass after what was `spent`, in words; "" for none."""
    if spent.calls >= config.calls_day_max:
        return f"{spent.calls} calls were made today, the most that `llm.calls_day_max` allows."
    if spent.tokens >= config.tokens_per_day:
        return f"{spent.tokens:,} tokens were used today, the most that `llm.tokens_per_day` allows."
    if spent.usd >= config.usd_per_day:
        return f"${spent.usd:.2f} were spent today, the most that `llm.usd_per_day` allows."
    if spent.tokens + tokens > config.tokens_per_day:
        left = config.tokens_per_day - spent.tokens
        return f"The next call may take {tokens:,} tokens; `llm.tokens_per_day` leaves {left:,} for today."
    if spent.usd + usd > config.usd_per_day:
        left_usd = config.usd_per_day - spent.usd
        return f"The next call may cost ${usd:.2f}; `llm.usd_per_day` leaves ${left_usd:.2f} for today."
    return ""


def resting(store: Receipts, provider: str, now: datetime) -> Pause | None:
    """Does `provider` rest after its last failures?"""
    calls = _newest(store, provider, now)
    if not calls or calls[0].result == OK:
        return None
    last = calls[0]
    failures = next((n for n, call in enumerate(calls) if call.result == OK), len(calls))
    until = last.occurred_at + _asked_to_wait(last.result)
    if failures >= FAILURES_MAX:
        until = max(until, _rest_ends(last.occurred_at, failures))
    if until <= now:
        return None
    often = f"{failures} calls failed in a row, the last with" if failures > 1 else "It said"
    return Pause(f"{often}: {last.result}", until, cap=False)


def standing(store: Receipts, config: LLMConfig, provider: str, price: Price, now: datetime) -> Pause | None:
    """Would a call that drafts a skill be begun now? None: yes. For `status`."""
    rest = resting(store, provider, now)
    if rest:
        return rest
    usd = priced(price, *TYPICAL)
    why = wall(config, spent_today(store, now), tokens=sum(TYPICAL), usd=usd)
    return Pause(why, _midnight(now) + timedelta(days=1), cap=True) if why else None


class Metered:
    """`provider` within `config`'s caps for a UTC day, of the whole machine, and with rests after failures.

    No call is begun that may pass a cap: it is reckoned before as its text's tokens and all it may answer, at the
    `price` (of the model, or the dearest where it is not known). A provider that tells no price costs 0, and counts
    against calls and tokens alone; an answer whose provider tells no tokens is given about as many as its texts have.
    A failed call counts with what it is known to have taken. What `answers` still hold of a batch that broke off is
    neither asked nor counted again.
    """

    def __init__(
        self,
        provider: Provider,
        store: Receipts,
        config: LLMConfig,
        clock: Clock,
        *,
        model: str = "",
        price: Price = DEAREST,
        answers: Answers | None = None,
        workspace_id: str = DEFAULT_WORKSPACE,
        sleep: Callable[[float], None] = time.sleep,
        read_config: Callable[[], LLMConfig] | None = None,
    ) -> None:
        """`read_config` reads the settings anew before each call: consent may be withdrawn meanwhile, caps changed."""
        self._provider = provider
        self._store = store
        self._config = config
        self._read_config = read_config
        self._clock = clock
        self._model = model
        self.price = price
        """What it may cost, before it is asked."""
        self._answers = answers
        self._workspace_id = workspace_id
        self._sleep = sleep
        self._stops = stops()
        self._awake = False
        """May the next call be begun though the provider rests?"""
        self._lock = threading.Lock()
        self._begun: dict[object, Spent] = {}
        """What the calls under way may take: they have no receipt yet."""

    def __repr__(self) -> str:
        return f"Metered({self._provider!r})"

    @property
    def name(self) -> str:
        """The provider's."""
        return self._provider.name

    @property
    def model(self) -> str:
        """The model it asks, as far as known."""
        return self._model

    def available(self) -> str:
        """What the provider says, else why it rests, else whether a cap is reached."""
        now = self._clock()
        rest = None if self._awake else resting(self._store, self.name, now)
        return self._provider.available() or (rest.why if rest else wall(self._config, spent_today(self._store, now)))

    @property
    def awake(self) -> bool:
        """Was it woken, and not asked since?"""
        return self._awake

    def wake(self) -> None:
        """Let the next call be begun though the provider rests: a person says that it works again."""
        self._awake = True

    def finish(self, wait_s: float) -> None:
        """Wait until the calls under way have their receipts, but no longer than `wait_s`. For an owner that leaves."""
        deadline = time.monotonic() + wait_s
        while self._begun and time.monotonic() < deadline:
            time.sleep(0.01)

    def complete(self, request: Request) -> Reply:
        """Ask, and once more if the provider may say yes soon.

        CapReached: the day's cap stands in the way, or no model may be asked any more. Resting: it failed too often.
        Either way nothing was asked.
        """
        kept = self._answers.find(request, self._asked) if self._answers else None
        if kept is not None:
            self._store.append([kept.receipt])  # new only if whoever asked died before it was stored
            return kept.reply
        failed: ProviderUnavailable | None = None
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self._once(request)
            except Ends:
                raise
            except (CapReached, Resting) as exc:
                raise failed or exc from None
            except ProviderUnavailable as exc:
                if attempt == ATTEMPTS_MAX or not self._waited(exc):
                    raise
                failed = exc
        raise AssertionError("unreachable")

    def _waited(self, exc: ProviderUnavailable) -> bool:
        """Wait as long as it takes to ask again; False if that is too long, or hivemind ends meanwhile."""
        left = exc.retry_after_s if isinstance(exc, Busy) else RETRY_S
        if left > RETRY_AFTER_S_MAX:
            return False
        while left > 0 and not self._ends:
            self._sleep(min(left, _SLICE_S))
            left -= _SLICE_S
        return not self._ends

    @property
    def _asked(self) -> str:
        return f"{self.name}/{self._model}"

    @property
    def _ends(self) -> bool:
        return stops() != self._stops

    def _once(self, request: Request) -> Reply:
        with self._admitted(request):
            started = time.monotonic()
            try:
                reply = self._provider.complete(request)
            except Exception as exc:  # every call gets its receipt, whatever it died of
                spent = exc.spent if isinstance(exc, BadAnswer | Interrupted) else None
                ended = self._ends
                with suppress(StoreError) if ended else nullcontext():  # it may be closed by now
                    took_ms = (time.monotonic() - started) * 1000
                    self._store.append([self._receipt(request, spent, self._told(exc), took_ms)])
                if ended:
                    raise Ends("The call was stopped.", why="hivemind ends.") from exc
                raise
            reply = _with_tokens(reply, request)
            receipt = self._receipt(request, reply, OK, reply.latency_ms or (time.monotonic() - started) * 1000)
            if self._answers:
                self._answers.keep(request, self._asked, Kept(reply, receipt))
            self._store.append([receipt])
            return reply

    @contextmanager
    def _admitted(self, request: Request) -> Iterator[None]:
        """While a call is under way that may be begun. CapReached, Resting, Ends: it may not."""
        if self._ends:
            raise Ends("No model is asked any more.", why="hivemind ends.")
        key = object()
        with self._lock:
            self._begun[key] = self._admission(request)
        try:
            yield
        finally:
            with self._lock:
                del self._begun[key]

    def _admission(self, request: Request) -> Spent:
        """What the call may take at most. CapReached, Resting."""
        now, config = self._clock(), self._allowed()
        rest = None if self._awake else resting(self._store, self.name, now)
        if rest:
            raise Resting(
                f"{self.name} rests until {rest.until:%Y-%m-%d %H:%M} UTC.",
                why=rest.why,
                fix="If it works again: hivemind skillify run --retry",
                until=rest.until,
            )
        tokens_in = tokens_of(request.system, request.prompt, json.dumps(request.schema))
        usd = priced(self.price, tokens_in, request.tokens_max)
        spent = spent_today(self._store, now)
        for call in self._begun.values():
            spent = Spent(spent.calls + call.calls, spent.tokens + call.tokens, spent.usd + call.usd)
        reached = wall(config, spent, tokens=tokens_in + request.tokens_max, usd=usd)
        if reached:
            goes_on = "It goes on at 00:00 UTC." if spent.calls else "Raise it: `hivemind config set`."
            raise CapReached("No model is asked any more today.", why=reached, fix=goes_on)
        self._awake = False
        return Spent(1, tokens_in + request.tokens_max, usd)

    def _allowed(self) -> LLMConfig:
        """The settings that hold now. CapReached: they allow no more what they allowed when we were made."""
        if self._read_config is None:
            return self._config
        found = self._read_config()
        if not found.allow:
            raise CapReached("No model may be asked any more.", why="`llm.allow` is no longer true.", fix=CONSENT)
        if found.provider != self._config.provider:
            why = f"`llm.provider` is no longer {self._config.provider}."
            raise CapReached(f"{self.name} is asked no more.", why=why, fix="hivemind daemon restart")
        return found

    def _told(self, exc: Exception) -> str:
        if self._ends:
            return STOPPED
        result = (f"{exc.what} {exc.why}".strip() if isinstance(exc, ProviderError) else type(exc).__name__)[:270]
        if isinstance(exc, Busy):
            return f"{result} (asked to wait {min(exc.retry_after_s, WAIT_MAX.total_seconds()):.0f} s)"
        return result

    def _receipt(self, request: Request, spent: Reply | None, result: str, latency_ms: float) -> LLMCall:
        asked = f"{request.system}\x1f{request.prompt}".encode("utf-8", "surrogatepass")
        now = self._clock()
        return LLMCall(
            id=new_id(now),
            workspace_id=self._workspace_id,
            occurred_at=now,
            purpose=request.purpose,
            provider=self._provider.name,
            model=spent.model if spent else "",
            tokens_in=spent.tokens_in if spent else 0,
            tokens_out=spent.tokens_out if spent else 0,
            cost_usd=spent.cost_usd if spent else 0.0,
            latency_ms=latency_ms,
            prompt_sha256=hashlib.sha256(asked).hexdigest(),
            result=result,
            subject=request.subject,
        )


def _with_tokens(reply: Reply, request: Request) -> Reply:
    """`reply`, with about the tokens of its texts where the provider told none."""
    if reply.tokens_in or reply.tokens_out:
        return reply
    asked = tokens_of(request.system, request.prompt, json.dumps(request.schema))
    return replace(reply, tokens_in=asked, tokens_out=tokens_of(json.dumps(reply.value, ensure_ascii=False)))


def _newest(store: Receipts, provider: str, now: datetime) -> list[LLMCall]:
    """The provider's last receipts, newest first, without calls that we stopped."""
    rows = store.find(LLMCall, provider=provider, newest_first=True, limit=_LOOK_BACK)
    calls = [row.record for row in rows if row.record.occurred_at <= now + _AHEAD_MAX]
    return [call for call in calls if call.result != STOPPED]


def _asked_to_wait(result: str) -> timedelta:
    said = _WAIT.search(result)
    return timedelta(seconds=min(int(said[1]), WAIT_MAX.total_seconds())) if said else timedelta()


def _rest_ends(last: datetime, failures: int) -> datetime:
    step = failures - FAILURES_MAX
    if step < len(RESTS):
        return last + RESTS[step]
    return max(_midnight(last) + timedelta(days=1), last + RESTS[-1])


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
