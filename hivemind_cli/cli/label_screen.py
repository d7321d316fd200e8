"""The screen on which a person labels: one turn at a time, fitted to the terminal, one key for each answer."""

import contextlib
import io
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

ESCAPE = "\x1b"
KINDS = {
    "c": ("correction", "correction", "What the agent did, said or planned is wrong, unwanted, or must be otherwise."),
    "f": ("failure_report", "failure report", "It does not work; how it should be done is not said."),
    "n": ("new_request", "new request", "On to something else, or further; nothing is put right."),
    "a": ("approval", "approval", "Yes, go on, thanks."),
    "q": ("question", "question", "A question that does not object."),
    "o": ("other", "other", "An answer to the agent's question, pasted information, small talk."),
}
"""Key -> (kind, its short name, what it means)."""
DURABLE = {None: "not said", True: "lasting", False: "one-off"}
NEXT_DURABLE = {None: True, True: False, False: None}
_PASTE_BEGINS, _PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
_LOOK_S = 0.5
"""So often the terminal's size is looked at."""
_SEQUENCE_S = 0.05
"""What follows an Esc so soon belongs to it: an arrow key, not a person leaving."""
Line = tuple[str, str]
"""Text, and its ANSI style ("" for none)."""
_BOLD, _DIM, _CYAN = "1", "2", "36"
_BODY_MIN = 4


