"""Bearer tokens of `hivemind serve` and `hivemind mcp --http`: who may come in, to which workspaces, and to write.

A token is said once, when it is made; what is kept (tokens.json, 0600) is its sha256; for 256 random bits that will do.

    hmt_<id: 8 characters, no secret>_<secret: 43 of letters and digits, 256 bits>
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import string
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from hivemind_cli.app.machine import write_private
from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE, Paths
from hivemind_cli.core.settings import WORKSPACE_NAME

EVERY = "*"
"""Stands for all workspaces."""
TOKENS_MAX = 1000
NAME_CHARS_MAX = 60
_ID_CHARS, _ID_LENGTH = string.ascii_lowercase + string.digits, 8
_SECRET_CHARS, _SECRET_LENGTH = string.ascii_letters + string.digits, 43
_SHAPE = re.compile(rf"hmt_([a-z0-9]{{{_ID_LENGTH}}})_[A-Za-z0-9]{{{_SECRET_LENGTH}}}")
_NOBODY = "0" * 64
"""No text has this sha256 that anyone knows."""


class Access(StrEnum):
    """What a token may do."""

    READ = "read"
    WRITE = "write"
    """... and read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token, without its secret."""

    id: str
    name: str
    sha256: str
    """Of the whole token, hexadecimal."""
    workspaces: tuple[str, ...]
    """Names, or EVERY alone."""
    access: Access
    created_at: datetime
    expires_at: datetime | None = None

    def may_use(self, workspace: str) -> bool:
        """Is it for this workspace?"""
        return EVERY in self.workspaces or workspace in self.workspaces

    @property
    def may_write(self) -> bool:
        return self.access is Access.WRITE

    def told(self) -> dict[str, object]:
        """What may be shown of it: not even the hash."""
        return {name: value for name, value in asdict(self).items() if name != "sha256"}


class Tokens:
    """The tokens of one home. Any thread, any process: what another one changes holds at the next call."""

    def __init__(self, paths: Paths, clock: Clock = system_clock) -> None:
        self._path = paths.tokens
        self._clock = clock
        self._seen: tuple[object, dict[str, Token]] = (None, {})

    def create(
        self, name: str, workspaces: Iterable[str], access: Access, *, expires_at: datetime | None = None
    ) -> tuple[str, Token]:
        """A new token, to be said once, and what is kept of it. ConfigError: the name or a workspace will not do."""
        wanted = _checked_workspaces(workspaces)
        with self._changing() as tokens:
            if not _is_name(name) or any(one.name == name for one in tokens.values()):
                raise ConfigError(
                    f"A token cannot be called {name[:NAME_CHARS_MAX]!r}.",
                    why=f"A name has 1 to {NAME_CHARS_MAX} printable characters, and no other token has it.",
                    fix="Choose another; `hivemind token list` shows those there are.",
                )
            if len(tokens) >= TOKENS_MAX:
                raise ConfigError(f"There are {len(tokens)} tokens already.", fix="Revoke those nobody uses.")
            id = _random(_ID_CHARS, _ID_LENGTH)
            while id in tokens:
                id = _random(_ID_CHARS, _ID_LENGTH)
            said = f"hmt_{id}_{_random(_SECRET_CHARS, _SECRET_LENGTH)}"
            tokens[id] = Token(
                id=id,
                name=name,
                sha256=_sha256(said),
                workspaces=wanted,
                access=access,
                created_at=self._clock(),
                expires_at=expires_at,
            )
        return said, tokens[id]

    def known(self) -> list[Token]:
        """All of them, oldest first, expired ones too."""
        return sorted(self._tokens().values(), key=lambda one: (one.created_at, one.id))

    def revoke(self, named: str) -> Token:
        """Forget a token, by its id or name; whoever has it is refused from now on. ConfigError: there is none."""
        with self._changing() as tokens:
            found = next((one for one in tokens.values() if named in (one.id, one.name)), None)
            if found is None:
                # Nothing of what was typed is repeated: it may be the token itself.
                raise ConfigError("There is no such token.", fix="Name it by its id or name: `hivemind token list`.")
            del tokens[found.id]
        return found

    def check(self, said: str) -> Token | None:
        """The token that was said; None: unknown, revoked or expired. Takes as long for a wrong secret as for none."""
        shape = _SHAPE.fullmatch(said)
        found = self._tokens().get(shape[1]) if shape else None
        same = hmac.compare_digest(_sha256(said), found.sha256 if found else _NOBODY)
        if found is None or not same or (found.expires_at and found.expires_at <= self._clock()):
            return None
        return found

    def _tokens(self) -> dict[str, Token]:
        """As they stand in the file now; read again only when it is another one."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise self._damaged(exc) from exc
        version = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._seen[0] != version:
            self._seen = (version, self._read())
        return self._seen[1]

    def _read(self) -> dict[str, Token]:
        try:
            found = [_token(one) for one in json.loads(self._path.read_text("utf-8"))["tokens"]]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise self._damaged(exc) from exc
        return {one.id: one for one in found}

    def _damaged(self, exc: Exception) -> ConfigError:
        return ConfigError(
            f"{self._path} cannot be read.",
            why=f"{type(exc).__name__}.",
            fix="Make it readable for you, or delete it: all tokens are void then.",
        )

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, Token]]:
        """The tokens, to be changed by one process at a time; written unless it fails."""
        self._path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            tokens = self._read()
            yield tokens
            write_private(self._path, json.dumps({"tokens": list(map(_json, tokens.values()))}, indent=1).encode())
        finally:
            os.close(lock)


def _checked_workspaces(names: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(names))
    wrong = [name for name in found if name != EVERY and not WORKSPACE_NAME.fullmatch(name)]
    if wrong or not found:
        raise ConfigError(
            f"{wrong[0][:64]!r} is no workspace." if wrong else "A token is for one workspace or more.",
            why="A workspace's name has lower case letters, digits, `.`, `_`, `-`, at most 64.",
            fix=f"Name them one by one, or {EVERY!r} for all.",
        )
    return (EVERY,) if EVERY in found else found


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and name == name.strip() and not _SHAPE.search(name)


def _random(chars: str, length: int) -> str:
    return "".join(secrets.choice(chars) for _ in range(length))


def _sha256(said: str) -> str:
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _json(token: Token) -> dict[str, object]:
    times = {"created_at": token.created_at.isoformat()}
    if token.expires_at:
        times["expires_at"] = token.expires_at.isoformat()
    return {**asdict(token), **times}


def _token(value: dict[str, object]) -> Token:
    expires = value.get("expires_at")
    workspaces = value["workspaces"]
    if not isinstance(workspaces, list):
        raise TypeError("workspaces")
    return Token(
        id=str(value["id"]),
        name=str(value["name"]),
        sha256=str(value["sha256"]),
        workspaces=tuple(map(str, workspaces)),
        access=Access(str(value["access"])),
        created_at=datetime.fromisoformat(str(value["created_at"])),
        expires_at=datetime.fromisoformat(str(expires)) if expires else None,
    )
