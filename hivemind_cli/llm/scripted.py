"""A provider that plays a script: for our tests, and for yours."""

from collections.abc import Callable, Iterable
from typing import Any

from hivemind_cli.core.errors import ProviderError
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.schema import checked, parse_answer

Answer = dict[str, Any] | str | Exception


class Scripted:
    """Gives `answers` one by one: a dict is the answer, a str is the model's raw text, an exception is raised.

    A function makes one of these of the request, for answers that depend on what was asked.

    What it gives is checked as any provider's answer is. ProviderError once the script is at its end.
    """

    name = "scripted"

    def __init__(self, answers: Iterable[Answer | Callable[[Request], Answer]] = (), *, cost_usd: float = 0.0) -> None:
        self._answers = list(answers)
        self._cost_usd = cost_usd
        self.requests: list[Request] = []
        """Everything it was asked, in order."""

    def __repr__(self) -> str:
        return f"Scripted({len(self._answers)} answers left, {len(self.requests)} requests)"

    def available(self) -> str:
        """Always."""
        return ""

    def complete(self, request: Request) -> Reply:
        """The next answer of the script."""
        self.requests.append(request)
        if not self._answers:
            raise ProviderError("The script has no more answers.", why=f"It was asked {len(self.requests)} times.")
        scripted = self._answers.pop(0)
        answer = scripted(request) if callable(scripted) else scripted
        if isinstance(answer, Exception):
            raise answer
        value = parse_answer(answer, request.schema) if isinstance(answer, str) else checked(answer, request.schema)
        return Reply(value=value, model="script", tokens_in=len(request.prompt) // 4, cost_usd=self._cost_usd)
