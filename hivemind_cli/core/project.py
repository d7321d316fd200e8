"""Which project a folder belongs to, and which workspace: read from files, without running git.

Worktrees and clones of one remote are one project. `$HOME`, `/` and temporary folders are none.
"""

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from hivemind_cli.core import settings
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE, Paths
from hivemind_cli.core.records import DEFAULT_WORKSPACE, NO_PROJECT

CACHE_SECONDS = 5.0
"""A remote may be added while a session runs."""
_CACHE_MAX = 1024
_CONFIG_BYTES_MAX = 1 << 20
_TEMP_ROOTS = ("/tmp", "/var/tmp", "/private/tmp", "/private/var/tmp", "/dev/shm")
_SECTION = re.compile(r'^\[\s*remote\s+"((?:[^"\\]|\\.)*)"\s*\]')
_URL = re.compile(r"^url\s*=\s*(.+)$", re.IGNORECASE)
_SCP = re.compile(r"^(?:[^@/\s]+@)?(\[[^\]]+\]|[^:/\s]{2,}):(?!//)(.*)$")
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://(?:[^/]*@)?([^/]*)(/.*)?$", re.IGNORECASE)
_PORTS = {"ssh": "22", "git+ssh": "22", "https": "443", "http": "80", "git": "9418"}


@dataclass(frozen=True, slots=True)
class ProjectIdentity:
    """One project, seen from one folder."""

    id: str
    """16 hex digits; NO_PROJECT where there is none."""
    name: str
    root: str
    """The working tree that holds the folder, links resolved; the folder itself without git."""
    remote: str = ""
    """Normalised: host/path, or an absolute path."""
    common_dir: str = ""
    """The git folder that worktrees share; "" without git."""


class Workspace(NamedTuple):
    """The workspace that holds what happened, and why a name asked for was not taken."""

    id: str
    reason: str = ""
    """"" unless something was wrong; then in words for the person."""


NOWHERE = ProjectIdentity(NO_PROJECT, "", "")
_cache: dict[tuple[str, str], tuple[float, ProjectIdentity]] = {}


def identify(cwd: str, home: Path) -> ProjectIdentity:
    """The project of `cwd`; NOWHERE's id for no project. Never raises, whatever `cwd` is or has become.

    A vanished folder keeps the identity of its nearest existing parent's repository. Cached for CACHE_SECONDS.
    """
    key = (cwd, str(home))
    now = time.monotonic()
    kept = _cache.get(key)
    if kept is not None and now - kept[0] < CACHE_SECONDS:
        return kept[1]
    try:
        identity = _identify(cwd, home)
    except (OSError, ValueError, RuntimeError):  # names no file system takes, links in a circle
        identity = NOWHERE
    if len(_cache) >= _CACHE_MAX:
        _cache.clear()
    _cache[key] = (now, identity)
    return identity


def forget() -> None:
    """Empty the cache of `identify`."""
    _cache.clear()


def normal_remote(url: str) -> str:
    """`host/path` of a remote: scheme, user, password, default port, `.git` and the case of the host do not count.

    A local remote (a path, file://) is its path. Only the host's case is folded: paths may be case sensitive.
    """
    url = url.strip()
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].lower() == "file":
        return _local(unquote(scheme[3] or "/"))
    if scheme:
        host, path = scheme[2].lower(), scheme[3] or ""
        default = _PORTS.get(scheme[1].lower(), "")
        if default:
            host = host.removesuffix(f":{default}")
    else:
        scp = _SCP.match(url)
        if scp is None:
            return _local(url)
        host, path = scp[1].lower(), scp[2]
    path = re.sub(r"/{2,}", "/", path.split("?")[0].split("#")[0]).strip("/").removesuffix(".git").rstrip("/")
    return f"{host}/{path}" if path else host


def _local(path: str) -> str:
    if not path.startswith("/"):
        return path.rstrip("/").removesuffix("/.git").removesuffix(".git")
    return os.path.normpath(path).removesuffix("/.git").removesuffix(".git").rstrip("/")


def _identify(cwd: str, home: Path) -> ProjectIdentity:
    if not cwd or not cwd.startswith("/") or "\0" in cwd:
        return NOWHERE
    folder = Path(os.path.realpath(cwd))
    barred = _barred(home)
    if str(folder) in barred:
        return NOWHERE
    bare: Path | None = None
    for tree in (folder, *folder.parents):
        if str(tree) in barred:
            break
        found = git_dir(tree)
        if found is not None:
            return _of_repository(tree, found)
        if _is_bare(tree):
            bare = tree  # the outermost: a repository can carry files that look like another's
    if bare is not None:
        return _of_repository(bare, bare)
    temps = [root for root in barred if root not in ("/", os.path.realpath(home))]
    if any(folder.is_relative_to(root) for root in temps):
        return NOWHERE
    return ProjectIdentity(_digest("path:", str(folder)), folder.name, str(folder))


def _barred(home: Path) -> frozenset[str]:
    """Folders that are no project, and whose own `.git` does not make everything inside one."""
    roots = {*_TEMP_ROOTS, tempfile.gettempdir()}
    return frozenset({"/", os.path.realpath(home), *(os.path.realpath(root) for root in roots)})


