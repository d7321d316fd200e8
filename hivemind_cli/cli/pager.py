"""Long output goes through the person's pager, as it is made; in a pipe it is only printed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console

from hivemind_cli.cli.output import console


@contextmanager
def paged() -> Iterator[Console]:
    """A console whose output is paged if it is long and a person reads it ($PAGER, else less).

    If the person leaves the pager before all was printed, the body ends there, and nothing else does.
    """
    command = os.environ.get("PAGER", "less")
    program = command.split()[0] if command.split() else ""
    if not (console.is_terminal and sys.stdin.isatty() and program and shutil.which(program)):
        yield console
        return
    # less ends at once where all fits the screen (F), keeps colours (R), and leaves the text standing (X).
    env = {"LESS": "FRX", **os.environ}
    pager = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=env, text=True, encoding="utf-8")
    assert pager.stdin is not None
    try:
        yield Console(
            file=pager.stdin,
            force_terminal=True,
            width=console.width,
            highlight=False,
        )
    except BrokenPipeError:
        pass
    except SystemExit:  # what rich makes of a broken pipe
        if not _gone(pager):
            raise
    finally:
        with suppress(BrokenPipeError, KeyboardInterrupt):
            pager.stdin.close()
        while True:
            with suppress(KeyboardInterrupt):  # for the pager, not for us
                pager.wait()
                break


def _gone(pager: "subprocess.Popen[str]") -> bool:
    """Has it ended, or is it about to?"""
    with suppress(subprocess.TimeoutExpired):
        return pager.wait(timeout=1) is not None
    return False
