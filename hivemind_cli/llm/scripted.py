"""A provider that plays a script: for our tests, and for yours.

As a file (`llm.provider = "scripted"`, `llm.script = FILE`) each line is a JSON object with one of
    answer        what the model answers, an object
    text          ... its raw text, fitting or not
    error         ... or why it fails; `later`: true if it may succeed later
and, if wanted, `purpose` (codify, check, judge, replay, evaluate: the line waits for a call of that purpose), `times`
(how often it is given; 1) and `cost_usd`.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import ConfigError, ProviderError, ProviderUnavailable
from hivemind_cli.llm.base import Reply, Request
from hivemind_cli.llm.prices import tokens_of
from hivemind_cli.llm.schema import checked, parse_answer

Answer = dict[str, Any] | str | Exception


@dataclass(frozen=True, slots=True)
class Line:
    """One answer of a script, and for which calls it is."""

    answer: Answer
    purpose: str = ""
    """"" for any call."""
    cost_usd: float = 0.0


Part = Answer | Callable[[Request], Answer] | Line


class Scripted:
    """Gives `answers` one by one: a dict is the answer, a str is the model's raw text, an exception is raised.

    A function makes one of these of the request, for answers that depend on what was asked. A Line is given to the
    first call of its purpose.

    What it gives is checked as any provider's answer is. ProviderError once the script is at its end.
    """

    name = "scripted"

    def __init__(self, answers: Iterable[Part] = (), *, cost_usd: float = 0.0) -> None:
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
        place = next((n for n, one in enumerate(self._answers) if _is_for(one, request)), None)
        if place is None:
            why = f"It was asked {len(self.requests)} times, the last time to {request.purpose}."
            raise ProviderError("The script has no more answers.", why=why)
        part = self._answers.pop(place)
        scripted, cost = (part.answer, part.cost_usd) if isinstance(part, Line) else (part, self._cost_usd)
        answer = scripted(request) if callable(scripted) else scripted
        if isinstance(answer, Exception):
            raise answer
        value = parse_answer(answer, request.schema) if isinstance(answer, str) else checked(answer, request.schema)
        given = tokens_of(json.dumps(value, ensure_ascii=False))
        asked = tokens_of(request.system, request.prompt)
        return Reply(value=value, model="script", tokens_in=asked, tokens_out=given, cost_usd=cost)


def read_script(path: Path) -> list[Line]:
    """The answers in the JSONL file at `path`. ConfigError with the line that is at fault."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"The script {path} cannot be read.", why=f"{exc}.", fix="Set `llm.script`.") from exc
    found: list[Line] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found += _read(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise ConfigError(
                    f"{path}:{number} is no answer of a script.",
                    why="A line is a JSON object with `answer` (an object), `text` or `error`.",
                ) from exc
    if not found:
        raise ConfigError(f"The script {path} has no answers.")
    return found


def _is_for(part: Part, request: Request) -> bool:
    return not isinstance(part, Line) or part.purpose in ("", request.purpose)


def _read(said: dict[str, Any]) -> list[Line]:
    answer: Answer
    if "error" in said:
        answer = (ProviderUnavailable if said.get("later") else ProviderError)(str(said["error"]))
    elif "answer" in said:
        answer = dict(said["answer"])
    else:
        answer = str(said["text"])
    line = Line(answer, str(said.get("purpose", "")), float(said.get("cost_usd", 0.0)))
    return [line] * int(said.get("times", 1))
