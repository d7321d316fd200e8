"""What `uninstall --purge` takes back besides the settings: skills for every project that nobody but hivemind wrote.

Skills in projects are files of those projects, and stay. So does what a person wrote into one of theirs.
"""

from collections.abc import Iterator
from pathlib import Path

from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.pipeline.hand import PERSON
from hivemind_cli.skills import disk
from hivemind_cli.skills.format import SkillFault, parse
from hivemind_cli.skills.receipts import Receipt, TreeReceipts, trees

THEIRS = "you wrote in it, so it is yours"
_CITED = "<!-- hm:c_"


def withdraw_user_skills(paths: Paths) -> list[disk.Withdrawn]:
    """Remove each skill for every project that stands as hivemind wrote it, with the folders made for it.

    HivemindError: a folder could not be written.
    """
    gone: list[disk.Withdrawn] = []
    for receipt in user_skills(paths):
        path = paths.home / receipt.path
        if path.is_file() and written_by_person(path, receipt):
            gone.append(disk.Withdrawn(receipt.name, path, False, THEIRS))
        else:
            gone += disk.withdraw(paths.home, paths.receipts, receipt.name)
    return gone


def user_skills(paths: Paths) -> list[Receipt]:
    """The skills that stand in the person's home."""
    return TreeReceipts.of(paths.receipts, paths.home).all()


def in_projects(paths: Paths) -> dict[Path, int]:
    """Project's tree -> how many skills of ours stand in it; without those that are gone."""
    found = {tree: sum(1 for _ in _standing(paths, tree)) for tree in trees(paths.receipts) if tree != _home(paths)}
    return {tree: count for tree, count in found.items() if count}


def written_by_person(path: Path, receipt: Receipt) -> bool:
    """Did a person write the file, or a line of it, whether the store knows of it or not?"""
    sha256 = disk.digest_of(path)
    if sha256 not in receipt.known or sha256 == receipt.theirs:
        return True
    try:
        skill = parse(path.read_text("utf-8"))
    except (SkillFault, OSError, ValueError):
        return True
    if skill.metadata.get("hivemind-drafter") == PERSON:
        return True
    lines = (line.strip() for line in skill.body.splitlines())
    return any(line and not line.startswith("#") and _CITED not in line for line in lines)


def _standing(paths: Paths, tree: Path) -> Iterator[Receipt]:
    for receipt in TreeReceipts.of(paths.receipts, tree).all():
        if (tree / receipt.path).is_file():
            yield receipt


def _home(paths: Paths) -> Path:
    try:
        return paths.home.resolve()
    except OSError as exc:
        raise HivemindError(f"{paths.home} cannot be read.", why=str(exc)) from exc
