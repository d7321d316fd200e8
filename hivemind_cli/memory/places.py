"""What a URL names: a database, a workspace in it, and perhaps a table. And the workspace of who names none.

hivemind://                               this machine's own database, the workspace of the current folder
hivemind://payments-service               ... that workspace
hivemind://payments-service/experience    ... and a table of it, for `open`
postgresql://user@host/database?workspace=payments-service&table=experience
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.settings import WORKSPACE_NAME

OWN = "hivemind"
_NAMED = "Connect to hivemind://<name>."
POSTGRES = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person's tables are."""

    url: str = field(repr=False)
    """Of the database; "": this machine's own. With the password, where the person gave one: never shown."""
    workspace: str
    table: str = ""


def paths_of(home: str | os.PathLike[str] | None) -> Paths:
    """Of the hivemind home; None: as HIVEMIND_HOME says, else ~/.hivemind."""
    found = Paths.from_env(os.environ)
    return found if home is None else Paths(root=Path(home).expanduser().absolute(), home=found.home)


def place_of(url: str, paths: Paths) -> Place:
    """ConfigError for what names no database, or a workspace no workspace can be called."""
    if not isinstance(url, str):
        raise ConfigError(f"A URL is text, not {type(url).__name__}.", fix=_NAMED)
    parts = urlsplit(url)
    if parts.scheme == OWN:
        segments = [unquote(part) for part in parts.path.strip("/").split("/") if part]
        if parts.query or parts.fragment:
            fix = "Leave it out; `connect(url, branch=...)` and `on` name a branch."
            raise ConfigError("A hivemind:// URL takes nothing after ? or #.", fix=fix)
        if len(segments) > 1:
            raise _no_place(url)
        return Place("", _checked(unquote(parts.netloc)) or current_workspace(paths), segments[0] if segments else "")
    if parts.scheme not in POSTGRES:
        raise _no_place(url)
    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    workspace, table = said.pop("workspace", ""), said.pop("table", "")
    netloc = _with_password(parts.netloc, os.environ.get("PGPASSWORD", ""))
    database = urlunsplit(("postgresql", netloc, parts.path, urlencode(said), ""))
    return Place(database, _checked(workspace) or current_workspace(paths), table)


def current_workspace(paths: Paths) -> str:
    """HIVEMIND_WORKSPACE_ID, else what this folder's project says, else what install kept for it, else `default`.

    ConfigError: the first that speaks says no name. Better none than to mix two workspaces.
    """
    from hivemind_cli.core.project import identify, kept_workspaces, workspace_for
    from hivemind_cli.core.settings import load

    project = identify(str(Path.cwd()), paths.home)
    default = load(paths, os.environ).config.workspace
    found = workspace_for(os.environ.get("HIVEMIND_WORKSPACE_ID", ""), project, kept_workspaces(paths), default)
    if found.reason:
        raise ConfigError("This folder's workspace is not known.", why=found.reason, fix=_NAMED)
    return found.id


def _with_password(netloc: str, password: str) -> str:
    """As PostgreSQL's own programs do: PGPASSWORD counts where the URL says none. The daemon does not have it."""
    user, at, host = netloc.rpartition("@")
    return f"{user}:{quote(password, safe='')}@{host}" if password and ":" not in user else f"{user}{at}{host}"


def _checked(workspace: str) -> str:
    """ "" stays "": nothing was named."""
    if workspace and not WORKSPACE_NAME.fullmatch(workspace):
        raise ConfigError(
            f"{workspace[:70]!r} is no workspace name.",
            why="A name has lower case letters, digits, `.`, `_`, `-`, at most 64, and begins with a letter or digit.",
            fix=_NAMED,
        )
    return workspace


def _no_place(url: str) -> ConfigError:
    scheme = url.partition("://")[0][:20]
    return ConfigError(
        f"This URL, which begins with {scheme!r}, names no place for tables.",
        why="There are hivemind://<workspace>, hivemind://<workspace>/<table> and postgresql://…?workspace=<workspace>.",
        fix="Connect to one of these; hivemind:// alone is the current folder's workspace.",
    )
