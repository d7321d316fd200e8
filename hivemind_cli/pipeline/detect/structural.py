"""The rules, strongest first: facts a host shows, then words.

A rule is given one event and what came before it; it says what that event completes.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.core.match import content
from hivemind_cli.core.records import CorrectionKind, Event, EventKind
from hivemind_cli.pipeline.detect.checks import red_after_done
from hivemind_cli.pipeline.detect.finding import Finding, History, Rule, act_of, edited, said_in
from hivemind_cli.pipeline.detect.redo import redo
from hivemind_cli.pipeline.detect.retry import tool_retry
from hivemind_cli.pipeline.detect.said import Judged, judge, objects
from hivemind_cli.pipeline.detect.undo import ALL, COMMIT, NEW, commits, commits_named, names, stashes, taken_back
from hivemind_cli.pipeline.judged import PASS_MIN

COMPARED_CHARS_MAX = 4000
"""Of a text compared with many others: a pasted log must not cost seconds (40 KB prompts took 1.6 s each)."""


def rejected(event: Event, history: History) -> Iterator[Finding]:
    """A tool call the person refused; their words are the host's, or those of the next prompt."""
    if event.kind is EventKind.TOOL_DENIED and event.payload.get("by") == "person" and event.payload.get("words"):
        act = act_of(event)
        yield _spoken(
            CorrectionKind.REJECTED, event, event, act, str(event.payload["words"]), history, "refused the call"
        )
    if event.kind is EventKind.PROMPT:
        denied = next((e for e in reversed(history.since_prompt()) if _silently_denied(e)), None)
        if denied:
            act = act_of(denied)
            yield _spoken(CorrectionKind.REJECTED, event, denied, act, said_in(event), history, "refused the call")


def interrupted(event: Event, history: History) -> Iterator[Finding]:
    """Esc, then a new instruction."""
    turn = history.since_prompt()
    if event.kind is not EventKind.PROMPT or not any(e.kind is EventKind.INTERRUPT for e in turn):
        return
    if any(_silently_denied(e) for e in turn):
        return
    call = next((e for e in reversed(turn) if e.kind is EventKind.TOOL_CALL and act_of(e)), None)
    act_event = call or next((e for e in reversed(turn) if e.kind is EventKind.REPLY), None)
    act = act_of(call) if call else None
    yield _spoken(CorrectionKind.INTERRUPTED, event, act_event, act, said_in(event), history, "stopped the agent")


def hand_edit(event: Event, history: History) -> Iterator[Finding]:
    """Lines the agent wrote that a person changed, seen at the next prompt or told by the host."""
    if event.kind is EventKind.TOOL_RESULT and event.payload.get("user_modified"):
        act = act_of(event)
        yield Finding(
            kind=CorrectionKind.HAND_EDIT,
            reaction=event,
            act_event=event,
            act=act,
            quote="",
            task=history.task(),
            confidence=1.0,
            durable=None,
            cause="changed the edit before accepting it",
            before=act.text if act else "",
        )
    if event.kind is not EventKind.PROMPT:
        return
    ran = [str(e.payload["ran"]) for e in history.since_prompt() if e.payload.get("ran")]
    for edit in event.payload.get("edited", []):
        written = history.call_result(edit.get("call_id", ""))
        gone, path = bool(edit.get("gone")), str(edit.get("path", ""))
        told = event.payload.get("rewound") or any(names(one, path) for command in ran for one in taken_back(command))
        if gone and told:
            continue  # the rewind, or the person's command, is the evidence
        removed, added = list(edit.get("removed", ())), list(edit.get("added", ()))
        above, below = (list(edit.get("above", ())), list(edit.get("below", ()))) if added else ([], [])
        yield Finding(
            kind=CorrectionKind.REVERTED if gone else CorrectionKind.HAND_EDIT,
            reaction=event,
            act_event=written,
            act=act_of(written) if written else Act(EDIT, "", path=path),
            quote="",
            task=history.task(),
            confidence=0.9 if gone else 0.8,
            durable=None,
            cause=_hands_cause(gone, str(edit.get("by", ""))),
            before="\n".join([*above, *removed, *below]),
            after="\n".join([*above, *added, *below]),
        )


def _hands_cause(gone: bool, by: str) -> str:
    if not gone:
        return "changed lines that the agent wrote"
    return f"took back what the agent wrote with `{by}`" if by.startswith("git ") else "took back what the agent wrote"


def reverted(event: Event, history: History) -> Iterator[Finding]:
    """The agent's own change taken back: by a command of the person, at their request, or by the host's rewind."""
    if event.kind is EventKind.STEER and event.payload.get("ran"):
        yield from _undone(event, Act(SHELL, "", command=str(event.payload["ran"])), history, history.events)
    if event.kind is EventKind.TOOL_RESULT:
        act = act_of(event)
        turn = {e.id for e in history.since_prompt()}
        earlier = [e for e in history.events if e.id not in turn]
        prompt = history.last(EventKind.PROMPT)
        if act and not stashes(act.command) and taken_back(act.command) and prompt and objects(said_in(prompt)):
            yield from _undone(event, act, history, earlier)
    if event.kind is EventKind.PROMPT and event.payload.get("rewound"):
        lost = set(event.payload.get("abandoned", ()))
        edit = history.last(EventKind.TOOL_RESULT, where=lambda e: edited(e) and e.payload.get("call_id") in lost)
        last = (edit, act_of(edit)) if edit else history.last_act()
        if last and last[1] and last[1].kind == EDIT:
            yield _spoken(
                CorrectionKind.REVERTED, event, last[0], last[1], said_in(event), history, "rewound the conversation"
            )


