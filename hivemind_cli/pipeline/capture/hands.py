"""A person's own hand: what the agent wrote, and what stands there when the person speaks next.

Of what the agent wrote, keyed hashes are kept, a line each, beside its redacted text; of the rest of the file only
hashes. A file is looked at again only if its time, size or number changed, and read only if that was after the agent's
last move; git is asked only about a file whose lines were changed.
"""

import codecs
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.core.acts import EDIT, READ, SHELL
from hivemind_cli.core.records import Event, EventKind
from hivemind_cli.pipeline.capture.lines import Changes, Text, bare, suffix_of
from hivemind_cli.pipeline.capture.repo import Repo, generated, takes_back
from hivemind_cli.pipeline.capture.sessions import Session, Watched
from hivemind_cli.storage.base import Store

LINES_MAX = 400
"""Lines of one write that are compared."""
AFTER_LINES_MAX = 5000
FILE_BYTES_MAX = 1_000_000
SHOWN_MAX = 20
"""Lines of each side kept as evidence."""
LINE_CHARS_MAX = 300
HIDDEN = "[redacted]"
SLACK_S = 0.1
"""A file system's clock lags by some ms."""
OTHERS_MAX = 500
"""Events of other sessions looked at for one changed file."""
RUNS_S = 600.0
"""A command of another session without a result may be running for so long."""
WALKED_MAX = 4000
"""Names looked at to find a file that was moved."""
OPENED_MAX = 30
COMMAND_S = 15.0
"""A file changed so soon after a person's own command was changed by it."""
MOVED_MIN = 0.6
"""Share of the agent's lines that a file elsewhere must hold to be the one that is gone."""
_TOLD_OF_CALLS = (EventKind.TOOL_CALL, EventKind.TOOL_RESULT, EventKind.TOOL_FAILURE, EventKind.TOOL_DENIED)
_NO_SOURCE = frozenset({".git", ".hg", ".jj", ".svn", "node_modules", "__pycache__", ".venv"})


