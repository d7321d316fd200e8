"""A person's own hand: lines the agent wrote that somebody changed before the next prompt.

What the agent wrote is kept as keyed hashes, a line each, beside the redacted text; the file is hashed
the same way at the next prompt, and the hashes are compared. Blanks, quotes and closing commas do not
count, so a formatter's pass is no correction.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.pipeline.capture.sessions import Session

LINES_MAX = 400
"""Lines of one write that are compared."""
AFTER_LINES_MAX = 5000
FILE_BYTES_MAX = 1_000_000
SHOWN_MAX = 20
"""Lines of each side kept as evidence."""
LINE_CHARS_MAX = 300
HIDDEN = "[redacted]"
_NOISE = re.compile(r"""[\s"'`,;]+""")


class Hands:
    """Hashes lines with this machine's key, and finds those a person changed."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:64]

    def hashed(self, wrote: Mapping[str, Any]) -> dict[str, Any]:
        """`wrote` as it may be stored: path; written as [hash, redacted line]; after as hashes."""
        written = str(wrote.get("written", "")).splitlines()[:LINES_MAX]
        shown = _shown(written)
        pairs = [
            [self._hash(line), text[:LINE_CHARS_MAX]] for line, text in zip(written, shown, strict=True) if _bare(line)
        ]
        after = wrote.get("after")
        kept = after.splitlines()[:AFTER_LINES_MAX] if isinstance(after, str) else []
        return {
            "path": str(wrote.get("path", "")),
            "written": pairs,
            "after": sorted({self._hash(line) for line in kept if _bare(line)}),
        }

    def edited(self, session: Session, root: str) -> list[dict[str, Any]]:
        """Files of this turn whose lines were changed after the agent's last move."""
        if session.agent_at is None:
            return []
        found = []
        for path, event in session.wrote.items():
            change = self._changed(Path(path), event.payload["wrote"], session.agent_at.timestamp())
            if change and not (change["gone"] and session.shell_at and session.shell_at > event.occurred_at):
                name = path.removeprefix(root).lstrip("/") if root and path.startswith(root) else path
                found.append({"path": name, "call_id": event.payload.get("call_id", ""), **change})
        return found

    def _changed(self, path: Path, wrote: Mapping[str, Any], agent_at: float) -> dict[str, Any] | None:
        written: list[list[str]] = wrote.get("written", [])
        if not written:
            return None
        try:
            stat = path.stat()
            if stat.st_mtime <= agent_at or stat.st_size > FILE_BYTES_MAX:
                return None
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {"removed": [text for _, text in written][:SHOWN_MAX], "added": [], "gone": True}
        except (OSError, UnicodeDecodeError):
            return None
        now = {self._hash(line): n for n, line in enumerate(lines) if _bare(line)}
        removed = [text for digest, text in written if digest not in now]
        if not removed:
            return None
        before = set(wrote.get("after", []))
        added = [n for digest, n in now.items() if before and digest not in before]
        shown = _shown(lines) if added else []
        return {
            "removed": removed[:SHOWN_MAX],
            "added": [shown[n][:LINE_CHARS_MAX] for n in added[:SHOWN_MAX]],
            "gone": len(removed) == len(written) and not added,
        }

    def _hash(self, line: str) -> str:
        bare = _bare(line).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(bare, key=self._key, digest_size=6).hexdigest()


def _shown(lines: Sequence[str]) -> list[str]:
    """Each of `lines` as it may be shown; judged together, for a key of many lines has a body that looks like none."""
    shown = redact.text("\n".join(lines)).split("\n")
    if len(shown) == len(lines):
        return shown
    kept = set(shown)  # what was over several lines is folded into one: of the rest, only whole lines are certain
    return [line if line in kept else HIDDEN for line in lines]


def _bare(line: str) -> str:
    return _NOISE.sub("", line)
