"""Hosts of which hooks tell all that is captured while a session runs: no transcript of theirs is followed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hivemind_cli.hosts.base import Seen, Tail


def transcript_of(home: Path, payload: dict[str, Any], *, config_dir: Path | None = None) -> Path | None:
    """None: nothing is to be read beside the hooks."""
    return None


def read_tail(path: Path, offset: int) -> Tail:
    """Nothing new."""
    return Tail(seen=(), offset=offset)


def find_sessions(home: Path, *, config_dir: Path | None = None) -> Iterator[Path]:
    """None, for hosts whose past sessions are not read at all."""
    yield from ()


def sessions_in(path: Path) -> tuple[Path, ...]:
    """() for such hosts."""
    return ()


def read_transcript(path: Path) -> Iterator[Seen]:
    """OSError: such a host has no session that could be named."""
    raise OSError(f"{path} is of a program whose past sessions are not read.")