class Hands:
    """Hashes lines with this machine's key, and finds those a person changed."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:64]

    def hashed(
        self, wrote: Mapping[str, Any], at: datetime | None = None, session: Session | None = None
    ) -> dict[str, Any]:
        """`wrote` as it may be stored: path; written as [hash, redacted line]; after as hashes; is, was as digests.

        Where the host does not show the file, it is read, if nobody changed it since `at` (None: it may have been).
        Of a file whose last state the `session` holds, only what changed `since` is kept, `between` its first and
        last lines.
        """
        path = str(wrote.get("path", ""))
        written = str(wrote.get("written", "")).splitlines()[:LINES_MAX]
        after = wrote.get("after")
        if not isinstance(after, str) and at is not None:
            after = _read_unless_later(Path(path), at)
        known = session.watched.get(path) if session else None
        before = wrote.get("before")
        found: dict[str, Any] = {"path": path, "written": self._pairs(written, frozenset())}
        if isinstance(before, str):
            stood = self._hashes(_lines(before))[1]
            found["was"] = self._digest(stood) if before else ""
            known = known if known and stood == known.lines else None
            return found | self._state(self._kept(_lines(after)), known)
        return found | self._state(self._kept(_lines(after)), None)

    def _state(self, lines: list[str], known: Watched | None) -> dict[str, Any]:
        """What is stored of a file's lines: all, or what differs from its last stored state."""
        told: dict[str, Any] = {"after": lines, "is": self._digest(lines)} if lines else {"after": lines}
        if known is None or not known.state or not lines:
            return told
        start = _shared(known.lines, lines)
        end = _shared(known.lines[start:][::-1], lines[start:][::-1])
        if start + end < len(lines) // 2:
            return told
        return {**told, "since": known.state, "between": [start, end], "after": lines[start : len(lines) - end]}

    def settled(self, session: Session, act: Mapping[str, Any], at: datetime) -> list[dict[str, Any]]:
        """Watched files that the agent's command, or its subagent, left otherwise; as `hashed` gives them, or gone.

        To be asked at whatever the agent does: it is also remembered how long git's logs are now.
        """
        if act.get("kind") == READ or not session.watched:
            return []
        found = [] if act.get("kind") == EDIT else list(self._left_by_agent(session, at))
        for repo in {repo for repo in map(session.repo, session.watched) if repo}:
            session.marks[str(repo.root)] = repo.mark()
        return found

    def edited(self, session: Session, root: str, at: datetime, store: Store) -> list[dict[str, Any]]:
        """Files whose lines, written by the agent in the last turns, somebody changed after its last move.

        `at` when the person spoke: what was changed later is not looked at. Each as {path, full_path, call_id,
        removed, added, above, below, gone, by?, cut?}: lines as they may be shown, removed first by place.
        """
        if session.agent_at is None:
            return []
        found = []
        for watched in list(session.watched.values()):
            edit = self._edit(watched, session, at, store)
            if edit is None:
                continue
            path = str(edit.pop("stands", watched.path))
            name = path.removeprefix(root).lstrip("/") if root and path.startswith(root) else path
            found.append({"path": name, "full_path": watched.path, **edit})
        return found

    def _left_by_agent(self, session: Session, at: datetime) -> Iterator[dict[str, Any]]:
        for watched in list(session.watched.values()):
            look = _look(watched.path)
            if look is None:
                yield {"path": watched.path, "gone": True}
            elif look.sign != watched.seen and look.time <= at.timestamp() + SLACK_S:
                watched.seen = look.sign
                if look.time <= watched.at.timestamp() or not watched.lines:
                    continue
                lines = _lines(_read(Path(watched.path), look))
                kept = self._kept(lines)
                if kept and kept != watched.lines:
                    own = next((own.call_id for own in reversed(watched.own.values())), "")
                    written = self._pairs(lines, frozenset(watched.lines))[:LINES_MAX]
                    state = self._state(kept, watched)
                    yield {"path": watched.path, "call_id": own, "written": written, **state}

    def _edit(self, watched: Watched, session: Session, at: datetime, store: Store) -> dict[str, Any] | None:
        path = Path(watched.path)
        agent_at = session.agent_at.timestamp() if session.agent_at else 0.0
        look = _look(path)
        if look is None:
            return self._gone(watched, session, at, store)
        if look.sign == watched.seen or look.time > at.timestamp() + SLACK_S or not watched.own:
            return None
        watched.seen = look.sign
        if look.time <= max(agent_at, watched.at.timestamp()):
            if look.time > watched.at.timestamp() and watched.lines:
                self._rebase(watched, self._kept(_lines(_read(path, look))))
            return None
        lines = _lines(_read(path, look))
        changes = self._changes(watched, lines)
        hashes = self._kept(lines)
        stood, watched.lines, watched.state = watched.lines, hashes if watched.lines else [], ""
        if changes is None or not changes.removed or not lines:
            return None
        back = bool(stood) and self._digest(hashes) in watched.was
        by = self._whose(watched, session, look.time, lines, store, whole=back or changes.whole)
        if by is None:
            self._rebase(watched, hashes)
            return None
        gone = back or (changes.whole and by.startswith("git"))
        return self._told(watched, changes, by=by, gone=gone)

    def _rebase(self, watched: Watched, hashes: list[str]) -> None:
        """The file stands so now, and that was not the person's hand."""
        watched.lines, watched.state = hashes, ""
        stands = set(hashes)
        watched.own = {digest: own for digest, own in watched.own.items() if digest in stands}

    def _changes(self, watched: Watched, lines: Sequence[str]) -> Changes | None:
        numbers, hashes = self._hashes(lines)
        if not set(watched.own) - set(hashes) and len(hashes) >= len(watched.lines):
            return None
        shown = _shown(lines)
        text = Text([shown[n][:LINE_CHARS_MAX] for n in numbers], hashes)
        own = {digest: own.text for digest, own in watched.own.items()}
        return Changes(watched.lines, own, text, suffix_of(watched.path))

    def _told(self, watched: Watched, changes: Changes, *, by: str, gone: bool) -> dict[str, Any]:
        lost = set(changes.removed)
        call_id = next((own.call_id for own in reversed(watched.own.values()) if own.text in lost), "")
        cut = len(changes.removed) > SHOWN_MAX
        return {
            "call_id": call_id,
            "removed": changes.removed[:SHOWN_MAX],
            "added": changes.added[:SHOWN_MAX],
            "above": changes.above,
            "below": changes.below,
            "gone": gone,
            **({"by": by} if by else {}),
            **({"cut": True} if cut else {}),
        }

    def _gone(self, watched: Watched, session: Session, at: datetime, store: Store) -> dict[str, Any] | None:
        """The file is not there: moved (and perhaps changed), or taken back."""
        path = Path(watched.path)
        del session.watched[watched.path]
        folder = _look(path.parent)
        agent_at = session.agent_at.timestamp() if session.agent_at else 0.0
        if folder is None and session.repo(watched.path) is None:
            return None  # the agent works on a machine, or in a container, whose files are not here
        if folder and not agent_at < folder.time <= at.timestamp() + SLACK_S:
            return None
        moved = self._moved(watched, session.repo(watched.path))
        if moved is not None:
            look = _look(moved)
            lines = _lines(_read(moved, look)) if look else []
            changes = self._changes(watched, lines) if lines else None
            if changes is None or not changes.removed or self._whose(watched, session, 0.0, lines, store) is None:
                return None
            return {"stands": str(moved), **self._told(watched, changes, by="", gone=False)}
        by = self._whose(watched, session, folder.time if folder else 0.0, (), store, whole=True)
        if by is None:
            return None
        changes = Changes(watched.lines, {digest: own.text for digest, own in watched.own.items()}, Text((), ()), "")
        taken = "" in watched.was or not watched.was
        return self._told(watched, changes, by=by, gone=taken) if changes.removed else None

    def _whose(
        self, watched: Watched, session: Session, time: float, lines: Sequence[str], store: Store, whole: bool = False
    ) -> str | None:
        """Whose hand changed the file: "" a person's, "git ..." a person's by git; None: nobody's we learn from.

        `whole`: all that the agent wrote is gone, or the file stands as before.
        """
        path = Path(watched.path)
        if generated(path, lines) or _others(watched, session, time, store):
            return None
        ran = session.person_ran
        if ran and 0 <= time - ran[0].timestamp() + 1 <= COMMAND_S and path.name not in ran[1] and "git" not in ran[1]:
            return None
        repo = session.repo(watched.path)
        if repo is None:
            return ""
        mark = session.marks.get(str(repo.root))
        agent_at = session.agent_at.timestamp() if session.agent_at else 0.0
        if repo.under_way():
            return None
        moves = repo.moves(mark, agent_at)
        if repo.brought(path, moves):
            return takes_back(moves) or None if whole else None
        stashed = repo.stashed(mark)
        if stashed < 0 and not whole:
            return None
        if repo.ignored(path):
            return None
        if not whole:
            return ""
        if takes_back(moves):
            return takes_back(moves)
        if stashed > 0:
            return "git stash" if not any(move.said.startswith("checkout:") for move in moves) else None
        return "git" if lines and repo.clean(path) else ""

    def _moved(self, watched: Watched, repo: Repo | None) -> Path | None:
        """Where a file stands now that is not where the agent wrote it."""
        path = Path(watched.path)
        root = repo.root if repo else path.parent
        number = watched.seen[2] if watched.seen else 0
        named: list[Path] = []
        alike: list[Path] = []
        for entry in _walk(root):
            if number and entry.inode() == number and not entry.is_symlink():
                named.insert(0, Path(entry.path))
            elif entry.name == path.name:
                named.append(Path(entry.path))
            elif suffix_of(entry.name) == path.suffix.lower():
                alike.append(Path(entry.path))
        telling = list(watched.own)
        for found in [*named, *alike][:OPENED_MAX]:
            look = _look(found)
            stands = set(self._hashes(_lines(_read(found, look)))[1]) if look else set()
            if telling and sum(digest in stands for digest in telling) / len(telling) >= MOVED_MIN:
                return found
        return None

    def _pairs(self, lines: Sequence[str], known: frozenset[str]) -> list[list[str]]:
        """[hash, redacted line] of those lines that are not `known`."""
        numbers, hashes = self._hashes(lines)
        wanted = [(n, digest) for n, digest in zip(numbers, hashes, strict=True) if digest not in known]
        shown = _shown(lines) if wanted else []
        return [[digest, shown[n][:LINE_CHARS_MAX]] for n, digest in wanted]

    def _kept(self, lines: Sequence[str]) -> list[str]:
        return self._hashes(lines)[1] if len(lines) <= AFTER_LINES_MAX else []

    def _hashes(self, lines: Sequence[str]) -> tuple[list[int], list[str]]:
        """The numbers and hashes of the lines that say anything."""
        found = [(n, text) for n, text in enumerate(bare("\n".join(lines)).split("\n")) if text]
        return [n for n, _ in found], [self._hash(text) for _, text in found]

    def _hash(self, text: str) -> str:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=6).hexdigest()

    def _digest(self, hashes: Sequence[str]) -> str:
        """Of a whole file, formatting left out."""
        return self._hash("\n".join(hashes))


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines are equal from the beginning."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@dataclass(frozen=True, slots=True)
class _Look:
    """What a stat tells."""

    time: float
    sign: tuple[int, int, int]
    size: int


