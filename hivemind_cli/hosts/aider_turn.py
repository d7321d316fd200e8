"""What aider's history shows within a session: prompts, the person's own commands, edits and what became of them.

Edits stand in the reply, as SEARCH/REPLACE blocks, whole files or diffs; aider's own lines say later which were applied
and committed. A shell command the model proposes is told when aider asks for it, or runs it.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from hivemind_cli.core.acts import EDIT, SHELL, Act
from hivemind_cli.hosts import values
from hivemind_cli.hosts.base import Seen
from hivemind_cli.hosts.claude.words import persons_words
from hivemind_cli.hosts.fences import fences
from hivemind_cli.hosts.telling import Teller

_SEARCH = re.compile(r"<{5,9} SEARCH")
_DIVIDER = re.compile(r"={5,9}\s*\Z")
_REPLACE = re.compile(r">{5,9} REPLACE\s*\Z")
_ASKED = re.compile(r"\(Y\)es/\(N\)o[^\n]*\]: ?(?P<answer>\w*)\s*\Z|\? (?P<older>y|n|yes|no)\s*\Z")
_OLD_COMMIT = 100
"""Groups of edits that /undo can still name."""
_OWN_COMMANDS = re.compile(r"(?:/run\b|/test\b|!)\s*(?P<command>\S.*)|/git\s+(?P<git>\S.*)", re.DOTALL)
_HELP = "\n# Announcement lines from when this session of aider was launched"
_SHELL_INFOS = frozenset({"bash", "sh", "shell", "zsh", "cmd", "batch", "powershell", "ps1", "fish"})
_UNASKED = re.compile(r"\S*aider(?:\.exe)? .*--yes\b")
"""The command line, which aider notes at each start: with it, aider answers its own questions, some with no."""
_BLANK = "<blank>"
_CHOICE = "(Y)es/(N)o"


class Turn:
    """Feed it the parts of a session, in order."""

    def __init__(self, teller: Teller, times: dict[str, list[datetime]]) -> None:
        self._teller = teller
        self._times = times
        self._working = False
        """Has the model been asked, and not yet answered in full?"""
        self._open: list[tuple[str, str]] = []
        """(path, call id) of edits without an end."""
        self._applied: list[str] = []
        """Paths edited since the last commit."""
        self._commits: list[list[str]] = []
        self._aside: list[str] = []
        """aider's lines since the last that said something: the command it asks about stands before the question."""
        self._undoing = self._unasked = False
        self._reply = self._words = ""
        """What the model said last; the same without the edits in it."""
        self._cut = False
        self._allowed: list[str] = []
        """Commands the person has allowed, and that are about to run."""

    def take(self, kind: str, text: str) -> Iterator[Seen]:
        """What one part shows: kind is said, aside or reply."""
        if kind == "said":
            yield from self._said(text.strip())
        elif kind == "reply":
            yield from self._replied(text.strip())
        else:
            yield from self._told(text)

    def end(self) -> Iterator[Seen]:
        """The last turn's words."""
        yield from self._settle()

    def _settle(self) -> Iterator[Seen]:
        """The turn is over: what the model said last is its reply, whatever was run after it."""
        words, self._words = self._words, ""
        cut, self._cut = self._cut, False
        if words:
            self._teller.reply(words)
            yield from self._teller.flush(aborted=cut)

    def _said(self, text: str) -> Iterator[Seen]:
        self._aside.clear()
        at = self._time(text)
        if text in ("", _BLANK) or _CHOICE in text:
            return
        own = _OWN_COMMANDS.match(text)
        if own:
            ran = own["command"] or f"git {own['git']}"
            yield from self._settle()
            yield from self._teller.steer("", at, ran=ran.strip())
            return
        if text.startswith("/"):
            self._undoing = text.split()[0] == "/undo"
            return
        said = persons_words(text.partition(_HELP)[0].removeprefix("# Question: "))
        if said:
            yield from self._settle()
            self._open.clear()
            self._working = True
            yield from self._teller.prompt(said, at)

    def _time(self, text: str) -> datetime | None:
        typed = self._times.get(text)
        return typed.pop(0) if typed else None

    def _replied(self, text: str) -> Iterator[Seen]:
        """The words around the edits are the reply; the edits come before it, for a call ends what was said."""
        self._reply = text
        self._aside.clear()
        words: list[str] = []
        for before, old, new in _blocks(text):
            words.append(before)
            path = _path_above(before) if new is not None else ""
            if not path and self._open and not before.strip("` \n"):
                path = self._open[-1][0]
            if path and new is not None:
                yield self._edit(path, new, old)
        self._words = "\n".join(words).strip() or text

    def _edit(self, path: str, new: str, old: str = "") -> Seen:
        act = Act(EDIT, "edit", path=values.relative(path, self._teller.cwd), text=values.short(new))
        told = {"path": path, "old_string": old, "new_string": new}
        call_id = self._teller.call_id("edit", told)
        self._open.append((path, call_id))
        return self._teller.call(call_id, "edit", act, told)

    def _told(self, text: str) -> Iterator[Seen]:
        words = text.split(" ", 2)
        self._unasked = self._unasked or _UNASKED.match(text) is not None
        if text.startswith("Applied edit to "):
            yield from self._applied_to(text.removeprefix("Applied edit to ").strip())
        elif text.startswith(("Skipping edits to ", "Did not apply edit to ")):
            path = text.partition(" edits to " if text.startswith("Skipping") else " edit to ")[2].strip()
            bare = path.split(" that matches")[0].split(" (--dry-run)")[0]
            yield from self._refused(bare, by_person=bare == path)
        elif "failed to match" in text or "did not conform to the edit format" in text:
            yield from self._failed(text)
        elif words[0] == "Commit" and len(words) > 1 and re.fullmatch(r"[0-9a-f]{6,40}", words[1]):
            self._commits = [*self._commits, self._applied][-_OLD_COMMIT:]
            self._applied = []
        elif text.startswith("Removed: ") and self._undoing:
            yield from self._undone()
        elif text.startswith("Tokens: "):
            self._working = False
        elif text.startswith("^C"):
            if self._working:
                self._working, self._cut = False, True
                yield from self._teller.interrupt()
        else:
            yield from self._asked(text)
            return
        self._aside.clear()

    def _applied_to(self, path: str) -> Iterator[Seen]:
        ended = [call for named, call in self._open if named == path]
        if not ended:
            body = _whole(self._reply, path)
            yield self._edit(path, body)
            ended = [self._open[-1][1]]
        self._open = [one for one in self._open if one[1] not in ended]
        self._applied.append(path)
        for call_id in ended:
            tool_input = self._teller.called(call_id)[2]
            old = set(values.string(tool_input, "old_string").splitlines())
            lines = [line for line in values.string(tool_input, "new_string").splitlines() if line not in old]
            wrote = {"path": values.absolute(path, self._teller.cwd), "written": "\n".join(lines)}
            yield self._teller.result(call_id, f"Applied edit to {path}", wrote=wrote)

    def _refused(self, path: str, *, by_person: bool) -> Iterator[Seen]:
        ended = [call for named, call in self._open if named == path]
        self._open = [one for one in self._open if one[0] != path]
        for call_id in ended:
            yield self._teller.denied(call_id, "person" if by_person and not self._unasked else "rule")

    def _failed(self, text: str) -> Iterator[Seen]:
        for _, call_id in self._open:
            yield self._teller.failure(call_id, text)
        self._open = []

    def _undone(self) -> Iterator[Seen]:
        """/undo checks the files of aider's last commit out as they were before it."""
        yield from self._settle()
        self._undoing = False
        paths = self._commits.pop() if self._commits else []
        named = " ".join(dict.fromkeys(paths))
        ran = f"git checkout HEAD~1 -- {named}" if named else "git reset --soft HEAD~1"
        yield from self._teller.steer("", ran=ran)

    def _asked(self, text: str) -> Iterator[Seen]:
        asked = _ASKED.search(text)
        if asked and "shell command" in text:
            proposed = self._proposed()
            lines = [line for line in self._aside if line in proposed] or self._aside[-1:]
            command = "\n".join(lines)
            self._aside.clear()
            if (asked["answer"] or asked["older"] or "y")[:1].lower() in ("y", "a"):
                self._allowed = lines
            elif command:
                call_id, call = self._shell(command)
                yield call
                yield self._teller.denied(call_id, "rule" if self._unasked else "person")
        elif text.removeprefix("Running ").strip() in (*self._allowed, *self._proposed()) and text[:8] == "Running ":
            call_id, call = self._shell(text.removeprefix("Running ").strip())
            yield call
            yield self._teller.result(call_id, "")
            self._aside.clear()
        elif asked or not text:
            self._aside.clear()
        else:
            self._aside = [*self._aside, text][-50:]

    def _proposed(self) -> set[str]:
        """Lines of the shell blocks in the reply. With --yes nobody is asked about them."""
        return {
            line.strip()
            for one in fences(self._reply)
            if one.info in _SHELL_INFOS
            for line in one.body.splitlines()
            if line.strip()
        }

    def _shell(self, command: str) -> tuple[str, Seen]:
        told = {"command": command}
        call_id = self._teller.call_id("shell", told)
        return call_id, self._teller.call(call_id, "shell", Act(SHELL, "shell", command=command), told)


