"""SKILL.md files in working trees. They belong to people: we write only where we wrote before and nobody else did.

A file is ours while its digest stands in a receipt (receipts.py). No link that leads out of the tree is followed.
"""

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.skills import history, tree_files
from hivemind_cli.skills.format import parse, valid_name
from hivemind_cli.skills.receipts import GONE, Receipt, TreeReceipts, identity_of, known_anywhere
from hivemind_cli.skills.tree_files import FILE

logger = logging.getLogger(__name__)


class SkillNotOurs(HivemindError):
    """Something stands there that we did not write, or that a person changed since; nothing was touched."""


class FileState(StrEnum):
    """How a published file stands."""

    UNCHANGED = "unchanged"
    EDITED = "edited"  # a person's text; also an earlier one of ours that a commit brought back (git revert)
    DELETED = "deleted"  # by a person
    ABSENT = "absent"  # what is checked out never had it, or the tree is gone
    OLDER = "older"  # an earlier text of ours, as the checkout of an old commit brings it


@dataclass(frozen=True, slots=True)
class Observed:
    """One published file as it stands."""

    name: str
    skill_id: str
    path: Path
    state: FileState
    text: str = ""
    """What it says now; only of an edited file."""
    since: float = 0.0
    """When the file last was as the store has it, seconds since 1970; what changed it came later."""
    foreign: bool = False
    """`disown` was told that no person wrote this."""


@dataclass(frozen=True, slots=True)
class Published:
    """What `publish` did."""

    path: Path
    written: bool
    """False: it stood there already, word for word."""
    links: tuple[Path, ...] = ()
    copies: tuple[Path, ...] = ()
    skipped: tuple[str, ...] = ()
    """Other hosts' folders that do not show the skill, and why, as sentences."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What `withdraw` did with one file."""

    name: str
    path: Path
    removed: bool
    """False: it was gone already, or it was left because a person changed it (see `why`)."""
    why: str = ""


def publish(tree: Path, folders: Sequence[Path], text: str, name: str, receipts: Path) -> Published:
    """Write `text` to <folders[0]>/<name>/SKILL.md, and show that folder to the hosts which look in the others.

    receipts  core/paths.py: Paths.receipts
    raises    SkillNotOurs: a person's file or change is in the way; HivemindError: unwritable, or the folder
              leads out of the tree. Nothing is torn, and nothing of a person's was touched.
    """
    if not valid_name(name):
        raise HivemindError(f"{name!r} is no skill name.", why="Lower case ASCII letters, digits, single hyphens.")
    with _advice(tree):
        real_tree = tree.resolve(strict=True)
        kept = TreeReceipts.of(receipts, tree)
        _forget_another_tree(kept, real_tree)
        receipt, skill_id = kept.get(name), parse(text).metadata.get("hivemind-id", "")
        folders = _holder_first(real_tree, folders, name, receipt)
        folder = tree_files.inside(real_tree, folders[0]) / name
        path = folder / FILE
        if receipt is not None and receipt.skill_id != skill_id:
            raise _not_ours(path, "Another skill of hivemind has that name in this tree.")
        if receipt is None or receipt.path != tree_files.relative(real_tree, path):
            receipt = Receipt(name, skill_id, tree_files.relative(real_tree, path))
        sha256 = _sha256(text)
        found = tree_files.read(path)
        written = found is None or _sha256(found) != sha256
        if written:
            elsewhere = known_anywhere(receipts, receipt.skill_id) if found is not None else frozenset()
            _refuse_if_not_ours(real_tree, path, receipt, elsewhere)
            receipt = receipt.about_to_write(sha256)
            _receipt_folders(kept, real_tree, [folder])
            kept.put(receipt)
            _write_or_undo(real_tree, path, text, kept, receipt)
        receipt = receipt.about_to_write(sha256)
        receipt = _as_stored(receipt, text, history.head(real_tree))
        kept.put(receipt)
        return replace(_shown(real_tree, folder, folders[1:], text, kept, receipt), written=written)


def show_again(tree: Path, folders: Sequence[Path], receipts: Path) -> list[str]:
    """Show every published skill in just these folders of `tree`, where it stands as we wrote it.

    Links and untouched copies elsewhere go, and folders that we made for them. Returns what is not shown, in
    sentences. HivemindError: unwritable.
    """
    kept = TreeReceipts.of(receipts, tree)
    real_tree = tree.resolve()
    skipped: list[str] = []
    with _advice(tree):
        for receipt in kept.all():
            folder = (real_tree / receipt.path).parent
            text = tree_files.read(folder / FILE)
            if text is not None and tree_files.is_inside(real_tree, folder):
                others = [other for other in folders if (real_tree / other) != folder.parent]
                skipped += _shown(real_tree, folder, others, text, kept, receipt).skipped
        _remove_empty(real_tree, kept)
    return skipped


