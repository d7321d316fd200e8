"""What a detection rule sees, and what it says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hivemind_cli.core.acts import Act
from hivemind_cli.core.records import CorrectionKind, Event, EventKind


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


class History:
    """A session's events before one event, oldest first, and the questions rules ask of them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events

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
        """The newest call of the agent itself (no subagent's) that changed something, else the newest call."""
        calls = [event for event in self.events if event.kind is EventKind.TOOL_CALL and act_of(event)]
        for wanted in (("shell", "edit"), ("other",), ("read",)):
            for event in reversed(calls[-40:]):
                act = act_of(event)
                if act and act.kind in wanted and not event.payload.get("agent_id"):
                    return event, act
        return None


def act_of(event: Event) -> Act | None:
    """The act in a tool event."""
    value = event.payload.get("act")
    return Act.of(value) if isinstance(value, dict) and value else None


def said_in(event: Event) -> str:
    """The words in a prompt, steer or reply."""
    return str(event.payload.get("text", ""))


Rule = Callable[[Event, History], Iterable[Finding]]