@lru_cache(maxsize=256)
def _compared(text: str) -> frozenset[str]:
    """Every prompt is compared with all before it in its session."""
    return content(text)


def said(event: Event, history: History) -> Iterator[Finding]:
    """Words that may put the last act right: in the next prompt, while it works, or as a note on an approval.

    What is too unsure to be called a correction is a candidate: kept for a model or a person to judge.
    """
    found = words_of(event, history)
    if found and found[1].score >= PASS_MIN:
        yield found[0]


def words_of(event: Event, history: History) -> tuple[Finding, Judged] | None:
    """A turn's words as a finding, whatever they come to; None: nothing was said, or nothing before to put right."""
    if event.kind not in (EventKind.PROMPT, EventKind.STEER) or not said_in(event):
        return None
    call_id = event.payload.get("call_id")
    noted = history.last(EventKind.TOOL_CALL, where=lambda e: e.payload.get("call_id") == call_id) if call_id else None
    if noted:
        last: tuple[Event, Act | None] | None = (noted, act_of(noted))
    else:
        words = _compared(said_in(event)[:COMPARED_CHARS_MAX]) - _compared(history.task()[:COMPARED_CHARS_MAX])
        last = history.act_named(words) or history.last_act()
    reply = history.reply()
    if not last and not reply:
        return None
    act_event, act = last or (history.last(EventKind.REPLY), None)
    judged = judge(said_in(event), act, reply, history.task(), history.meaning)
    finding = Finding(
        kind=CorrectionKind.SAID,
        reaction=event,
        act_event=act_event,
        act=act,
        quote=said_in(event),
        task=history.task(),
        confidence=judged.score,
        durable=judged.durable,
        cause=judged.cause,
        mentions=judged.mentions,
        language=judged.language,
    )
    return finding, judged


RULES: tuple[Rule, ...] = (rejected, interrupted, reverted, hand_edit, redo, red_after_done, tool_retry, said)


def _spoken(
    kind: CorrectionKind,
    reaction: Event,
    act_event: Event | None,
    act: Act | None,
    words: str,
    history: History,
    cause: str,
) -> Finding:
    """A structural finding with a person's words: the fact is certain, its lasting is judged from the words."""
    judged = judge(words, act, "", history.task())
    return Finding(
        kind=kind,
        reaction=reaction,
        act_event=act_event,
        act=act,
        quote=words,
        task=history.task(),
        confidence=1.0,
        durable=judged.durable,
        cause=f"{cause}: {judged.cause}" if judged.cause else cause,
        mentions=judged.mentions,
        language=judged.language,
    )


def _undone(event: Event, ran: Act, history: History, among: Sequence[Event]) -> Iterator[Finding]:
    targets = taken_back(ran.command)
    written = _reach(targets, ran.command, among) if targets else []
    if not written:
        return
    last = written[-1]
    act = act_of(last)
    yield Finding(
        kind=CorrectionKind.REVERTED,
        reaction=event,
        act_event=last,
        act=act,
        quote=history.task() if event.kind is EventKind.TOOL_RESULT else "",
        task="",
        confidence=0.9,
        durable=None,
        cause=f"took the change back with `{ran.short}`",
        before=act.text if act else "",
        after=ran.short,
    )


def _reach(targets: Sequence[str], command: str, among: Sequence[Event]) -> list[Event]:
    """The agent's edits that a command takes back: those it names; of all, those that no commit has, or only those."""
    found: list[Event] = []
    committed: list[Event] = []
    for event in among:
        if edited(event):
            found.append(event)
        elif commits(_command(event)):
            committed += found
            found = []
    paths = [target for target in targets if target not in (NEW, COMMIT)]
    reached = [one for one in found if any(names(path, _path(one)) for path in paths)]
    if NEW in targets:
        reached += [one for one in found if (one.payload.get("wrote") or {}).get("was") == ""]
    if COMMIT in targets and _named(commits_named(command), among):
        reached = committed + reached
    if ALL not in targets:  # a path can be taken from any commit
        reached = [one for one in committed if any(names(path, _path(one)) for path in paths)] + reached
    return reached


def _named(commits_: Sequence[str], among: Sequence[Event]) -> bool:
    """Is one of these the newest commit, or one that a command of the session told of?"""
    if any(name.startswith(("HEAD", "@")) for name in commits_):
        return True
    told = [str(e.payload.get("output", "")) for e in among if commits(_command(e))]
    return any(len(name) >= 7 and name[:7] in output for name in commits_ for output in told)


def _command(event: Event) -> str:
    if event.kind is EventKind.STEER:
        return str(event.payload.get("ran", ""))
    act = act_of(event) if event.kind is EventKind.TOOL_RESULT else None
    return act.command if act else ""


def _path(event: Event) -> str:
    act = act_of(event)
    return act.path if act else ""


def _silently_denied(event: Event) -> bool:
    return (
        event.kind is EventKind.TOOL_DENIED and event.payload.get("by") == "person" and not event.payload.get("words")
    )
