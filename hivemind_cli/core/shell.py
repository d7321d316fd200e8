"""A shell line taken apart into its simple commands, as far as that goes without running it.

Quotes, substitutions, subshells, redirections, comments and heredocs are understood; a heredoc's body is data, not
commands. What runs another command (`sudo`, `xargs`, `bash -c`) gives way to the command it runs.
"""

import re
from functools import lru_cache
from pathlib import PurePosixPath

_ASSIGNMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*\+?=")
_REDIRECTION = re.compile(r"(?:\d*|&)(?:>>|>\||>&|<>|<<<|<<-?|<&|>|<)(?!\()")
_WORD_ENDS = frozenset(" \t\r\n;&|()<>")
_DEPTH_MAX = 40
_KEPT_CHARS_MAX = 1000
"""Longer commands are not remembered."""
_OPENERS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"})
"""Words of the shell before a command."""
_CLOSERS = frozenset({"fi", "done", "esac", "}", "for", "case", "select", "function", "in"})
"""Words of the shell in a command's place that run nothing themselves."""
_RUNNERS: dict[str, str] = {
    "sudo": "ughpCDRTU",
    "doas": "uC",
    "env": "uCS",
    "nice": "n",
    "ionice": "cnp",
    "nohup": "",
    "command": "",
    "exec": "a",
    "builtin": "",
    "xargs": "nIPLdsaE",
    "timeout": "ks",
    "stdbuf": "ioe",
    "setsid": "",
}
"""Programs that run the words after them, each with its one-letter options that take a value."""
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "ash"})


def simple_commands(command: str) -> list[list[str]]:
    """The words of each simple command, in order; those of a substitution after the command that holds it.

    Assignments, redirections and comments are left out. Text that is no valid shell (an open quote) is split at
    white space. Never raises.
    """
    kept = _kept(command) if len(command) <= _KEPT_CHARS_MAX else _commands(command)
    return [list(words) for words in kept]


@lru_cache(maxsize=512)
def _kept(command: str) -> tuple[tuple[str, ...], ...]:
    """Every rule of detection reads the same command."""
    return _commands(command)


def _commands(command: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(words) for words in _expanded(command, 0) if words)


def _expanded(command: str, depth: int) -> list[list[str]]:
    try:
        commands = _Reader(command).read("", depth)
    except _NoShell:
        commands = [command.split()]
    found: list[list[str]] = []
    for words in commands:
        run = _run_by(words)
        script = _script(run)
        if script is not None and depth < 5:
            found += _expanded(script, depth + 1)
        else:
            found.append(run)
    return found


def _run_by(words: list[str]) -> list[str]:
    """The words that are really run: without assignments, the shell's own words and runners."""
    rest = words
    while rest:
        name = PurePosixPath(rest[0]).name
        if rest[0] in _OPENERS or _ASSIGNMENT.match(rest[0]):
            rest = rest[1:]
        elif rest[0] in _CLOSERS:
            return []
        elif name in _RUNNERS and len(rest) > 1:
            inner = _after_options(name, rest[1:])
            if not inner:
                return rest
            rest = inner
        else:
            return rest
    return rest


def _after_options(runner: str, words: list[str]) -> list[str]:
    """What `runner` runs; [] if its options only ask something, as `command -v` does."""
    takes_value = _RUNNERS[runner]
    i = 0
    while i < len(words) and (words[i].startswith("-") or _ASSIGNMENT.match(words[i])):
        option = words[i]
        if runner == "command" and option in ("-v", "-V"):
            return []
        i += 1
        if option == "--":
            break
        if len(option) == 2 and option[1] in takes_value:
            i += 1
    return words[i + 1 :] if runner == "timeout" else words[i:]


def _script(words: list[str]) -> str | None:
    """The shell text that `bash -c TEXT` or `eval TEXT` runs."""
    if not words:
        return None
    if words[0] == "eval":
        return " ".join(words[1:])
    if PurePosixPath(words[0]).name not in _SHELLS:
        return None
    for i, word in enumerate(words[1:], 1):
        if not word.startswith(("-", "+")):
            return None
        if not word.startswith("--") and "c" in word:
            return words[i + 1] if i + 1 < len(words) else None
    return None


