"""What is mapped and not needed leaves memory, and is there again when it is read."""

import mmap
import os
import sys
from pathlib import Path

import pytest

from hivemind_cli.daemon import memory

BYTES = 8 << 20


def resident(path: Path) -> int:
    """Bytes of `path` that this process has in memory."""
    lines = iter(Path("/proc/self/smaps").read_text().splitlines())
    for line in lines:
        if line.endswith(str(path)):
            return 1024 * int(next(each for each in lines if each.startswith("Rss:")).split()[1])
    return 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped, and takes it back")
def test_above_the_limit_mapped_files_of_the_folder_leave_memory_unharmed(tmp_path: Path) -> None:
    ours, other = tmp_path / "kept" / "index", tmp_path / "kept-apart"
    ours.parent.mkdir()
    content = bytes(range(256)) * (BYTES // 256)
    maps = []
    for path in (ours, other):
        with path.open("w+b") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # what is not written yet cannot go
            maps.append(mmap.mmap(file.fileno(), BYTES, prot=mmap.PROT_READ))
        assert maps[-1][:] == content
    memory.give_back(ours.parent, mapped_max=1 << 40)
    assert resident(ours) == BYTES
    memory.give_back(ours.parent, mapped_max=0)
    assert resident(ours) < BYTES / 2
    assert resident(other) == BYTES
    assert [one[:] for one in maps] == [content] * 2
