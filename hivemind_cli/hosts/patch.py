"""The patch format of `apply_patch`, which several agents use: what it writes, and where.

`*** Begin Patch`, then for each file `*** Add File: p`, `*** Update File: p` (and `*** Move to: q`) or
`*** Delete File: p` with its lines, then `*** End Patch`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hivemind_cli.core.acts import EDIT, Act
from hivemind_cli.hosts import values

BEGIN = "*** Begin Patch"
_FILE = re.compile(r"\*\*\* (Add|Update|Delete) File: (.+)")
_MOVE = re.compile(r"\*\*\* Move to: (.+)")


@dataclass(frozen=True, slots=True)
class Patched:
    """One file of a patch."""

    path: str
    written: str
    """The lines it adds."""
    whole: bool
    """Is this all of the file (a new one)?"""


def files(patch: str) -> list[Patched]:
    """Every file of the patch, in its order; [] if it names none."""
    found: list[Patched] = []
    path, whole, written = "", False, list[str]()
    for line in [*patch.splitlines(), "*** End"]:
        if move := _MOVE.match(line):
            path = move.group(1).strip()
        elif line.startswith("*** "):
            if path:
                found.append(Patched(path, "\n".join(written), whole))
            head = _FILE.match(line)
            path, whole, written = (head.group(2).strip(), head.group(1) == "Add", []) if head else ("", False, [])
        elif line.startswith("+") and path:
            written.append(line[1:])
    return found


def act_of(tool: str, patch: str, cwd: str) -> Act:
    """The patch as one Act: its first file, and all that it writes."""
    patched = files(patch)
    path = values.relative(patched[0].path, cwd) if patched else ""
    return Act(EDIT, tool, path=path, text=values.short("\n".join(one.written for one in patched)))


def wrote(patch: str, cwd: str) -> Mapping[str, str] | None:
    """What the patch left in its first file, as records.EventKind says of `wrote`; None if it names no file."""
    patched = files(patch)
    if not patched:
        return None
    first = patched[0]
    left = {"path": values.absolute(first.path, cwd), "written": first.written}
    return {**left, "after": first.written} if first.whole else left
