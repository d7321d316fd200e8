"""`tool_retry`: an error, and what then worked: the same job called otherwise, or what was done in between."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import PurePosixPath

from hivemind_cli.core.acts import SHELL, Act
from hivemind_cli.core.records import CorrectionKind, Event, EventKind
from hivemind_cli.core.shell import simple_commands
from hivemind_cli.pipeline.detect.checks import failing_lines, red
from hivemind_cli.pipeline.detect.errors import error_lines, normal_error
from hivemind_cli.pipeline.detect.finding import Finding, History, act_of, edited
from hivemind_cli.pipeline.detect.runners import checks_of

CALLS_MAX = 16
"""Calls between an error and the call that worked."""
FILES_MAX = 3
"""Files edited in between; more is development, not a fix."""
STEPS_MAX = 4
NAMED_MAX = 10
DIFF_LINES_MAX = 12
LINE_CHARS_MAX = 200
COMMAND_CHARS_MAX = 500
COMPARED_CHARS = 2000
ALIKE_MIN = 0.5
"""Share of the characters that two calls of one program have in common to be about the same."""
_ENDS = (EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE)
_LOOKS = frozenset(
    {"cat", "bat", "ls", "find", "fd", "grep", "rg", "head", "tail", "less", "wc", "stat", "file", "which", "echo"}
    | {"printf", "sed", "awk", "tree", "pwd", "type", "env", "ps", "diff", "cd", "sleep", "man", "jq", "sort"}
    | {"git log", "git status", "git diff", "git show", "git branch", "git blame", "git remote", "gh run", "gh pr"}
)
"""Programs that look, and change nothing that could have helped."""
_HANDLES = frozenset({"rm", "mv", "cp", "touch", "chmod", "chown", "mkdir", "ln", "git", "code", "vim", "nano", "open"})
_RUNS = frozenset({"run", "exec", "x", "dlx", "compose", "pip"})
"""Words by which one program runs another."""


def tool_retry(event: Event, history: History) -> Iterator[Finding]:
    """An error of a command, and the call that then worked; `after` is what helped."""
    act = act_of(event)
    if event.kind is not EventKind.TOOL_RESULT or act is None or not act.heads or call_failed(event, act):
        return
    steps: list[Event] = []
    agent = event.payload.get("agent_id")
    done = [e for e in history.since_prompt() if e.kind in _ENDS and e.payload.get("agent_id") == agent]
    for n, earlier in enumerate(reversed(done[-CALLS_MAX:])):
        tried = act_of(earlier)
        if not tried or not tried.heads:
            steps += [earlier] if edited(earlier) else []
            continue
        if earlier.payload.get("not_run"):
            continue
        failed = call_failed(earlier, tried)
        if same_job(tried, act) or (failed and n == 0 and stands_in(tried, act)):
            after = _fix(tried, act, steps[::-1], history) if failed else ""
            if after:
                yield _pair(earlier, tried, event, after, history)
            return
        steps += [] if failed else [earlier]


def _pair(earlier: Event, tried: Act, event: Event, after: str, history: History) -> Finding:
    return Finding(
        kind=CorrectionKind.TOOL_RETRY,
        reaction=event,
        act_event=earlier,
        act=tried,
        quote="",
        task=history.task(),
        confidence=0.7,
        durable=None,
        cause="an error, and the call that then worked",
        before=f"{' '.join(tried.command.split())[:COMMAND_CHARS_MAX]}\n{_told(earlier, tried)}",
        after=after,
    )


def call_failed(event: Event, act: Act) -> bool:
    """Did the command fail by itself: neither stopped nor refused; a check says so, too, whatever its exit code?"""
    if event.kind is EventKind.TOOL_FAILURE:
        return not (event.payload.get("interrupted") or event.payload.get("not_run"))
    return bool(checks_of(act.command)) and red(str(event.payload.get("output", "")))


def _told(event: Event, act: Act) -> str:
    """The error, folded: of a check what failed, else the lines that tell."""
    error = str(event.payload.get("error") or event.payload.get("output", ""))
    names = failing_lines(error)[:NAMED_MAX] if checks_of(act.command) else []
    return "\n".join(dict.fromkeys(map(normal_error, names))) or error_lines(error)


def same_job(one: Act, other: Act) -> bool:
    """Do two commands run the same program for the same thing?"""
    if one.command == other.command:
        return True
    if one.heads[0].split(" ")[0] != other.heads[0].split(" ")[0] or only_looks(one):
        return False
    files, others = _files(one), _files(other)
    if files and others and not files & others:
        return False
    if one.heads[0] != other.heads[0] and not _typo(one.heads[0], other.heads[0]):
        return False
    shared = _words(one) & _words(other) - set(one.heads[0].split(" "))
    alike = SequenceMatcher(None, one.command[:COMPARED_CHARS], other.command[:COMPARED_CHARS])
    return bool(shared) or alike.ratio() >= ALIKE_MIN


def _typo(one: str, other: str) -> bool:
    return one.count(" ") == other.count(" ") == 1 and SequenceMatcher(None, one, other).ratio() >= 0.8


def stands_in(tried: Act, act: Act) -> bool:
    """Does another program do what the first was asked to, with the same words?"""
    program = act.heads[0].split(" ")[0]
    if program in _LOOKS or program in _HANDLES:
        return False
    asked, now = _words(tried), _words(act)
    return len(asked) > 1 and asked - {_program(tried)} <= now and now <= asked | _RUNS | {_program(act)}


def _fix(tried: Act, act: Act, steps: Sequence[Event], history: History) -> str:
    """What helped, oldest first, a line each; "" if nothing did."""
    edits = [step for step in steps if edited(step)]
    if len({_path(step) for step in edits}) > FILES_MAX:
        return ""
    if tried.command != act.command:
        return "\n".join([*(_diff(step, history) for step in edits[-STEPS_MAX:]), act.command])
    told = [_diff(step, history) if edited(step) else changing_command(step) for step in steps]
    helped = list(dict.fromkeys(filter(None, told)))[-STEPS_MAX:]
    return "\n".join([*helped, *([act.command] if helped and not edits else [])])


def _diff(step: Event, history: History) -> str:
    """An edit as its path and its lines."""
    call_id = step.payload.get("call_id")
    call = history.last(EventKind.TOOL_CALL, where=lambda e: e.payload.get("call_id") == call_id)
    return "\n".join([_path(step), *changed_lines(step, call)])


def changed_lines(step: Event, call: Event | None) -> list[str]:
    """What an edit took away (`-`) and wrote (`+`), as far as its call is known."""
    act = act_of(step)
    given = call.payload.get("input") if call else None
    old = str(given.get("old_string", "")).splitlines() if isinstance(given, dict) else []
    new = act.text.splitlines() if act else []
    gone = [f"-{line[:LINE_CHARS_MAX]}" for line in old if line not in new][:DIFF_LINES_MAX]
    come = [f"+{line[:LINE_CHARS_MAX]}" for line in new if line not in old][:DIFF_LINES_MAX]
    return gone + come


def _path(step: Event) -> str:
    act = act_of(step)
    return act.path if act else ""


def changing_command(step: Event) -> str:
    """A command that may have helped, on one line; "" for what only looks or checks."""
    act = act_of(step)
    if act is None or act.kind != SHELL or only_looks(act):
        return ""
    return "" if checks_of(act.command) else " ".join(act.command.split())[:COMMAND_CHARS_MAX]


def only_looks(act: Act) -> bool:
    """Does a command only show things?"""
    return all(head in _LOOKS or head.split(" ")[0] in _LOOKS for head in act.heads)


def _program(act: Act) -> str:
    return act.heads[0].split(" ")[0]


def _words(act: Act) -> set[str]:
    """The words of the first command that is no stage for another, options left out."""
    head = act.heads[0].split(" ")[0]
    for words in simple_commands(act.command):
        if PurePosixPath(words[0]).name == head:
            return {head, *(word for word in words[1:] if not word.startswith("-"))}
    return set()


def _files(act: Act) -> set[str]:
    return {PurePosixPath(word).name for word in _words(act) if "." in word[1:] or "/" in word}