def _blocks(text: str) -> Iterator[tuple[str, str, str | None]]:
    """(words before, old, new) of each SEARCH/REPLACE block; last the words behind them, with None."""
    before, old, new = list[str](), list[str](), list[str]()
    part = before
    for line in text.split("\n"):
        if part is before and _SEARCH.match(line):
            part = old
        elif part is old and _DIVIDER.match(line):
            part = new
        elif part is new and _REPLACE.match(line):
            yield "\n".join(before), "\n".join(old), "\n".join(new)
            before, old, new = [], [], []
            part = before
        else:
            part.append(line)
    yield "\n".join([*before, *old, *new]), "", None


def _path_above(before: str) -> str:
    """The file's name stands alone on the line above the block, or above the fence around it."""
    lines = [line.strip() for line in before.rstrip().split("\n")]
    for line in reversed(lines[-3:]):
        if line.startswith("```"):
            rest = line.strip("`").strip()
            if "." in rest and "/" in rest:
                return rest
            continue
        name = line.strip("*`# ").rstrip(":")
        if name and " " not in name:
            return name
        break
    return ""


def _whole(reply: str, path: str) -> str:
    """A file given whole, or its diff, in the fence that stands below its name."""
    for one in fences(reply):
        above = one.above.strip("*`# ").rstrip(":")
        if one.info == "diff" and path in one.body:
            return "\n".join(
                line[1:] for line in one.body.splitlines() if line.startswith("+") and not line.startswith("+++")
            )
        if above in (path, path.rsplit("/", 1)[-1]):
            return one.body.rstrip("\n")
    return ""