class _NoShell(Exception):
    """An open quote, or nested beyond reason."""


class _Reader:
    """One pass over a shell text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.heredocs: list[str] = []
        """End words of heredocs whose bodies begin at the next line."""

    def read(self, stop: str, depth: int) -> list[list[str]]:
        """The commands up to `stop` (")", "`", or "" for the end); substitutions' commands follow."""
        if depth > _DEPTH_MAX:
            raise _NoShell
        commands: list[list[str]] = [[]]
        inner: list[list[str]] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            redirection = _REDIRECTION.match(self.text, self.at)
            if char == stop:
                self.at += 1
                break
            if char == "#":
                self._to_line_end()
            elif char in " \t\r":
                self.at += 1
            elif redirection:
                self._redirect(redirection, inner, stop, depth)
            elif self.text.startswith(("<(", ">("), self.at):
                self.at += 2
                inner += self.read(")", depth + 1)
            elif char in "\n;&|()":
                self.at += 1
                if char == "\n":
                    self._skip_heredocs()
                commands.append([])
            else:
                word = self._word(inner, stop, depth)
                if word is not None:
                    commands[-1].append(word)
        return [words for words in commands if words] + inner

    def _redirect(self, match: re.Match[str], inner: list[list[str]], stop: str, depth: int) -> None:
        self.at = match.end()
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        target = self._word(inner, stop, depth)
        if match[0].lstrip("0123456789") in ("<<", "<<-") and target:
            self.heredocs.append(target)

    def _to_line_end(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _skip_heredocs(self) -> None:
        for word in self.heredocs:
            while self.at < len(self.text):
                start = self.at
                self._to_line_end()
                line = self.text[start : self.at]
                self.at += 1
                if line.strip() == word:
                    break
        if self.heredocs:
            self.at = min(self.at, len(self.text))
        self.heredocs = []

    def _word(self, inner: list[list[str]], stop: str, depth: int) -> str | None:
        """The word at the current place, without its quotes; None where only a line continuation stood."""
        parts: list[str] = []
        start = self.at
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in _WORD_ENDS or char == stop:
                break
            if char == "\\":
                parts.append(self.text[self.at + 1 : self.at + 2].replace("\n", ""))
                self.at += 2
            elif char == "'":
                parts.append(self._to("'"))
            elif char == '"':
                self._double(parts, inner, depth)
            elif not self._substituted(parts, inner, depth):
                parts.append(char)
                self.at += 1
        word = "".join(parts)
        return None if not word and self.text[start : self.at] in ("\\\n", "") else word

    def _to(self, mark: str) -> str:
        """What stands between the mark here and the next one."""
        end = self.text.find(mark, self.at + 1)
        if end < 0:
            raise _NoShell
        said = self.text[self.at + 1 : end]
        self.at = end + len(mark)
        return said

    def _double(self, parts: list[str], inner: list[list[str]], depth: int) -> None:
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return
            if char == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                parts.append("" if following == "\n" else following if following in '$`"\\' else char + following)
                self.at += 2
            elif not self._substituted(parts, inner, depth):
                parts.append(char)
                self.at += 1
        raise _NoShell

    def _substituted(self, parts: list[str], inner: list[list[str]], depth: int) -> bool:
        """Step over a `$(...)`, `${...}` or backticks; False if none stands here."""
        if self.text.startswith("$((", self.at):
            self._skip_arithmetic()
        elif self.text.startswith("${", self.at):
            end = self.text.find("}", self.at)
            self.at = len(self.text) if end < 0 else end + 1
        elif self.text.startswith("$(", self.at):
            self.at += 2
            inner += self.read(")", depth + 1)
        elif self.text[self.at] == "`":
            self.at += 1
            inner += self.read("`", depth + 1)
        else:
            return False
        parts.append("$")
        return True

    def _skip_arithmetic(self) -> None:
        depth = 0
        while self.at < len(self.text):
            depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
            self.at += 1
            if depth == 0 and self.text[self.at - 1] == ")":
                return