def observe(tree: Path, receipts: Path) -> list[Observed]:
    """How every published file of `tree` stands, copies too. What is seen in place is remembered with its HEAD.

    Where another tree stands at that path now, what is missing from it was never there: its receipts are forgotten.
    """
    kept = TreeReceipts.of(receipts, tree)
    real_tree = tree.resolve()
    now = history.head(real_tree)
    seen: list[Observed] = []
    with _advice(receipts):
        _forget_another_tree(kept, real_tree)
        for receipt in kept.all():
            state, text = _state(real_tree, real_tree / receipt.path, receipt)
            seen.append(_seen(tree / receipt.path, receipt, state, text))
            copies = [(tree / copy, *_state(real_tree, real_tree / copy, receipt)) for copy in receipt.copies]
            edited = [_seen(path, receipt, one, said) for path, one, said in copies if one is FileState.EDITED]
            seen += edited
            missing = not os.path.lexists(real_tree / receipt.path)
            stood = _remembered(receipt, state, now, missing=missing, whole=not edited)
            if stood != receipt:
                kept.put(stood)
    return seen


def disown(tree: Path, observed: Observed, receipts: Path) -> None:
    """No person wrote this edit or delete: it stays on disk, and `observe` says so until it says something else."""
    kept = TreeReceipts.of(receipts, tree)
    receipt = kept.get(observed.name)
    if receipt is not None:
        with _advice(receipts):
            kept.put(replace(receipt, foreign=_mark(observed.state, observed.text)))


def adopt(tree: Path, observed: Observed, receipts: Path) -> None:
    """The store has this edit or delete now: an edited text may be replaced, a deleted file is forgotten."""
    kept = TreeReceipts.of(receipts, tree)
    receipt = kept.get(observed.name)
    if receipt is None:
        return
    with _advice(receipts):
        if observed.state is FileState.DELETED:
            _unlink_links(tree.resolve(), receipt)
            _remove_empty(tree.resolve(), kept)
            kept.drop(observed.name)
        elif observed.state is FileState.EDITED:
            theirs = replace(receipt.about_to_write(_sha256(observed.text)), theirs=_sha256(observed.text))
            kept.put(_as_stored(theirs, observed.text, receipt.head))


def withdraw(tree: Path, receipts: Path, name: str | None = None, skill_id: str | None = None) -> list[Withdrawn]:
    """Remove what we published (all, or one skill), and folders we made that are empty now.

    Two skills may have one name: with `skill_id`, another's file is not touched. A file that
    a person changed stays, and is theirs from now on.
    """
    kept = TreeReceipts.of(receipts, tree)
    real_tree = tree.resolve()
    done: list[Withdrawn] = []
    with _advice(tree):
        for receipt in kept.all():
            if name in (None, receipt.name) and skill_id in (None, receipt.skill_id):
                # Should we be killed in between, its absence is not to look like a person's delete.
                kept.put(replace(receipt, sha256="", blob=""))
                done += _remove(real_tree, receipt)
                _remove_empty(real_tree, kept)
                kept.drop(receipt.name)
        if not done and kept.created:  # killed before the first receipt
            _remove_empty(real_tree, kept)
        kept.forget_if_empty()
    return done


def digest(text: str) -> str:
    """What receipts know a text by, whatever its line ends."""
    return _sha256(text)


def digest_of(path: Path) -> str:
    """Of the text that stands there; "" if none can be read."""
    text = tree_files.read(path)
    return "" if text is None else _sha256(text)


def _forget_another_tree(kept: TreeReceipts, tree: Path) -> None:
    """A clone or worktree made anew at this path lacks files that nobody deleted."""
    identity = identity_of(tree)
    if not identity or identity == kept.identity or not kept.all():
        return
    if kept.identity:
        for receipt in kept.all():
            if not os.path.lexists(tree / receipt.path):
                kept.drop(receipt.name)
    if kept.all():
        kept.put_identity(identity)
    else:
        kept.identity = identity


def _seen(path: Path, receipt: Receipt, state: FileState, text: str) -> Observed:
    foreign = bool(receipt.foreign) and receipt.foreign == _mark(state, text)
    return Observed(receipt.name, receipt.skill_id, path, state, text, receipt.at, foreign)


def _mark(state: FileState, text: str) -> str:
    return GONE if state is FileState.DELETED else _sha256(text)


def _as_stored(receipt: Receipt, text: str, head: str) -> Receipt:
    """The file says what the store has."""
    sha256, blob = _sha256(text), history.blob_id(text)
    return replace(receipt, sha256=sha256, blob=blob, head=head, at=time.time(), foreign="", gone="")


