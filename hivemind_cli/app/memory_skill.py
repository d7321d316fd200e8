"""The skill that teaches an agent to use hivemind itself: installed beside the hooks, taken back with them.

It is a file like those that corrections make (skills/disk.py), with receipts of its own: nobody publishes it,
observes it, recalls it, or counts it among the skills of the store.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hivemind_cli.app.skill_places import Wired, in_home, own_folders
from hivemind_cli.core.assets import asset
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts.base import Edit, Host
from hivemind_cli.skills import disk
from hivemind_cli.skills.receipts import TreeReceipts, trees
from hivemind_cli.skills.tree_files import FILE

NAME = "hivemind-memory"


class Standing(StrEnum):
    """How it stands in one place."""

    ABSENT = "absent"
    CURRENT = "current"
    OLDER = "older"  # ours, untouched, of another version
    THEIRS = "theirs"  # a person's own, or ours with a person's changes
    REMOVED = "removed"  # by a person


@dataclass(frozen=True, slots=True)
class Place:
    """Where it belongs: the first of `folders`, all of them below `tree`; the others show it by a link."""

    tree: Path
    folders: tuple[Path, ...]

    @property
    def path(self) -> Path:
        return self.folders[0] / NAME / FILE

    @property
    def links(self) -> list[Path]:
        return [folder / NAME for folder in self.folders[1:]]


def text() -> str:
    """What this version says."""
    return asset("skills_templates", f"{NAME}/{FILE}").read_text("utf-8")


def places(paths: Paths, hosts: Mapping[str, Host], there: Wired) -> list[Place]:
    """Where the hosts that are `there` look for it: in the home, and in folders that were moved out of it."""
    if not there:
        return []
    moved = own_folders(paths.home, hosts, there).values()
    outside = [Place(folder.parent, (folder,)) for folder in moved if not folder.is_relative_to(paths.home)]
    return [Place(paths.home, tuple(in_home(paths.home, hosts, there))), *outside]


def standing(paths: Paths, place: Place) -> Standing:
    """Looks only."""
    receipt = TreeReceipts.of(_receipts(paths), place.tree).get(NAME)
    known = receipt.known if receipt else ()
    file = _file(paths, place)
    if not file.exists():
        return Standing.REMOVED if receipt and receipt.sha256 else Standing.ABSENT
    found = disk.digest_of(file)
    if found == disk.digest(text()):  # also where the receipts were lost: it is ours to the letter
        return Standing.CURRENT
    return Standing.OLDER if found in known else Standing.THEIRS


def _file(paths: Paths, place: Place) -> Path:
    """The file that stands for the place: another folder of the tree may have held it first."""
    receipt = TreeReceipts.of(_receipts(paths), place.tree).get(NAME)
    return place.tree / receipt.path if receipt and not place.path.exists() else place.path


def plan(paths: Paths, where: Iterable[Place]) -> tuple[list[Edit], list[str]]:
    """What `publish` would write, and what it would leave as it is, in sentences."""
    edits, notices = [], []
    for place in where:
        stands, file = standing(paths, place), _file(paths, place)
        if stands is Standing.ABSENT:
            edits.append(Edit(place.path, None, text().encode()))
        elif stands is Standing.OLDER:
            edits.append(Edit(file, file.read_bytes(), text().encode()))
        elif stands is not Standing.CURRENT:
            notices.append(_left(place, stands))
    return edits, notices


def publish(paths: Paths, where: Iterable[Place]) -> list[str]:
    """Write it wherever nothing of a person's is in the way; what was left as it is, in sentences."""
    notices = []
    for place in where:
        stands = standing(paths, place)
        if stands in (Standing.THEIRS, Standing.REMOVED):
            notices.append(_left(place, stands))
            continue
        try:
            if _file(paths, place) != place.path:
                notices += disk.show_again(place.tree, place.folders, _receipts(paths))
            published = disk.publish(place.tree, place.folders, text(), NAME, _receipts(paths))
            notices += published.skipped
        except HivemindError as problem:
            notices.append(f"{problem.what} {problem.why}".strip())
    return notices


def withdraw(paths: Paths) -> list[disk.Withdrawn]:
    """Take it back from everywhere, with the folders made for it. What a person changed stays, and is theirs.

    HivemindError: a folder could not be written.
    """
    gone: list[disk.Withdrawn] = []
    for tree in trees(_receipts(paths)):
        gone += disk.withdraw(tree, _receipts(paths), NAME)
    return gone


def notices(paths: Paths, where: Sequence[Place]) -> Iterator[str]:
    """What `status` and `doctor` say where it does not stand as this version would have it."""
    for place in where:
        stands = standing(paths, place)
        if stands is Standing.OLDER:
            yield f"{place.path} is of another version of hivemind; `hivemind install` renews it."
        elif stands is Standing.ABSENT:
            yield f"{place.path} is missing: agents are not told how to ask hivemind. `hivemind install` writes it."


def _left(place: Place, stands: Standing) -> str:
    if stands is Standing.REMOVED:
        return f"{place.path} was removed by you, and stays so until hivemind is uninstalled and installed again."
    return f"{place.path} is yours, or was changed by you: it is left as it is."


def _receipts(paths: Paths) -> Path:
    return paths.receipts / "install"
