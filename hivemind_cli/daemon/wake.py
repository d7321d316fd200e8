"""Waking the main loop: from any thread, and from a signal handler, where no lock may be taken."""

import os
import selectors


class Wake:
    """A self-pipe, for the life of the process. `set` any number of times ends one `wait`."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)

    def fileno(self) -> int:
        """Readable when set: for a selector."""
        return self._read_fd

    def set(self) -> None:
        """Wake the waiter. Safe in a signal handler."""
        try:
            os.write(self._write_fd, b"\0")
        except OSError:  # full: it is awake already
            pass

    def wait(self, timeout_s: float) -> bool:
        """Until set, or `timeout_s` have passed; was it set? Clears it."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._read_fd, selectors.EVENT_READ)
            was_set = bool(selector.select(max(timeout_s, 0)))
        if was_set:
            self.clear()
        return was_set

    def clear(self) -> None:
        """Forget that it was set: for who watches `fileno` itself."""
        try:
            while len(os.read(self._read_fd, 4096)) == 4096:
                pass
        except OSError:
            pass
