"""The provider as agents' loops may ask it: so often a day, and the rest of the day's calls stay the skills'."""

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.records import LLMCall
from hivemind_cli.llm.base import Provider, Reply, Request
from hivemind_cli.llm.meter import CapReached
from hivemind_cli.storage.base import Store


class Evaluations:
    """`provider`, asked at most `calls_day_max` times a UTC day for the purpose it is asked for. Any thread."""

    def __init__(self, provider: Provider, store: Store, calls_day_max: int, clock: Clock = system_clock) -> None:
        self._provider, self._store = provider, store
        self._calls_day_max, self._clock = calls_day_max, clock

    @property
    def name(self) -> str:
        """The provider's."""
        return self._provider.name

    def available(self) -> str:
        """As the provider says."""
        return self._provider.available()

    def complete(self, request: Request) -> Reply:
        """Ask once. CapReached: not any more today."""
        midnight = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        if self._store.count(LLMCall, purpose=request.purpose, since=midnight) >= self._calls_day_max:
            why = f"{self._calls_day_max} were made, the most `llm.evaluate_calls_day_max` allows."
            raise CapReached("No model judges attempts any more today.", why=why, fix="It goes on at 00:00 UTC.")
        return self._provider.complete(request)
