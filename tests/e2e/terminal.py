"""A real terminal for the client's own screen: tmux on a private socket, driven by a list of actions."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_POLL_S = 0.2
_SETTLE_S = 0.5
"""The client takes typed text and Enter in one burst for a paste: they need a pause between them."""
_SHOW_S = 30.0
_SHOWN_CHARS = 12
"""So much of what was typed must stand on the screen before we go on; the rest may wrap."""


class Terminal:
    """One program in a 150 x 45 terminal; gone, with all it started, when the block ends."""

    def __init__(self, socket: Path, argv: list[str], cwd: str, env: dict[str, str]) -> None:
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self._argv, self._cwd, self._env = argv, cwd, env

    def __enter__(self) -> "Terminal":
        self._call("new-session", "-d", "-s", "main", "-x", "150", "-y", "45", *self._argv)
        return self

    def __exit__(self, *_: object) -> None:
        self._call("kill-server")

    def act(self, actions: list[list[str]], beside: Callable[[], bool] = bool) -> dict[str, Any]:
        """Do each action; `screens` shows what stood there after each.

        ["see", REGEX, SECONDS]  wait until the screen fits     ["say", TEXT]  type it, then Enter
        ["type", TEXT]           type it                        ["key", NAME]  press a key, as tmux calls it
        ["gone", SECONDS]        wait until the program ended
        ["press", NAME, REGEX, SECONDS]  press a key, again and again, until the screen fits
        ["beside"]               what `beside` does, while the program stays open; was it well?
        """
        screens: list[str] = []
        for verb, *words in actions:
            done = beside() if verb == "beside" else self._act(verb, words)
            screens.append(f"--- {verb} {' '.join(words)}{'' if done else '   <- NEVER CAME'}\n{self._screen()}")
            if not done:
                return {"ok": False, "screens": screens}
        return {"ok": True, "screens": screens}

    def _act(self, verb: str, words: list[str]) -> bool:
        if verb == "see":
            return self._until(lambda: re.search(words[0], self._screen()) is not None, float(words[1]))
        if verb == "gone":
            return self._until(lambda: self._call("has-session", "-t", "main").returncode != 0, float(words[0]))
        if verb == "press":
            return self._until(lambda: self._pressed(words[0], words[1]), float(words[2]))
        if verb == "key":
            self._call("send-keys", "-t", "main", words[0])
            return True
        self._call("send-keys", "-t", "main", "-l", words[0])
        shown = self._until(lambda: words[0][:_SHOWN_CHARS] in self._screen(), _SHOW_S)
        time.sleep(_SETTLE_S)
        if verb == "say":
            self._call("send-keys", "-t", "main", "Enter")
        return shown

    def _pressed(self, key: str, fits: str) -> bool:
        self._call("send-keys", "-t", "main", key)
        time.sleep(_SETTLE_S)
        return re.search(fits, self._screen()) is not None

    def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(_POLL_S)
        return True

    def _screen(self) -> str:
        lines = self._call("capture-pane", "-p", "-t", "main").stdout.splitlines()
        return "\n".join(line.rstrip() for line in lines if line.strip())

    def _call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._tmux, *words], cwd=self._cwd, env=self._env, capture_output=True, text=True, timeout=30
        )
