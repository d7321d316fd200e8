"""The one place that spends: the day's caps before a call, the retry, and a receipt after it, whatever came of it."""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from hivemind_cli.core.clock import Clock
from hivemind_cli.core.config import LLMConfig
from hivemind_cli.core.errors import ProviderError, ProviderUnavailable
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import DEFAULT_WORKSPACE, LLMCall, Record
from hivemind_cli.llm.base import BadAnswer, Provider, Reply, Request

ATTEMPTS_MAX = 2
RETRY_S = 2.0


class Receipts(Protocol):
    """What the meter needs of a store: `storage.base.Store` fits."""

    def append(self, records: Sequence[Record]) -> int:
        """Store receipts."""

    def find(self, kind: type[LLMCall], /, *, since: datetime | None = None) -> Sequence[Any]:
        """Rows of receipts whose occurred_at is at least `since`."""


class CapReached(ProviderUnavailable):
    """The day's cap is used up: nothing was asked."""


class Metered:
    """`provider` within `config`'s caps for a UTC day, of the whole machine.

    What a call will cost is not known before it ends, so the last call of a day may pass the money cap by its own
    price; the next is refused.
    """

    def __init__(
        self,
        provider: Provider,
        store: Receipts,
        config: LLMConfig,
        clock: Clock,
        *,
        workspace_id: str = DEFAULT_WORKSPACE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._provider = provider
        self._store = store
        self._config = config
        self._clock = clock
        self._workspace_id = workspace_id
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"Metered({self._provider!r})"

    @property
    def name(self) -> str:
        """The provider's."""
        return self._provider.name

    def available(self) -> str:
        """What the provider says, else whether a cap is reached."""
        return self._provider.available() or self._cap()

    def complete(self, request: Request) -> Reply:
        """Ask, and once more if the provider may say yes later. CapReached: the day's cap stands in the way."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self._once(request)
            except CapReached:
                raise
            except ProviderUnavailable:
                if attempt == ATTEMPTS_MAX:
                    raise
                self._sleep(RETRY_S)
        raise AssertionError("unreachable")

    def _once(self, request: Request) -> Reply:
        reached = self._cap()
        if reached:
            raise CapReached("No model is asked any more today.", why=reached, fix="It goes on at 00:00 UTC.")
        started = time.monotonic()
        try:
            reply = self._provider.complete(request)
        except Exception as exc:  # every call gets its receipt, whatever it died of
            spent = exc.spent if isinstance(exc, BadAnswer) else None
            result = str(exc) if isinstance(exc, ProviderError) else type(exc).__name__
            self._write(request, spent, result[:300], (time.monotonic() - started) * 1000)
            raise
        self._write(request, reply, "ok", reply.latency_ms or (time.monotonic() - started) * 1000)
        return reply

    def _cap(self) -> str:
        midnight = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        today = [row.record for row in self._store.find(LLMCall, since=midnight)]
        today = [call for call in today if call.occurred_at < midnight + timedelta(days=1)]
        spent = sum(call.cost_usd for call in today)
        if len(today) >= self._config.calls_day_max:
            return f"{len(today)} calls were made today, the most that `llm.calls_day_max` allows."
        tokens = sum(call.tokens_in + call.tokens_out for call in today)
        if tokens >= self._config.tokens_per_day:
            return f"{tokens:,} tokens were used today, the most that `llm.tokens_per_day` allows."
        if spent >= self._config.usd_per_day:
            return f"${spent:.2f} were spent today, the most that `llm.usd_per_day` allows."
        return ""

    def _write(self, request: Request, spent: Reply | None, result: str, latency_ms: float) -> None:
        asked = f"{request.system}\x1f{request.prompt}".encode("utf-8", "surrogatepass")
        now = self._clock()
        self._store.append(
            [
                LLMCall(
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
            ]
        )
