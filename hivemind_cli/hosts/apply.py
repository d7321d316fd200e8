"""Making the planned edits, and taking them back: the one place that writes into other programs' files.

The receipt is written first, then each file aside and renamed over the old one. So after a kill at any point a
file is whole, old or new, and the receipt knows how it was. `undo` needs no luck: it compares hashes.
"""

import base64
import difflib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import HostError
from hivemind_cli.hosts.base import Edit

_VERSION = 1
_ASIDE = ".hivemind-"


@dataclass(frozen=True, slots=True)
class FileReceipt:
    """How one file was before us, and how we left it."""

    path: str
    before: str | None
    """Base64 of the bytes; None: there was no file."""
    before_sha256: str
    after_sha256: str
    """"" if we removed the file."""
    created: bool
    replaced_sha256: str = ""
    """What a reinstall replaced: killed between receipt and file, this is what still stands there."""
    exact: bool = True
    """False: a person changed the file between two installs, so `before` is no longer what to go back to."""
    folders: tuple[str, ...] = ()
    """Folders we made for it, innermost first."""

    def is_ours(self, sha256: str) -> bool:
        """Is a file of this hash as one of our installs left it?"""
        return sha256 in (self.after_sha256, self.replaced_sha256 or self.after_sha256)

    @property
    def before_bytes(self) -> bytes | None:
        return None if self.before is None else base64.b64decode(self.before)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What install changed for one host."""

    host: str
    stamp: str
    """Time and version of the install, as the caller writes them."""
    config_dir: str
    """The host's folder if the person's environment had moved it; "" for its usual place."""
    files: tuple[FileReceipt, ...]


@dataclass(frozen=True, slots=True)
class UndoResult:
    """What became of one file."""

    path: Path
    outcome: str
    """restored (byte-equal to before), deleted (we had made it), cleaned (only our entries cut, for a person had
    changed it), untouched (nothing of ours was there), left (ours, but a person had changed it: it is theirs)."""
    diff: str = ""
    """For `cleaned`: what the person changed meanwhile; "" where that is not known."""

    @property
    def proven(self) -> bool:
        """Is the file, byte for byte, as it was before the install?"""
        return self.outcome in ("restored", "deleted")


def diff(edits: Sequence[Edit]) -> str:
    """Unified diff of all edits, for --dry-run."""
    return "".join(_diff(str(edit.path), edit.before, edit.after) for edit in edits)


def read_receipt(receipts_dir: Path, host: str) -> Receipt | None:
    """What was installed for `host`; None: nothing. HostError if the receipt cannot be read."""
    path = _receipt_path(receipts_dir, host)
    try:
        value = json.loads(path.read_bytes())
        files = tuple(FileReceipt(**{**item, "folders": tuple(item["folders"])}) for item in value["files"])
        return Receipt(value["host"], value["stamp"], value["config_dir"], files)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as exc:
        fix = "Move it away and run uninstall again: our entries are then cut out one by one."
        raise HostError(f"The receipt {path} cannot be read.", why=f"{exc!r}.", fix=fix) from exc


def apply(edits: Sequence[Edit], receipts_dir: Path, host: str, stamp: str, *, config_dir: str = "") -> Receipt:
    """Write every file, each atomically; returns the receipt, which then covers earlier installs too.

    HostError: a file changed since it was planned (nothing is written), or cannot be written (files before it
    are; the receipt knows which). Owner and mode of a file are kept.
    """
    with _alone(receipts_dir):
        for edit in edits:
            _sweep(edit.path)
            if _read(edit.path) != edit.before:
                raise HostError(f"{edit.path} was changed just now.", fix="Nothing was written; run this again.")
        earlier = read_receipt(receipts_dir, host)
        files = {file.path: file for file in earlier.files} if earlier else {}
        for edit in edits:
            files[str(edit.path)] = _file_receipt(edit, files.get(str(edit.path)))
        receipt = Receipt(host, stamp, config_dir, tuple(files.values()))
        _write_receipt(receipts_dir, receipt)
        for edit in edits:
            _write(edit.path, edit.after)
        return receipt


def undo(host: str, receipts_dir: Path, plan_uninstall: Callable[[], list[Edit]]) -> list[UndoResult]:
    """Take back what `apply` did for `host`. Safe to repeat, also after a kill in the middle.

    A file that is as we left it becomes what it was, byte for byte. From one that a person changed meanwhile only
    our entries are cut. HostError: such a file no longer parses; the receipt is kept for another try.
    """
    with _alone(receipts_dir):
        receipt = read_receipt(receipts_dir, host)
        files = {file.path: file for file in receipt.files} if receipt else {}
        results = {path: _restored(file) for path, file in files.items()}
        for edit in plan_uninstall():
            path = str(edit.path)
            _sweep(edit.path)
            results[path] = _cleaned(edit, files.get(path))
        for path, file in files.items():
            _remove_folders(file)
            theirs = file.created and Path(path).exists()
            results[path] = results[path] or UndoResult(Path(path), "left" if theirs else "untouched")
        _receipt_path(receipts_dir, host).unlink(missing_ok=True)
        return [result for result in results.values() if result is not None]


def hand_over(host: str, to: str, receipts_dir: Path) -> None:
    """`to` keeps the files of `host` wired, and is who gives them back as they were. HostError: a damaged receipt."""
    with _alone(receipts_dir):
        mine, theirs = read_receipt(receipts_dir, host), read_receipt(receipts_dir, to)
        if mine is None or theirs is None:
            return
        files = {file.path: file for file in (*theirs.files, *mine.files)}
        for file in theirs.files:
            files[file.path] = _earlier(files[file.path], file)
        _write_receipt(receipts_dir, replace(theirs, files=tuple(files.values())))
        _receipt_path(receipts_dir, host).unlink(missing_ok=True)


def _earlier(first: FileReceipt, second: FileReceipt) -> FileReceipt:
    """One receipt of a file that two hosts edited after each other, whichever was first."""
    if first.after_sha256 == second.before_sha256:
        return replace(first, after_sha256=second.after_sha256)
    if second.after_sha256 == first.before_sha256:
        return replace(second, after_sha256=first.after_sha256)
    return first


def _restored(file: FileReceipt) -> UndoResult | None:
    """The result if the file is as we left it, or already as before; None if a person changed it."""
    path = Path(file.path)
    _sweep(path)
    found = _sha256(_read(path))
    if not file.exact or not (file.is_ours(found) or found == file.before_sha256):
        return None
    if found != file.before_sha256:
        _write(path, file.before_bytes)
    return UndoResult(path, "deleted" if file.created else "restored")


def _cleaned(edit: Edit, file: FileReceipt | None) -> UndoResult:
    left = edit.after
    if file and file.created and left is not None and _says_nothing(left):
        _write(edit.path, None)
        return UndoResult(edit.path, "deleted")
    _write(edit.path, left)
    if file is None or not file.exact:
        return UndoResult(edit.path, "cleaned")
    if left == file.before_bytes:
        return UndoResult(edit.path, "restored")
    return UndoResult(edit.path, "cleaned", _diff(file.path, file.before_bytes, left))


def _says_nothing(content: bytes) -> bool:
    return content.strip() in (b"", b"{}")


def _file_receipt(edit: Edit, earlier: FileReceipt | None) -> FileReceipt:
    """The receipt of this edit, going back to before our first install where the file is still as we left it."""
    now = _sha256(edit.before)
    after = _sha256(edit.after)
    if earlier is None or edit.before is None or (now == earlier.before_sha256 and earlier.exact):
        folders = () if edit.path.parent.exists() else tuple(str(folder) for folder in _missing(edit.path.parent))
        before = None if edit.before is None else base64.b64encode(edit.before).decode("ascii")
        kept = earlier.folders if earlier else ()
        return FileReceipt(str(edit.path), before, now, after, edit.before is None, folders=folders or kept)
    exact = earlier.exact and earlier.is_ours(now)
    return replace(earlier, after_sha256=after, replaced_sha256=now, exact=exact)


def _missing(folder: Path) -> Iterator[Path]:
    while not folder.exists():
        yield folder
        folder = folder.parent


def _remove_folders(file: FileReceipt) -> None:
    for folder in file.folders:
        try:
            Path(folder).rmdir()
        except OSError:  # not empty: someone else lives there now
            return


def _write_receipt(receipts_dir: Path, receipt: Receipt) -> None:
    _sweep(_receipt_path(receipts_dir, receipt.host))
    content = json.dumps({"version": _VERSION, **asdict(receipt)}, indent=1)
    _write(_receipt_path(receipts_dir, receipt.host), content.encode("utf-8"), mode=0o600)


def _receipt_path(receipts_dir: Path, host: str) -> Path:
    return receipts_dir / f"{host}.json"


@contextmanager
def _alone(receipts_dir: Path) -> Iterator[None]:
    """No second installer at the same time. The lock dies with its process."""
    receipts_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (receipts_dir / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _sha256(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes | None, mode: int | None = None) -> None:
    """Make `path` hold `content` (None: be gone), at once and lastingly. HostError if the system refuses."""
    try:
        if content is None:
            path.unlink(missing_ok=True)
        else:
            _replace(path, content, mode)
    except OSError as exc:
        fix = "Free some space or check the permissions of its folder, then run this again."
        raise HostError(f"{path} could not be written.", why=f"{exc.strerror}.", fix=fix) from exc


def _replace(path: Path, content: bytes, mode: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}{_ASIDE}{os.getpid()}")
    try:
        with aside.open("wb") as file:
            _keep_owner(file.fileno(), path, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _keep_owner(descriptor: int, path: Path, mode: int | None) -> None:
    """Mode and owner of the file to be replaced; a new one gets `mode`, else what the umask gives."""
    try:
        old = path.stat()
    except FileNotFoundError:
        if mode is not None:
            os.fchmod(descriptor, mode)
        return
    os.fchmod(descriptor, old.st_mode & 0o7777)
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except PermissionError:  # a group of which we are no member: the file stays the person's
            pass


def _sweep(path: Path) -> None:
    """Remove what a killed installer left aside. Only called under the lock."""
    for aside in path.parent.glob(f".{path.name}{_ASIDE}*"):
        aside.unlink(missing_ok=True)


def _diff(name: str, before: bytes | None, after: bytes | None) -> str:
    lines = difflib.unified_diff(
        _lines(before),
        _lines(after),
        "/dev/null" if before is None else name,
        "/dev/null" if after is None else name,
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(content: bytes | None) -> list[str]:
    return [] if content is None else re.findall(r"[^\n]*\n|[^\n]+", content.decode("utf-8", "replace"))


def as_json(results: Sequence[UndoResult]) -> list[dict[str, Any]]:
    """For --json: path, outcome, proven, diff of each file."""
    return [{"path": str(one.path), "outcome": one.outcome, "proven": one.proven, "diff": one.diff} for one in results]
