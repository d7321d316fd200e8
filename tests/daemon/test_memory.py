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


def test_memory_is_given_back_above_the_ceiling_and_again_only_once_it_has_grown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resident = 200_000_000
    monkeypatch.setattr(memory, "_resident_bytes", lambda: resident)
    ceiling = memory.Ceiling(resident_max=150_000_000)
    assert ceiling.reached(10.0)
    assert not ceiling.reached(10.0 + memory.LOOK_S / 2)  # it was looked at a moment ago
    ceiling.lowered()
    assert not ceiling.reached(11.0)
    resident += memory.GROWN_BYTES + 1
    assert ceiling.reached(12.0)
    resident = 100_000_000
    ceiling.lowered()
    resident = 149_000_000
    assert not ceiling.reached(13.0)
    resident = 151_000_000
    assert ceiling.reached(14.0)