def _remembered(receipt: Receipt, state: FileState, head: str, *, missing: bool, whole: bool) -> Receipt:
    """`receipt` with what this look told; `whole`: no copy of the file was edited."""
    if missing:
        # `.invalid` stands where git keeps its refs in tables: then the head does not tell when to ask again.
        return replace(receipt, gone=f"{state} {head}") if head and not head.endswith(".invalid") else receipt
    receipt = replace(receipt, gone="")
    if state is not FileState.UNCHANGED:
        return receipt
    if receipt.foreign and whole:
        receipt = replace(receipt, foreign="", at=time.time())
    return replace(receipt, head=head)


def _refuse_if_not_ours(tree: Path, path: Path, receipt: Receipt, elsewhere: frozenset[str]) -> None:
    folder = path.parent
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()) or path.is_symlink():
        raise _not_ours(folder, "Something else has that name.")
    text = tree_files.read(path)
    if text is None:
        if path.exists():
            raise _not_ours(path, "It cannot be read as text.")
        if receipt.sha256 and history.was_deleted(tree, receipt.path, receipt.head):
            raise _not_ours(path, "A person deleted it.")
        if not receipt.sha256 and folder.is_dir() and any(not tree_files.is_aside(one) for one in folder.iterdir()):
            raise _not_ours(folder, "The folder holds files that hivemind did not write.")
    elif _state(tree, path, receipt)[0] is FileState.EDITED and _sha256(text) not in elsewhere - set(receipt.known):
        if not receipt.sha256 and receipt.skill_id and f"hivemind-id: {receipt.skill_id}" in text:
            raise _not_ours(path, "It bears hivemind's mark, but no receipt of ours: it counts as a person's.")
        raise _not_ours(path, "A person wrote or changed it.")


def _not_ours(path: Path, why: str) -> SkillNotOurs:
    return SkillNotOurs(
        f"{path} is left as it is.", why=why, fix="Rename or remove it if hivemind may publish the skill there."
    )


def _state(tree: Path, path: Path, receipt: Receipt) -> tuple[FileState, str]:
    if not tree.is_dir() or not tree_files.is_inside(tree, path):
        return FileState.ABSENT, ""
    text = tree_files.read(path)
    if text is None:
        gone = not os.path.lexists(path) and receipt.sha256
        for state in (FileState.ABSENT, FileState.DELETED):
            if gone and receipt.gone and receipt.gone == f"{state} {history.head(tree)}":
                return state, ""
        deleted = gone and history.was_deleted(tree, receipt.path, receipt.head)
        return (FileState.DELETED if deleted else FileState.ABSENT), ""
    sha256 = _sha256(text)
    if sha256 in (receipt.sha256, *receipt.known[-1:]):  # the last known is a write whose receipt was not finished
        return FileState.UNCHANGED, ""
    if sha256 in receipt.known and not history.was_reverted(tree, receipt.path, receipt.blob):
        return FileState.OLDER, ""
    return FileState.EDITED, text


def _show(
    tree: Path, folder: Path, others: Sequence[Path], text: str, kept: TreeReceipts, receipt: Receipt
) -> Published:
    """Link (or copy) the skill's folder into the other hosts' folders, where nothing of a person's is in the way."""
    links: list[Path] = []
    copies: list[Path] = []
    skipped: list[str] = []
    for other in others:
        try:
            place = tree_files.inside(tree, other) / folder.name
            if place == folder or tree_files.points_to(place, folder):
                links += [place] if place.is_symlink() else []
                continue
            if os.path.lexists(place) and not _is_our_copy(tree, place, receipt):
                skipped.append(f"{place} is a person's own.")
                continue
            _receipt_folders(kept, tree, [place.parent])
            tree_files.make_folders(tree, place.parent)
            relative = tree_files.relative(tree, place)
            if not place.exists():
                # Before the link is made: a crash must not leave one unreceipted.
                receipt = replace(receipt, links=tuple(dict.fromkeys((*receipt.links, relative))))
                kept.put(receipt)
            if not place.exists() and tree_files.link(place, folder):
                links.append(place)
            else:
                receipt = replace(receipt, copies=tuple(dict.fromkeys((*receipt.copies, f"{relative}/{FILE}"))))
                kept.put(receipt)
                tree_files.write(tree, place / FILE, text)
                copies.append(place)
        except (OSError, HivemindError) as exc:
            skipped.append(f"{other} does not show it: {exc}")
    return Published(folder / FILE, False, tuple(links), tuple(copies), tuple(skipped))