class Screen:
    """The terminal, taken over: raw keys in, whole screens out. Leaves it as it was, whatever ends it."""

    def __init__(self, stdin: int = 0, stdout: int = 1) -> None:
        self._in, self._out = stdin, stdout
        self._keys = b""
        self._size = (80, 24)
        self._lines: list[Line] = []

    @contextlib.contextmanager
    def taken(self) -> Iterator["Screen"]:
        """While the terminal is ours."""
        before = termios.tcgetattr(self._in)
        ended = {one: signal.signal(one, _leave) for one in (signal.SIGTERM, signal.SIGHUP)}
        try:
            tty.setcbreak(self._in)
            ours = termios.tcgetattr(self._in)
            off = os.fpathconf(self._in, "PC_VDISABLE")
            for key in (termios.VSUSP, termios.VQUIT):  # suspended, or killed so, it would leave a raw terminal behind
                ours[6][key] = bytes([off])
            termios.tcsetattr(self._in, termios.TCSANOW, ours)
            self._write("\x1b[?1049h\x1b[?25l\x1b[?2004h")
            yield self
        finally:
            with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
                self._write("\x1b[?2004l\x1b[?25h\x1b[?1049l")
                termios.tcsetattr(self._in, termios.TCSADRAIN, before)
            for one, handler in ended.items():
                signal.signal(one, handler)

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows), never 0."""
        try:
            size = os.get_terminal_size(self._out)
        except OSError:
            return 80, 24
        return max(size.columns, 1) or 80, max(size.lines, 1) or 24

    def show(self, lines: list[Line]) -> None:
        """Replace what is on the screen."""
        width, height = self._size = self.size
        plain = bool(os.environ.get("NO_COLOR"))
        rows = [
            text if plain or not style else f"\x1b[{style}m{text}\x1b[0m"
            for text, style in ((_clipped(text, width), style) for text, style in lines[:height])
        ]
        self._write("\x1b[H" + "\r\n".join(f"\x1b[2K{row}" for row in rows) + "\x1b[J")

    def key(self) -> str:
        """The next key, lower case; ESCAPE also where nobody can type any more; "" if the size has changed."""
        while True:
            found = self._taken_key()
            if found:
                return found
            if not select.select([self._in], [], [], _LOOK_S)[0]:
                if self.size != self._size:
                    return ""
                continue
            try:
                more = os.read(self._in, 1024)
            except OSError:  # hung up
                more = b""
            if not more:
                return ESCAPE
            self._keys += more

    def _taken_key(self) -> str:
        """A whole key of what was typed so far; what is pasted and what is no letter means nothing."""
        while self._keys:
            if self._keys.startswith(_PASTE_BEGINS):
                _, ended, self._keys = self._keys.partition(_PASTE_ENDS)
                if not ended:
                    self._keys = _PASTE_BEGINS
                    return ""
                continue
            if self._keys.startswith(b"\x1b"):
                if len(self._keys) == 1 and not self._follows():
                    self._keys = b""
                    return ESCAPE
                self._keys = _after_sequence(self._keys)
                continue
            size = next(n for n in (1, 2, 3, 4) if n == 4 or _whole(self._keys[:n]))
            key, self._keys = self._keys[:size], self._keys[size:]
            letter = key.decode("utf-8", "ignore").lower()
            if letter:
                return letter
        return ""

    def _follows(self) -> bool:
        if not select.select([self._in], [], [], _SEQUENCE_S)[0]:
            return False
        self._keys += os.read(self._in, 1024)
        return len(self._keys) > 1

    def _write(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "replace"))
        while data:
            data = data[os.write(self._out, data) :]


def is_terminal() -> bool:
    """Can somebody see the screen and press keys?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def turn_lines(
    shown: Mapping[str, Any], *, width: int, height: int, place: str, durable: bool | None, message: str = ""
) -> list[Line]:
    """The screen for one turn, at most `height` lines of `width` columns. The keys stay in sight; words give way."""
    footer = _footer(width, durable, message)
    header: list[Line] = [
        (_one_line(", ".join(one for one in (place, shown["project"], shown["host"]) if one)), _DIM),
        ("", ""),
    ]
    room = height - len(footer) - len(header)
    if room < _BODY_MIN:
        header, room = [], height - len(footer)
    if room < _BODY_MIN:
        footer = footer[: max(height - _BODY_MIN, 0)]
        room = height - len(footer)
    said = _wrapped(shown["said"], width - 2)
    did = [_one_line(one) for one in shown["did"]]
    replied = _wrapped(shown["replied"], width - 2)
    for_agent = max(room - 2 - len(said), (room - 2) // 2) - 1 if did or replied else 0
    agent = _agent(did, replied, for_agent) if for_agent > 1 else []
    room -= len(agent) + 1
    body: list[Line] = [*agent, ("You said", _BOLD), *((f"  {line}", "") for line in _head(said, max(room, 1)))]
    gap = height - len(header) - len(body) - len(footer)
    return [*header, *body, *([("", "")] * max(gap, 0)), *footer][:height]


def help_lines(width: int, height: int) -> list[Line]:
    """What the keys mean."""
    lines: list[Line] = [("What is what you said, seen from what the agent had just done?", _BOLD), ("", "")]
    for key, (_, name, meaning) in KINDS.items():
        first, *rest = _wrapped(f"{name}: {meaning}", width - 4)
        lines += [(f" {key}  {first}", ""), *((f"    {line}", "") for line in rest)]
    more = {
        "d": "lasting: would it hold for later work, too? Press it before c; again for one-off.",
        "u": "undo: take the last label back, and see that turn again.",
        "s": "skip: you cannot tell. It is not asked again.",
        "Esc": "leave. Everything so far is kept; the next time goes on here.",
    }
    lines.append(("", ""))
    for key, meaning in more.items():
        first, *rest = _wrapped(meaning, width - 6)
        lines += [(f" {key:<3}  {first}", ""), *((f"      {line}", "") for line in rest)]
    return [*lines[: max(height - 2, 1)], ("", ""), ("any key: back", _DIM)][-height:]


def _agent(did: list[str], replied: list[str], room: int) -> list[Line]:
    """What the agent did and the end of what it said, in `room` lines and one of space."""
    acts = did[-max(min(len(did), room - 1 if not replied else (room + 1) // 2), 1) :] if did else []
    left = room - 1 - len(acts)
    tail = replied[-left:] if left > 0 and replied else []
    if len(tail) < len(replied) and tail:
        tail[0] = "…"
    lines: list[Line] = [("The agent", _BOLD)]
    lines += [(f"  {act}", _CYAN) for act in acts] + [(f"  {line}", "") for line in tail]
    return [*lines, ("", "")]


def _footer(width: int, durable: bool | None, message: str) -> list[Line]:
    keys = [f"{key} {name}" for key, (_, name, _) in KINDS.items()]
    others = [f"d lasting? {DURABLE[durable]}", "u undo", "s skip", "? help", "Esc leave"]
    lines: list[Line] = [(_one_line(message), _BOLD)]
    lines += [(line, "") for words in (keys, others) for line in _flowed(words, width)]
    return lines


def _flowed(words: list[str], width: int) -> list[str]:
    lines = [""]
    for word in words:
        joined = f"{lines[-1]}  {word}" if lines[-1] else word
        if cell_len(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _head(lines: list[str], room: int) -> list[str]:
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], f"… {len(lines) - room + 1} more lines"] if room > 1 else lines[:1]


def _wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns; nothing in it can move the cursor."""
    clean = "\n".join(_printable(line.replace("\t", "    ")) for line in text.splitlines())
    lines = Text(clean).wrap(_PLAIN, max(width, 2))
    return [line.plain.rstrip() for line in lines if line.plain.strip()] or [""]


_PLAIN = Console(file=io.StringIO(), width=80)
"""Wrapping wants one; nothing is written to it."""


def _one_line(text: str) -> str:
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _clipped(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _whole(key: bytes) -> bool:
    try:
        return bool(key.decode())
    except UnicodeDecodeError:
        return False


def _after_sequence(keys: bytes) -> bytes:
    """What stands behind the escape sequence at the beginning: CSI and SS3 to their final byte, else one key."""
    if keys[1:2] not in (b"[", b"O"):
        return keys[2:]
    end = next((n for n, byte in enumerate(keys[2:], 3) if 0x40 <= byte <= 0x7E), len(keys))
    return keys[end:]


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
