"""A person at a terminal: what they press, what they see, and how the terminal is afterwards."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def heeds_interrupts() -> None:
    """For a child: where the tests run in a shell's background, they, and so it, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A person at `hivemind ...`."""

    def __init__(self, *words: str, columns: int = 80, rows: int = 24, **env: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hivemind_cli", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **env},
            start_new_session=True,
            preexec_fn=heeds_interrupts,
        )

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def reads(self, pattern: str, seconds: float = 60.0) -> str:
        """What is shown up to and with `pattern`, since the last time."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            assert time.monotonic() < deadline, (pattern, self.seen)
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
        shown, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return shown

    def ends(self) -> tuple[int, str]:
        """Its exit code, and what it still said; the terminal is as it was."""
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
        while select.select([self.master], [], [], 0.1)[0]:
            self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
        assert termios.tcgetattr(self.slave) == self.before
        code = self.process.wait(timeout=30)
        os.close(self.master)
        os.close(self.slave)
        return code, self.seen
