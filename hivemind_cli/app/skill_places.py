"""Which folders show a skill: one holds it, the others link to it, and every wired host looks in one of them.

In a project `.claude/skills` holds it and `.agents/skills` links to it. In the person's home a wired host that looks in
neither has its own folder linked, too, and `.claude/skills` is used only where Claude Code is: the folder alone
would say that it is here. Hosts that look in both see one folder twice (see hosts/listing.py).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts.apply import read_receipt
from hivemind_cli.hosts.base import Host

AGENTS = Path(".agents", "skills")
CLAUDE = Path(".claude", "skills")

Wired = Mapping[str, Path | None]
"""Host -> where the person's environment has moved its folder, or None."""


def wired(paths: Paths, hosts: Iterable[str]) -> dict[str, Path | None]:
    """The hosts that were installed, by their receipts; one that cannot be read counts, at its usual place."""
    found: dict[str, Path | None] = {}
    for name in hosts:
        try:
            receipt = read_receipt(paths.receipts, name)
        except (HostError, OSError):
            found[name] = None
            continue
        if receipt is not None:
            found[name] = Path(receipt.config_dir) if receipt.config_dir else None
    return found


def in_project(tree: Path, hosts: Mapping[str, Host], there: Wired) -> list[Path]:
    """The folders of a project's tree, the one that holds the skills first."""
    folders = [tree / CLAUDE, tree / AGENTS]
    for name in there:
        looked_in = hosts[name].skill_folders(tree) if name in hosts else []
        if looked_in and not set(looked_in) & set(folders):
            folders.append(looked_in[0])
    return folders


def in_home(home: Path, hosts: Mapping[str, Host], there: Wired) -> list[Path]:
    """The folders in the person's home, the one that holds the skills first. A moved one counts if it lies within."""
    own = own_folders(home, hosts, there)
    inside = {name: folder for name, folder in own.items() if folder.is_relative_to(home)}
    first = [inside.pop("claude")] if "claude" in inside else []
    if not there:
        first = [home / CLAUDE]
    return list(dict.fromkeys([*first, home / AGENTS, *inside.values()]))


def own_folders(home: Path, hosts: Mapping[str, Host], there: Wired) -> dict[str, Path]:
    """Host -> the folder of its own that it alone looks in, for those that do not look in ~/.agents/skills."""
    own: dict[str, Path] = {}
    for name, moved in there.items():
        looked_in = hosts[name].skill_folders(home) if name in hosts else []
        if looked_in and home / AGENTS not in looked_in:
            own[name] = moved.absolute() / looked_in[0].name if moved else looked_in[0]
    return own