def git_dir(tree: Path) -> Path | None:
    """The git folder of the working tree `tree`; None if it is none."""
    dot = tree / ".git"
    try:
        if dot.is_dir():
            return dot if (dot / "HEAD").exists() else None
        if dot.is_file():
            said = dot.read_bytes()[:4096].decode("utf-8", "surrogateescape").strip()
            if said.startswith("gitdir:"):
                return tree / said.removeprefix("gitdir:").strip()
    except OSError:
        return None
    return None


def _is_bare(folder: Path) -> bool:
    """Does it look like a bare repository? So do a `.git` folder, and any folder that a repository made to look so."""
    try:
        return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
    except OSError:
        return False


def _of_repository(tree: Path, git_dir: Path) -> ProjectIdentity:
    if tree.name == ".git" and git_dir == tree:
        tree = tree.parent
    common = Path(os.path.realpath(common_dir(git_dir)))
    base = tree
    if not common.is_dir():  # the main repository was moved or deleted: the tree alone is left
        return ProjectIdentity(_digest("path:", str(tree)), tree.name, str(tree))
    remote = _remote(common)
    if remote.startswith("."):
        base = common.parent if common.name == ".git" else common
        remote = normal_remote(os.path.normpath(base / remote))
    if remote:
        name = PurePosixPath(remote).name or tree.name
        return ProjectIdentity(_digest("remote:", remote), name, str(tree), remote, str(common))
    name = common.parent.name if common.name == ".git" else common.name.removesuffix(".git")
    return ProjectIdentity(_digest("git:", str(common)), name, str(tree), "", str(common))


def common_dir(folder: Path) -> Path:
    """The git folder that all worktrees share, given the git folder of one; itself where there is but one tree."""
    try:
        said = (folder / "commondir").read_bytes()[:4096].decode("utf-8", "surrogateescape").strip()
    except OSError:
        return folder
    return folder / said if said else folder


def _remote(common: Path) -> str:
    """The normalised url of origin, else of the first remote; "" without any."""
    try:
        with (common / "config").open("rb") as file:
            text = file.read(_CONFIG_BYTES_MAX).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    urls: dict[str, str] = {}
    current: str | None = None
    for line in text.splitlines():
        said = line.strip()
        if said.startswith("["):
            header = _SECTION.match(said)
            current = header[1] if header else None
            said = said[header.end() :].strip() if header else ""
        url = _URL.match(said) if current is not None else None
        if url and current is not None:
            urls.setdefault(current, re.split(r"\s+[#;]", url[1])[0].strip().strip('"'))
    url_text = urls.get("origin") or next(iter(urls.values()), "")
    return normal_remote(url_text) if url_text else ""


def _digest(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}{value}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def workspace_for(
    event_workspace: str, identity: ProjectIdentity, kept: Mapping[str, str], default: str = DEFAULT_WORKSPACE
) -> Workspace:
    """Where an event belongs: its own word, the project's file, what install kept, `default`; the first that speaks.

    A name that is not allowed gives DEFAULT_WORKSPACE and the reason, never another source's: better apart than mixed.
    """
    if event_workspace:
        return _workspace(event_workspace, "HIVEMIND_WORKSPACE_ID")
    if identity.root:
        try:
            said = settings.project_workspace(Path(identity.root))
        except ConfigError as exc:
            return Workspace(DEFAULT_WORKSPACE, str(exc))
        if said:
            return Workspace(said)
    remembered = (kept.get(identity.id) if identity.id else None) or (
        kept.get(identity.root) if identity.root else None
    )
    if remembered:
        return _workspace(remembered, "What `hivemind install` kept")
    return _workspace(default or DEFAULT_WORKSPACE, "The setting `workspace`")


def _workspace(name: str, source: str) -> Workspace:
    if settings.WORKSPACE_NAME.fullmatch(name):
        return Workspace(name)
    shown = name[:40]
    return Workspace(
        DEFAULT_WORKSPACE,
        f"{source} says {shown!r}, which is no workspace name: lower case letters, digits, `.`, `_`, `-`, at most 64.",
    )


def kept_workspaces(paths: Paths) -> dict[str, str]:
    """Project id or root -> workspace, as `keep_workspace` wrote them; {} if there are none or the file is damaged."""
    try:
        value = json.loads(paths.workspaces.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: name for key, name in value.items() if isinstance(name, str)}


def keep_workspace(paths: Paths, project: str, workspace: str) -> None:
    """Remember that `project` (its id or root) belongs to `workspace`; "" forgets it. ConfigError: a bad name."""
    if workspace and not settings.WORKSPACE_NAME.fullmatch(workspace):
        raise ConfigError(
            f"{workspace[:40]!r} is no workspace name.",
            why="A name has lower case letters, digits, `.`, `_`, `-`, at most 64.",
            fix="Choose such a name for HIVEMIND_WORKSPACE_ID.",
        )
    kept = {key: name for key, name in kept_workspaces(paths).items() if key != project}
    if workspace:
        kept[project] = workspace
    paths.root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    aside = paths.workspaces.with_suffix(f".{os.getpid()}.tmp")
    aside.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")
    aside.chmod(FILE_MODE)
    aside.replace(paths.workspaces)
