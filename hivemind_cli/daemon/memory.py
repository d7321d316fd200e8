"""Memory that the daemon holds without need goes back to the system. Linux only; elsewhere nothing is done."""

import contextlib
import ctypes
import os
import sys
from pathlib import Path

MAPPED_MAX_BYTES = 100_000_000
"""Of files in memory; 70 MB are code. Searches map the corpus piece by piece, and no piece goes by itself."""
_M_ARENA_MAX = -8
"""malloc.h."""
_MADV_PAGEOUT = 21
"""mman.h. Unlike MADV_DONTNEED it harms nothing where another thread has mapped something else there meanwhile."""


def few_heaps() -> None:
    """glibc gives every thread a heap of its own and never takes it back: 60 MB after an import (measured)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


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


def _mapped_bytes() -> int:
    """Of files, in memory now."""
    shared = int(Path("/proc/self/statm").read_text("ascii").split()[2])
    return shared * os.sysconf("SC_PAGE_SIZE")


def _mappings(folder: Path) -> list[tuple[int, int]]:
    """From, to: of files in `folder` that are mapped to be read."""
    found = []
    for line in Path("/proc/self/maps").read_bytes().split(b"\n"):
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and b"w" not in fields[1] and fields[5].startswith(os.fsencode(folder) + b"/"):
            start, end = (int(one, 16) for one in fields[0].split(b"-"))
            found.append((start, end))
    return found
