"""What a detection rule sees, and what it says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hivemind_cli.core.acts import EDIT, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import CorrectionKind, Event, EventKind
from hivemind_cli.pipeline.detect.model import Meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A correction before it is a record."""

    kind: CorrectionKind
    reaction: Event
    act_event: Event | None
    act: Act | None
    quote: str
    task: str
    confidence: float
    durable: bool | None
    cause: str
    before: str = ""
    after: str = ""
    mentions: tuple[str, ...] = ()
    language: str = ""


TURNS_MAX = 3
"""How far back words may reach that name what the agent did."""


Elsewhere = Callable[[Event, timedelta], Sequence[Event]]

MeaningOf = Callable[[str, str], Meaning | None]


class History:
    """A session's events before one event, oldest first, and the questions rules ask of them."""

    def __init__(
        self,
        events: Sequence[Event],
        elsewhere: Elsewhere = lambda event, within: (),
        meaning: MeaningOf = lambda words, before: None,
    ) -> None:
        """`elsewhere` gives the prompts of the project's other sessions before an event, the newest first; `meaning`
        embeds words and what was said before them, where a model is at hand."""
        self.events = events
        self._elsewhere = elsewhere
        self.meaning = meaning

    def prompts_elsewhere(self, event: Event, within: timedelta) -> Sequence[Event]:
        """Prompts of the project's other sessions that were over before `event`, the newest first."""
        return self._elsewhere(event, within)

    def last(self, *kinds: EventKind, where: Callable[[Event], bool] = lambda event: True) -> Event | None:
        """The newest event of these kinds."""
        return next((event for event in reversed(self.events) if event.kind in kinds and where(event)), None)

    def call_result(self, call_id: str) -> Event | None:
        """What came of one call."""
        return self.last(EventKind.TOOL_RESULT, where=lambda event: event.payload.get("call_id") == call_id)

    def since_prompt(self) -> list[Event]:
        """What happened after the newest prompt, that prompt left out."""
        found: list[Event] = []
        for event in reversed(self.events):
            if event.kind is EventKind.PROMPT:
                break
            found.append(event)
        return found[::-1]

    def task(self) -> str:
        """The text of the newest prompt, "" if none."""
        prompt = self.last(EventKind.PROMPT)
        return said_in(prompt) if prompt else ""

    def reply(self) -> str:
        """The agent's last words."""
        event = self.last(EventKind.REPLY)
        return said_in(event) if event else ""

    def last_act(self) -> tuple[Event, Act] | None:
        """The newest call of the agent's newest turn that changed something, else its newest call."""
        return _weightiest(self.acts(turns=1))

    def act_named(self, words: frozenset[str]) -> tuple[Event, Act] | None:
        """The call of the newest turn that shares the most terms with `words`; of the newest TURNS_MAX if none does.

        None if no call shares any.
        """
        for turns in (1, TURNS_MAX):
            named = [(len(words & terms_of(act)), n, event, act) for n, (event, act) in enumerate(self.acts(turns))]
            best = max(named, key=lambda one: one[:2], default=None)
            if best and best[0]:
                return best[2], best[3]
        return None

    def acts(self, turns: int) -> list[tuple[Event, Act]]:
        """The agent's own calls (no subagent's) in its newest `turns` turns, oldest first."""
        found: list[tuple[Event, Act]] = []
        for event in reversed(self.events):
            if event.kind is EventKind.PROMPT:
                turns -= 1
                if not turns:
                    break
            act = act_of(event) if event.kind is EventKind.TOOL_CALL else None
            if act and not event.payload.get("agent_id"):
                found.append((event, act))
        return found[::-1]


def _weightiest(acts: list[tuple[Event, Act]]) -> tuple[Event, Act] | None:
    for wanted in (("shell", "edit"), ("other",), ("read",)):
        for event, act in reversed(acts):
            if act.kind in wanted:
                return event, act
    return None


def terms_of(act: Act) -> frozenset[str]:
    """The terms of what the agent did."""
    return content(" ".join((act.command, act.path, act.text[:2000])))


def act_of(event: Event) -> Act | None:
    """The act in a tool event."""
    value = event.payload.get("act")
    return Act.of(value) if isinstance(value, dict) and value else None


def edited(event: Event) -> bool:
    """Is it an edit of the agent's that went through?"""
    act = act_of(event) if event.kind is EventKind.TOOL_RESULT else None
    return act is not None and act.kind == EDIT


def said_in(event: Event) -> str:
    """The words in a prompt, steer or reply."""
    return str(event.payload.get("text", ""))


Rule = Callable[[Event, History], Iterable[Finding]]
