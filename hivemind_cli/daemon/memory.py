"""Memory that the daemon holds without need goes back to the system. Linux only; elsewhere nothing is done."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

MAPPED_MAX_BYTES = 80_000_000
"""Of files in memory; 70 MB are code. Searches map the corpus piece by piece, and no piece goes by itself."""
RESIDENT_MAX_BYTES = 170_000_000
"""Above it what only saves reading again is given back before the next tick; the goal is 200 MB."""
LOOK_S = 0.5
"""Between two looks at how much is resident (20 us)."""
GROWN_BYTES = 10_000_000
"""Where more than RESIDENT_MAX_BYTES is needed, nothing is given back until it has grown by so much again."""
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""malloc.h."""
_APART_BYTES = 256 << 10
"""Whatever is larger is mapped by itself, and gone when it is freed; by default that grows to 32 MB, whose pieces stay
(half of the heap: 46 of 79 MB after 100 sessions, and 3 of 29 so)."""
_TRIM_BYTES = 4 << 20
_MADV_PAGEOUT = 21
"""mman.h. Unlike MADV_DONTNEED it harms nothing where another thread has mapped something else there meanwhile."""


def few_heaps() -> None:
    """glibc gives every thread a heap of its own and never takes it back: 60 MB after an import (measured)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_M_ARENA_MAX, 2)
            library.mallopt(_M_MMAP_THRESHOLD, _APART_BYTES)
            library.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


class Ceiling:
    """Says when memory is to be given back, at most every LOOK_S."""

    def __init__(self, resident_max: int = RESIDENT_MAX_BYTES) -> None:
        self._resident_max = self._most = resident_max
        self._look_at = 0.0

    def reached(self, now: float) -> bool:
        """Is too much resident? `now` in seconds, monotonic."""
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_S
        return _resident_bytes() > self._most

    def lowered(self) -> None:
        """All that could be given back was."""
        self._most = max(self._resident_max, _resident_bytes() + GROWN_BYTES)


def give_back(folder: Path, *, mapped_max: int = MAPPED_MAX_BYTES) -> None:
    """What was freed, which glibc keeps: 10 MB after some hundred sessions (measured). Above `mapped_max` bytes of
    files in memory those mapped from `folder`, too: who needs them reads them again."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError, ValueError):  # another C library, no /proc
        library = ctypes.CDLL(None)
        library.malloc_trim(0)
        if _mapped_bytes() > mapped_max:
            library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
            for start, end in _mappings(folder):
                library.madvise(start, end - start, _MADV_PAGEOUT)


def _resident_bytes() -> int:
    """Of this process, in memory now; 0 where the system does not say."""
    try:
        return _statm(1)
    except OSError:
        return 0


def _mapped_bytes() -> int:
    """Of files, in memory now."""
    return _statm(2)


def _statm(field: int) -> int:
    """A field of proc(5) statm, in bytes."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[field]) * os.sysconf("SC_PAGE_SIZE")


def _mappings(folder: Path) -> list[tuple[int, int]]:
    """From, to: of files in `folder` that are mapped to be read."""
    found = []
    for line in Path("/proc/self/maps").read_bytes().split(b"\n"):
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and b"w" not in fields[1] and fields[5].startswith(os.fsencode(folder) + b"/"):
            start, end = (int(one, 16) for one in fields[0].split(b"-"))
            found.append((start, end))
    return found
