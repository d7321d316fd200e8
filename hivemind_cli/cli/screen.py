"""The terminal, taken over: whole screens of lines out, one key at a time in. Nothing in a line can move the cursor."""

import contextlib
import io
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

ESCAPE = "\x1b"
Line = tuple[str, str]
"""Text, and its ANSI style ("" for none)."""
PLAIN, BOLD, DIM, RED, GREEN, YELLOW, CYAN = "", "1", "2", "31", "32", "33", "36"
UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = "up", "down", "page up", "page down", "home", "end"
_MOVES = {
    **{
        f"\x1b{lead}{letter}".encode(): key
        for lead in "[O"
        for letter, key in {"A": UP, "B": DOWN, "H": HOME, "F": END}.items()
    },
    b"\x1b[5~": PAGE_UP,
    b"\x1b[6~": PAGE_DOWN,
    b"\x1b[1~": HOME,
    b"\x1b[4~": END,
}
_PASTE_BEGINS, _PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
_TAKE, _GIVE_BACK = "\x1b[?1049h\x1b[?25l\x1b[?2004h", "\x1b[?2004l\x1b[?25h\x1b[?1049l"
_LOOK_S = 0.5
"""So often the terminal's size is looked at."""
_SEQUENCE_S = 0.05
"""What follows an Esc so soon belongs to it: an arrow key, not a person leaving."""


class Screen:
    """Raw keys in, whole screens out. Leaves the terminal as it was, whatever ends it.

    moves  arrows, Page Up and Down, Home and End are keys too (UP, DOWN, ...); else they mean nothing
    """

    def __init__(self, stdin: int = 0, stdout: int = 1, *, moves: bool = False) -> None:
        self._in, self._out, self._moves = stdin, stdout, moves
        self._before: list[Any] | None = None
        self._keys = b""
        self._size = (80, 24)
        self._lines: list[Line] = []

    @contextlib.contextmanager
    def taken(self) -> Iterator["Screen"]:
        """While the terminal is ours."""
        self._before = termios.tcgetattr(self._in)
        ended = {one: signal.signal(one, _leave) for one in (signal.SIGTERM, signal.SIGHUP)}
        try:
            self._take()
            yield self
        finally:
            with contextlib.suppress(OSError, termios.error):  # the terminal may be gone
                self._give_back()
            for one, handler in ended.items():
                signal.signal(one, handler)

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """While another program has the terminal: an editor. Its Ctrl-C is not ours."""
        heeded = signal.signal(signal.SIGINT, _unheeded)  # no SIG_IGN: the program would inherit that
        try:
            self._give_back()
            yield
        finally:
            self._keys = b""
            self._take()
            signal.signal(signal.SIGINT, heeded)

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
            for text, style in ((clipped(text, width), style) for text, style in lines[:height])
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

    def _take(self) -> None:
        tty.setcbreak(self._in)
        ours = termios.tcgetattr(self._in)
        off = os.fpathconf(self._in, "PC_VDISABLE")
        for key in (termios.VSUSP, termios.VQUIT):  # suspended, or killed so, it would leave a raw terminal behind
            ours[6][key] = bytes([off])
        termios.tcsetattr(self._in, termios.TCSANOW, ours)
        self._write(_TAKE)

    def _give_back(self) -> None:
        self._write(_GIVE_BACK)
        if self._before is not None:
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)

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
                left = _after_sequence(self._keys)
                move = _MOVES.get(self._keys[: len(self._keys) - len(left)], "") if self._moves else ""
                self._keys = left
                if move:
                    return move
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


def flowed(words: Sequence[str], width: int) -> list[str]:
    """`words` two spaces apart, in as few lines of `width` columns as hold them."""
    lines = [""]
    for word in words:
        joined = f"{lines[-1]}  {word}" if lines[-1] else word
        if cell_len(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def head(lines: list[str], room: int) -> list[str]:
    """The first of `lines` that `room` lines hold, and how many more there are."""
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], f"… {len(lines) - room + 1} more lines"] if room > 1 else lines[:1]


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns; nothing in it can move the cursor."""
    clean = "\n".join(printable(line.replace("\t", "    ")) for line in text.splitlines())
    lines = Text(clean).wrap(_PLAIN, max(width, 2))
    return [line.plain.rstrip() for line in lines if line.plain.strip()] or [""]


_PLAIN = Console(file=io.StringIO(), width=80)
"""Wrapping wants one; nothing is written to it."""


def one_line(text: str) -> str:
    """`text` on one line."""
    return " ".join(printable(text).split())


def printable(text: str) -> str:
    """`text` with a space for whatever is no sign to be seen."""
    return "".join(char if char.isprintable() else " " for char in text)


def clipped(text: str, width: int) -> str:
    """`text` in at most `width` columns."""
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


def _unheeded(number: int, frame: FrameType | None) -> None:
    """For the program that has the terminal now."""
