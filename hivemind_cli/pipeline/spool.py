"""What hooks delivered and the store has not yet committed: the only place where unredacted text lies on disk.

A file in `spool/new` is header lines `key=value`, a blank line, and the host's bytes untouched. Its name is
`<boot>-<nanoseconds since that boot>-<ULID>`, so that a wall clock that goes back does not change the order.
hooks/hivemind_hook.py writes it; it stays until it is committed (`done`) or found wanting (`set_aside`).
"""

import json
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from hivemind_cli.core.clock import from_ns
from hivemind_cli.core.config import CaptureConfig
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE, Paths

VERSION = "1"
CHECK_EVENT = "hivemind:check"
"""A delivery that only asks whether deliveries arrive: it leaves no record."""
LEFT_ASIDE_MINUTES = 10
"""No hook lives so long: what is older in `spool/tmp` was left by one that died."""
BYTES_MAX = 1 << 28
"""More than any host sends; reading it would cost the daemon its memory."""
_READ_BYTES = 1 << 20
"""At once, of one that the system does not give whole."""
LISTED_MAX = 20_000
"""Names kept in memory, of a flood: listing 100,000 files anew for every batch took as long as all the rest."""
WHY = ".why"
DAYS = CaptureConfig().quarantine_days
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NO_BOOT = "00000000"
_NAME = re.compile(r"(?P<boot>[0-9a-f]{8})-(?P<ns>[0-9]{20})-(?P<ulid>[0-9A-HJKMNP-TV-Z]{26})", re.ASCII)
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
_TIME_NS = re.compile(r"[0-9]{1,20}", re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r"}
_ULID_TIME_CHARS = 10


class SpoolFault(HivemindError):
    """A delivery is not what a hook writes. Its reason is short: "empty", "header", "version", "too large"."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"A delivery in the spool cannot be read: {reason}.")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One payload as a hook dropped it."""

    id: str
    """ULID, given by the hook."""
    time_ns: int
    """The wall clock when the hook ran, since 1970."""
    host: str
    event: str
    """The host's own name of it, or `hivemind:injection`: what a hook gave without the daemon."""
    raw: bytes
    """What the host sent, untouched and unredacted."""
    cwd: str = ""
    entrypoint: str = ""
    workspace: str = ""
    """HIVEMIND_WORKSPACE_ID of the session; "" if it had none."""
    mark: str = ""
    """What the hook's environment says of who runs it; see hosts/running.py."""
    name: str = ""
    """Of its file; empty for one not yet put."""

    @property
    def occurred_at(self) -> datetime:
        return from_ns(self.time_ns)


@dataclass(frozen=True, slots=True)
class Swept:
    """What `Spool.sweep` found."""

    delivered: tuple[Path, ...]
    """Whole deliveries of hooks that died before the rename, now in `spool/new`."""
    deleted: int
    """Halves of deliveries."""
    expired: int
    """Files that were in quarantine for too long."""


class Spool:
    """The reader's side of the spool. One process reads: the daemon, under its lock."""

    def __init__(self, paths: Paths, *, quarantine_days: int = DAYS) -> None:
        self._paths = paths
        self._quarantine_days = quarantine_days
        self._listed: deque[str] = deque()
        """Names of a flood, in order, that `first` has not given yet."""

    def pending(self) -> list[Path]:
        """What waits in `spool/new`, in the order in which the hooks ran; names that are not ours come last."""
        return [self._paths.spool_new / name for name in self._names()]

    def first(self, count: int) -> list[Path]:
        """The next `count` of `pending`. A flood is listed once: what comes after that is given after it.

        Each is given once for a list, and some may be gone meanwhile; [] only where nothing waits. `relist` after a
        failure: what was given and still waits comes again, before all that came later.
        """
        folder = self._paths.spool_new
        if not self._listed:
            self._listed.extend(islice(self._names(), LISTED_MAX))
        return [folder / self._listed.popleft() for _ in range(min(count, len(self._listed)))]

    def give_back(self, paths: Sequence[Path]) -> None:
        """The next for `first`: some of what it gave last, in order, that was not worked on."""
        self._listed.extendleft(path.name for path in reversed(paths))

    def relist(self) -> None:
        """Let `first` look at the folder again."""
        self._listed.clear()

    def _names(self) -> list[str]:
        ours: dict[str, list[tuple[str, str]]] = {}
        others = []
        for name in _files(self._paths.spool_new):
            if match := _NAME.fullmatch(name):
                ours.setdefault(match["boot"], []).append((match["ns"], match["ulid"]))
            else:
                others.append(name)
        first = {boot: min(ulid[:_ULID_TIME_CHARS] for _, ulid in found) for boot, found in ours.items()}
        names = [
            f"{boot}-{ns}-{ulid}"
            for boot in sorted(ours, key=lambda boot: (first[boot], boot))
            for ns, ulid in sorted(ours[boot])
        ]
        return [*names, *sorted(others)]

    def more_than(self, count: int) -> bool:
        """Do more than so many wait? It looks no further than it must."""
        try:
            with os.scandir(self._paths.spool_new) as entries:
                return next(islice(entries, count, None), None) is not None
        except FileNotFoundError:
            return False

    def waits(self, name: str) -> bool:
        """Is that file still there?"""
        return (self._paths.spool_new / name).exists()

    def read(self, path: Path) -> Delivery:
        """The delivery in a file. SpoolFault: it is not one. FileNotFoundError: it is gone."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            if size > BYTES_MAX:
                raise SpoolFault("too large")
            parts = [os.read(fd, size)]  # no more: the room for it is taken first, and given back in pieces
            while size > sum(map(len, parts)) and parts[-1]:
                parts.append(os.read(fd, _READ_BYTES))
        finally:
            os.close(fd)
        return _parse(b"".join(parts), path.name)

    def done(self, path: Path) -> None:
        """The store has it: forget the file. Idempotent."""
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108  a Path costs more than what it is asked

    def answer_check(self, path: Path) -> None:
        """It arrived: whoever asks finds it in `Paths.spool_checked`. Idempotent."""
        with suppress(FileNotFoundError):
            path.replace(self._paths.spool_checked)

    def set_aside(self, path: Path, reason: str) -> Path:
        """Move a file to quarantine, beside it `<name>.why`; where it stands now. Nothing is overwritten."""
        folder = self._paths.quarantine
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for target in _free_names(folder, path.name):
            if target.exists():
                if not target.samefile(path):
                    continue
                path.unlink()  # we were killed between the two halves of a move
                return target
            try:
                _write_fresh(target.with_name(target.name + WHY), (reason + "\n").encode("utf-8", "replace"))
            except FileExistsError:
                continue
            break
        _move(path, target)
        os.utime(target)  # its days in quarantine begin now
        return target

    def sweep(self, now: datetime) -> Swept:
        """Deliver what dead hooks left whole in `spool/tmp`, clear the rest, and what was too long in quarantine."""
        delivered: list[Path] = []
        deleted = expired = 0
        for path in _older(self._paths.spool_tmp, now - timedelta(minutes=LEFT_ASIDE_MINUTES)):
            if self._whole(path):
                delivered.append(self._delivered(path))
            else:
                path.unlink(missing_ok=True)
                deleted += 1
        for path in _older(self._paths.quarantine, now - timedelta(days=self._quarantine_days)):
            path.unlink(missing_ok=True)
            expired += path.suffix != WHY
        return Swept(tuple(delivered), deleted, expired)

    def put(self, delivery: Delivery) -> Path:
        """Write one as the hook would; an empty `name` is given by the clock. OSError: it could not be written."""
        name = delivery.name or f"{_boot_and_ns()}-{delivery.id}"
        for folder in (self._paths.spool_tmp, self._paths.spool_new):
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        aside = self._paths.spool_tmp / name
        try:
            _write_fresh(aside, _rendered(delivery))
            return aside.replace(self._paths.spool_new / name)
        finally:
            aside.unlink(missing_ok=True)

    def hook_errors(self) -> list[str]:
        """Lines `<time_ns> <host>:<event> errno=<n>`: deliveries that no file could be written for."""
        try:
            return (self._paths.spool / "hook.errors").read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []

    def _delivered(self, path: Path) -> Path:
        """Do what the hook did not come to: under its own name, so in its own place in the order."""
        self._paths.spool_new.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        target = self._paths.spool_new / path.name
        _move(path, target)
        return target

    def _whole(self, path: Path) -> bool:
        try:
            json.loads(self.read(path).raw)
        except (SpoolFault, ValueError, RecursionError, OSError):
            return False
        return True


def _parse(content: bytes, name: str) -> Delivery:
    if not content:
        raise SpoolFault("empty")
    head, blank, raw = content.partition(b"\n\n")
    fields = _fields(head) if blank else {}
    if fields.get("v", VERSION) != VERSION:
        raise SpoolFault("version")
    if not fields.keys() >= {"v", "host", "event"}:
        raise SpoolFault("header")
    if not _ULID.fullmatch(fields.get("id", "")) or not _TIME_NS.fullmatch(fields.get("time_ns", "")):
        raise SpoolFault("header")
    if not raw:
        raise SpoolFault("empty")
    return Delivery(
        id=fields["id"],
        time_ns=int(fields["time_ns"]),
        host=fields["host"],
        event=fields["event"],
        raw=raw,
        cwd=fields.get("cwd", ""),
        entrypoint=fields.get("entrypoint", ""),
        workspace=fields.get("workspace", ""),
        mark=fields.get("mark", ""),
        name=name,
    )


def _fields(head: bytes) -> dict[str, str]:
    if b"\\" not in head and b"\0" not in head and head.isascii():
        pairs = [line.partition("=") for line in head.decode().split("\n")]
        if all(equals for _, equals, _ in pairs):
            return {key: value for key, _, value in pairs}
    return dict(_field(line) for line in head.split(b"\n"))


def _field(line: bytes) -> tuple[str, str]:
    """A header line as text that any store can hold: bytes that are no text become U+FFFD."""
    key, equals, value = line.decode("utf-8", "replace").replace("\0", "\ufffd").partition("=")
    if not equals:
        raise SpoolFault("header")
    return key, _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), value)


def _rendered(delivery: Delivery) -> bytes:
    fields = {
        "v": VERSION,
        "id": delivery.id,
        "time_ns": str(delivery.time_ns),
        "host": delivery.host,
        "event": delivery.event,
        "cwd": delivery.cwd,
        "entrypoint": delivery.entrypoint,
        "workspace": delivery.workspace,
        "mark": delivery.mark,
    }
    head = "".join(f"{key}={_escaped(value)}\n" for key, value in fields.items())
    return head.encode("utf-8", "surrogateescape") + b"\n" + delivery.raw


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _boot_and_ns() -> str:
    try:
        boot, ns = _BOOT_ID.read_text()[:8], time.monotonic_ns()
    except OSError:
        boot, ns = _NO_BOOT, time.time_ns()
    return f"{boot}-{ns:020d}"


def _write_fresh(path: Path, content: bytes) -> None:
    """FileExistsError rather than overwrite; a file that could not be filled is removed."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink()
        raise


def _move(path: Path, target: Path) -> None:
    """As a link and an unlink: whoever watches a folder is told of a rename out of it half a second late.

    FileExistsError rather than overwrite.
    """
    try:
        target.hardlink_to(path)
    except FileExistsError:
        if not target.samefile(path):
            raise
    except OSError:  # a file system without hard links
        path.replace(target)
        return
    path.unlink()


def _free_names(folder: Path, name: str) -> Iterator[Path]:
    yield folder / name
    for count in range(1, 1_000_000):
        yield folder / f"{name}.{count}"


def _files(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _older(folder: Path, moment: datetime) -> Iterator[Path]:
    for name in _files(folder):
        path = folder / name
        with suppress(FileNotFoundError):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < moment:
                yield path