def _shown(
    tree: Path, folder: Path, others: Sequence[Path], text: str, kept: TreeReceipts, receipt: Receipt
) -> Published:
    """`_show`, then a receipt of it; what showed the skill in yet other folders is taken away."""
    published = _show(tree, folder, others, text, kept, receipt)
    links = tuple(tree_files.relative(tree, one) for one in published.links)
    copies = tuple(tree_files.relative(tree, one / FILE) for one in published.copies)
    wanted = {os.path.realpath(tree / other) for other in others}
    for relative in {*receipt.links, *receipt.copies} - {*links, *copies}:
        place = tree / relative if relative in receipt.links else (tree / relative).parent
        if os.path.realpath(place.parent) not in wanted and tree_files.is_inside(tree, place.parent):
            _take_away(tree, place, folder, receipt)
    kept.put(replace(receipt, links=links, copies=copies))
    return published


def _take_away(tree: Path, place: Path, folder: Path, receipt: Receipt) -> None:
    """Our link to `folder`, or our untouched copy of it."""
    if tree_files.points_to(place, folder):
        place.unlink()
    elif not place.is_symlink() and _is_our_copy(tree, place, receipt):
        (place / FILE).unlink(missing_ok=True)
        tree_files.rmdir(place)


def _holder_first(tree: Path, folders: Sequence[Path], name: str, receipt: Receipt | None) -> list[Path]:
    """`folders`, after the one that holds the skill already where the first only links to that."""
    holder = tree / receipt.path if receipt else None
    if holder is None or not tree_files.points_to(tree / folders[0] / name, holder.parent):
        return list(folders)
    return [holder.parent.parent, *folders]


def _is_our_copy(tree: Path, place: Path, receipt: Receipt) -> bool:
    if place.is_symlink() or not place.is_dir():
        return False
    text = tree_files.read(place / FILE)
    if text is None:
        return tree_files.relative(tree, place / FILE) in receipt.copies or not any(place.iterdir())
    return _sha256(text) in receipt.known


def _remove(tree: Path, receipt: Receipt) -> list[Withdrawn]:
    done: list[Withdrawn] = []
    for relative in (receipt.path, *receipt.copies):
        path = tree / relative
        state, _ = _state(tree, path, receipt)
        if tree_files.is_inside(tree, path.parent):
            tree_files.sweep(path.parent)
        if state in (FileState.UNCHANGED, FileState.OLDER):
            path.unlink()
            tree_files.rmdir(path.parent)
            done.append(Withdrawn(receipt.name, path, True))
        elif state is FileState.EDITED:
            done.append(Withdrawn(receipt.name, path, False, "a person changed it: it stays"))
        else:
            tree_files.rmdir(path.parent)
            done.append(Withdrawn(receipt.name, path, False, "it was gone already"))
    _unlink_links(tree, receipt)
    return done


def _unlink_links(tree: Path, receipt: Receipt) -> None:
    """Links to the skill's folder, once nothing is in it."""
    folder = (tree / receipt.path).parent
    for relative in receipt.links:
        place = tree / relative
        if (
            tree_files.is_inside(tree, place.parent)
            and tree_files.points_to(place, folder)
            and not (folder / FILE).exists()
        ):
            place.unlink()


def _remove_empty(tree: Path, kept: TreeReceipts) -> None:
    """Folders that we made, deepest first, while nothing is in them."""
    left = [one for one in sorted(kept.created, key=len, reverse=True) if not tree_files.rmdir(tree / one)]
    kept.put_created(sorted(left))


def _receipt_folders(kept: TreeReceipts, tree: Path, folders: Sequence[Path]) -> None:
    """Note which parents we are about to make, before we do: a crash must not leave one unreceipted."""
    missing = {
        tree_files.relative(tree, above)
        for folder in folders
        for above in (folder, *folder.parents)
        if above != tree and above.is_relative_to(tree) and not above.exists()
    }
    if missing - set(kept.created):
        kept.put_created(sorted({*kept.created, *missing}))


def _write_or_undo(tree: Path, path: Path, text: str, kept: TreeReceipts, receipt: Receipt) -> None:
    """OSError: as it was, without the folders made for it."""
    try:
        tree_files.write(tree, path, text)
    except OSError:
        with suppress(OSError):
            _remove_empty(tree, kept)
            if not receipt.sha256:
                kept.drop(receipt.name)
        raise


def _sha256(text: str) -> str:
    """Of the text with plain line ends: git may check files out with others."""
    return hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest()


@contextmanager
def _advice(where: Path) -> Iterator[None]:
    """OSError becomes HivemindError."""
    try:
        yield
    except OSError as exc:
        raise HivemindError(
            f"Skills in {where} could not be written.",
            why=f"{exc.filename or where}: {exc.strerror or exc}.",
            fix="Free disk space or give your user write access there, and run the command again.",
        ) from exc
