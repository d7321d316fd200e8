"""Errors of a session and what was done until they were gone, for the debugging memory."""

from collections.abc import Sequence

from hivemind_cli.core.acts import OTHER, SHELL
from hivemind_cli.core.ids import derived_id
from hivemind_cli.core.records import Event, EventKind, Experience, ExperienceKind, TaskOutcome
from hivemind_cli.pipeline.detect.finding import act_of
from hivemind_cli.pipeline.detect.retry import call_failed
from hivemind_cli.pipeline.fixes import HOW, Fix, Seen, Step, end_of

SURE_MIN = 0.5
"""Below, what ended an error is a guess: nothing that an agent should be told as a fix."""
ERRORS_MAX = 24
"""Failed calls that are followed at once, the newest."""
APPROACH_CHARS_MAX = 2000
DIFF_LINES_MAX = 8


def fixes(events: Sequence[Event], tasks: Sequence[tuple[int, str]]) -> list[Experience]:
    """One for each call that showed that an error was gone, with what was done before it.

    events  of one session, in order, from the first turn that is looked at on
    tasks   (place of a prompt in `events`, what was asked for), in order
    """
    found: dict[str, Experience] = {}
    failed = [n for n, event in enumerate(events) if _failed(event)]
    for n in failed[-ERRORS_MAX:]:
        event = events[n]
        seen = end_of(event, _of_the_same(event, events[n + 1 :]))
        fix = seen.fix if seen else None
        if seen and fix and fix.sure >= SURE_MIN and (fix.steps or fix.worked != seen.tried):
            task = next((said for place, said in reversed(tasks) if place <= n), "")
            found[fix.event_id] = _experience(event, seen, fix, task, events)  # the last error before it went
    return list(found.values())


def _failed(event: Event) -> bool:
    """Edits and reads that failed tell of the host's own rules ("read it first"), not of the work."""
    act = act_of(event) if event.kind in (EventKind.TOOL_FAILURE, EventKind.TOOL_RESULT) else None
    return act is not None and act.kind in (SHELL, OTHER) and call_failed(event, act)


def _of_the_same(event: Event, after: Sequence[Event]) -> list[Event]:
    """What the same agent did, and what the person said."""
    agent = event.payload.get("agent_id")
    words = (EventKind.PROMPT, EventKind.STEER)
    return [one for one in after if one.payload.get("agent_id") == agent or one.kind in words]


def _experience(event: Event, seen: Seen, fix: Fix, task: str, events: Sequence[Event]) -> Experience:
    end = next((one for one in events if one.id == fix.event_id), event)
    act = act_of(event)
    return Experience(
        id=derived_id(event.occurred_at, "experience", "fix", event.id, fix.event_id),
        workspace_id=event.workspace_id,
        project_id=event.project_id,
        machine_id=event.machine_id,
        author=event.author,
        host=event.host,
        session_id=event.session_id,
        kind=ExperienceKind.FIX,
        occurred_at=event.occurred_at,
        event_id=fix.event_id,
        task=task,
        approach=_told(fix)[:APPROACH_CHARS_MAX],
        tools_used=act.heads if act and act.heads else (event.tool,) if event.tool else (),
        outcome=TaskOutcome.SUCCESS,
        score=min(fix.sure, 1.0),
        lessons=HOW[fix.how],
        error_trace=seen.error,
        metadata={
            "tried": seen.tried,
            "worked": fix.worked,
            "how": fix.how,
            "error_event_id": event.id,
            "files": [step.text for step in fix.steps if step.kind == "edited"],
        },
        duration_s=max((end.occurred_at - event.occurred_at).total_seconds(), 0.0),
    )


def _told(fix: Fix) -> str:
    """What was done, a line a step, and the call that then worked."""
    lines = [line for step in fix.steps for line in _step(step)]
    return "\n".join([*lines, *([f"then worked: {fix.worked}"] if fix.worked else [])])


def _step(step: Step) -> list[str]:
    verb = {"edited": "edit ", "said": "the person said: "}.get(step.kind, "")
    return [f"{verb}{step.text}", *(f"  {line}" for line in step.diff[:DIFF_LINES_MAX])]