def _look(path: str | Path) -> _Look | None:
    """None if nothing is there, or nothing that can be looked at."""
    try:
        stat = os.stat(path)  # noqa: PTH116  a Path costs more than what it is asked
    except (OSError, ValueError):
        return None
    return _Look(stat.st_mtime, (stat.st_mtime_ns, stat.st_size, stat.st_ino), stat.st_size)


def _read(path: Path, look: _Look) -> str | None:
    """The text of a file in whatever encoding; None for what is no text, or too long."""
    if look.size > FILE_BYTES_MAX:
        return None
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw:
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _read_unless_later(path: Path, at: datetime) -> str | None:
    look = _look(path)
    return _read(path, look) if look and look.time <= at.timestamp() + SLACK_S else None


def _lines(text: object) -> list[str]:
    return text.removeprefix("\ufeff").splitlines() if isinstance(text, str) else []


def _others(watched: Watched, session: Session, time: float, store: Store) -> bool:
    """Did another session's agent write the file after this one's did, or run a command while it was changed?"""
    rows = store.find(Event, kind=_TOLD_OF_CALLS, since=watched.at, newest_first=True, limit=OTHERS_MAX)
    running: dict[str, float] = {}
    for row in reversed(rows):
        event = row.record
        if event.session_id == session.id:
            continue
        wrote = event.payload.get("wrote")
        if isinstance(wrote, dict) and wrote.get("path") == watched.path:
            return True
        act = event.payload.get("act")
        if not isinstance(act, dict) or act.get("kind") != SHELL or not watched.path.startswith(event.cwd or "\0"):
            continue
        call_id = str(event.payload.get("call_id", ""))
        if event.kind is EventKind.TOOL_CALL:
            running[call_id] = event.occurred_at.timestamp()
        elif running.pop(call_id, time + 1) <= time <= event.occurred_at.timestamp() + SLACK_S:
            return True
    return any(began <= time <= began + RUNS_S for began in running.values())


def _walk(root: Path) -> Iterator["os.DirEntry[str]"]:
    """Files under `root`, nearest first, within bounds."""
    folders, looked = [str(root)], 0
    while folders:
        try:
            entries = list(os.scandir(folders.pop(0)))
        except OSError:
            continue
        looked += len(entries)
        if looked > WALKED_MAX:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NO_SOURCE:
                    folders.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry


def _shown(lines: Sequence[str]) -> list[str]:
    """Each of `lines` as it may be shown; judged together, for a key of many lines has a body that looks like none."""
    shown = redact.text("\n".join(lines)).split("\n")
    if len(shown) == len(lines):
        return shown
    kept = set(shown)  # what was over several lines is folded into one: of the rest, only whole lines are certain
    return [line if line in kept else HIDDEN for line in lines]
