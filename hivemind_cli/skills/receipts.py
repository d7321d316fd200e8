"""What we wrote into working trees, so that we never touch what a person wrote.

receipts/skills/<tree>/_tree.json      {"tree": path, "created": [folders we made, relative], "identity": which tree}
receipts/skills/<tree>/<name>.json    one Receipt for each published skill

<tree> is a digest of the tree's real path. A damaged receipt counts as none: then everything is the person's.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE

KNOWN_MAX = 40
GONE = "gone"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One published skill in one tree. Paths are relative to the tree."""

    name: str
    skill_id: str
    path: str
    """The real SKILL.md."""
    sha256: str = ""
    """Of what we wrote last; "" while the first write is under way."""
    blob: str = ""
    """The same text's git object id, to find it in the tree's history."""
    known: tuple[str, ...] = ()
    """sha256 of every text we wrote or were about to write, newest last."""
    copies: tuple[str, ...] = ()
    """SKILL.md files that are real copies, where links are not allowed."""
    links: tuple[str, ...] = ()
    """Links to the skill's folder."""
    head: str = ""
    """What the tree had checked out when we last wrote or saw the file."""
    at: float = 0.0
    """When the file last was as the store has it, as far as we were told: seconds since 1970."""
    foreign: str = ""
    """sha256 of a text that stands there, but that no person wrote; GONE if it was deleted so."""
    theirs: str = ""
    """sha256 of a text that a person wrote into the file, and the store took over."""
    gone: str = ""
    """State and head for which git was asked about the missing file, and what it said."""

    def about_to_write(self, sha256: str) -> "Receipt":
        """With `sha256` among what is ours."""
        known = [one for one in self.known if one != sha256][-KNOWN_MAX + 1 :]
        return replace(self, known=(*known, sha256))


@dataclass(slots=True)
class TreeReceipts:
    """All receipts of one working tree."""

    folder: Path
    tree: str
    created: list[str] = field(default_factory=list)
    identity: str = ""
    """`identity_of` the tree when we last looked; "" before that was noted."""

    @classmethod
    def of(cls, receipts: Path, tree: Path) -> "TreeReceipts":
        """`receipts` is hivemind's folder of receipts (core/paths.py); nothing is written yet."""
        real = os.path.realpath(tree)
        digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:20]
        folder = receipts / "skills" / digest
        said = _read(folder / "_tree.json")
        created = [str(one) for one in said.get("created", []) if _is_relative(str(one))]
        return cls(folder, real, created, str(said.get("identity", "")))

    def all(self) -> list[Receipt]:
        """By name."""
        names = sorted(path.stem for path in self.folder.glob("*.json") if path.name != "_tree.json")
        return [receipt for name in names if (receipt := self.get(name))]

    def get(self, name: str) -> Receipt | None:
        """The receipt of the skill `name`; None if there is none, or none that can be read."""
        said = _read(self.folder / f"{name}.json")
        try:
            receipt = Receipt(
                name=str(said["name"]),
                skill_id=str(said["skill_id"]),
                path=str(said["path"]),
                sha256=str(said["sha256"]),
                blob=str(said["blob"]),
                known=tuple(map(str, said["known"])),
                copies=tuple(map(str, said["copies"])),
                links=tuple(map(str, said["links"])),
                head=str(said["head"]),
                at=float(said.get("at", 0.0)),
                foreign=str(said.get("foreign", "")),
                theirs=str(said.get("theirs", "")),
                gone=str(said.get("gone", "")),
            )
        except (KeyError, TypeError, ValueError):
            return None
        inside = all(_is_relative(one) for one in (receipt.path, *receipt.copies, *receipt.links))
        return receipt if inside and receipt.name == name else None

    def put(self, receipt: Receipt) -> None:
        """OSError: not written; the old one stands."""
        self.put_created(self.created)
        _write(self.folder / f"{receipt.name}.json", asdict(receipt))

    def put_created(self, created: list[str]) -> None:
        self.created = created
        self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self.identity = self.identity or identity_of(Path(self.tree))
        _write(self.folder / "_tree.json", {"tree": self.tree, "created": created, "identity": self.identity})

    def put_identity(self, identity: str) -> None:
        self.identity = identity
        self.put_created(self.created)

    def drop(self, name: str) -> None:
        """Forget a skill; with the last one, the tree."""
        for path in (self.folder / f"{name}.json", self.folder / f"{name}.aside"):
            path.unlink(missing_ok=True)
        self.forget_if_empty()

    def forget_if_empty(self) -> None:
        """No skill is receipted: what is left of the tree's receipts goes."""
        if self.folder.is_dir() and not self.all():
            shutil.rmtree(self.folder)
            self.created = []


def trees(receipts: Path) -> list[Path]:
    """Every working tree we published into, whether it is still there or not."""
    found = (_read(path).get("tree") for path in sorted((receipts / "skills").glob("*/_tree.json")))
    return [Path(str(tree)) for tree in found if tree]


def identity_of(tree: Path) -> str:
    """Which tree stands at that path: a clone or worktree made anew there is another. "" if none can be seen.

    Inodes are used again at once, so the age of a file that git writes only when it makes a repository counts too;
    the device's number does not, for it may change whenever a computer starts.
    """
    dot = tree / ".git"
    try:
        if not dot.exists():
            return f"folder:{tree.stat().st_ino}"
        made = dot / "description" if dot.is_dir() else dot
        return f"git:{dot.stat().st_ino}:{made.stat().st_mtime_ns if made.exists() else 0}"
    except OSError:
        return ""


def known_anywhere(receipts: Path, skill_id: str) -> frozenset[str]:
    """sha256 of every text of this skill that we wrote into any tree: git carries our files between them."""
    return frozenset(
        sha256 for said in _saids(receipts) if said.get("skill_id") == skill_id for sha256 in said["known"]
    )


def _saids(receipts: Path) -> Iterator[dict[str, Any]]:
    for path in (receipts / "skills").glob("*/*.json"):
        said = _read(path)
        if isinstance(said.get("known"), list):
            yield said


def _read(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _write(path: Path, said: dict[str, Any]) -> None:
    aside = path.with_suffix(".aside")
    try:
        with aside.open("w", encoding="utf-8") as file:
            json.dump(said, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(FILE_MODE)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _is_relative(path: str) -> bool:
    """A damaged receipt must not make us delete elsewhere."""
    return bool(path) and not Path(path).is_absolute() and ".." not in Path(path).parts
