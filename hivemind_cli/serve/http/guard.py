"""Before any app: who asks, from where, and how much. What is refused here reaches nothing behind it.

    Host, Origin ─▶ token ─▶ body, within its size and time ─▶ the app, which finds the token in the scope

A token comes in the Authorization header alone; it is never logged, nor is a query string, nor a body.
"""

import asyncio
import contextlib
import ipaddress
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from hivemind_cli.app.tokens import Token, Tokens
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.serve.http import problems
from hivemind_cli.serve.http.problems import Refused

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN = "hivemind.token"
"""Where the scope holds the Token of who asks; open paths have none."""
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PATH_CHARS_MAX = 200
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request."""

    body_bytes: int = 16 * 1024 * 1024
    body_s: float = 30.0
    """For the whole of a body, from the moment it is read."""
    drain_bytes: int = 1024 * 1024
    """Of a body that is refused, so much is read and let go, or the refusal would be lost with the connection."""
    drain_s: float = 2.0


class Guard:
    """An ASGI app around another."""

    def __init__(
        self,
        app: App,
        tokens: Tokens,
        paths: Paths,
        *,
        names: frozenset[str] | None = LOOPBACK_NAMES,
        open_paths: frozenset[str] = frozenset(),
        limits: Limits | None = None,
    ) -> None:
        """`names`: what Host may say, without the port; None: anything. `open_paths` are told without a token."""
        self._app, self._tokens, self._paths = app, tokens, paths
        self._names, self._open, self._limits = names, open_paths, limits or Limits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer, started = _Answer(send), time.monotonic()
        try:
            await self._serve(scope, receive, answer)
        except HivemindError as exc:
            await self._refuse(scope, receive, answer, exc)
        except _Left:
            pass
        except Exception as exc:  # noqa: BLE001  a bug in one request ends that request alone
            from hivemind_cli.daemon.crash import report_crash

            report_crash(self._paths, "serve", exc)
            await self._refuse(scope, receive, answer, problems.bug())
        finally:
            _log(scope, answer.status, time.monotonic() - started)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        headers = _headers(scope)
        self._check_place(headers)
        bytes_max = 0  # of whoever comes without a token
        if scope["path"] not in self._open:
            scope[TOKEN] = self._token(headers)
            bytes_max = self._limits.body_bytes
        length = headers.get("content-length", ["0"])[0][:20]
        if length.isascii() and length.isdigit() and int(length) > bytes_max:
            raise _too_large(bytes_max)
        body = await self._body(receive, bytes_max)
        answer.heard = True
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, answer)

    def _check_place(self, headers: dict[str, list[str]]) -> None:
        """Refused: the request was meant for another server, or comes from another site's page (DNS rebinding)."""
        hosts = headers.get("host", [])
        host = _name(hosts[0]) if len(hosts) == 1 else ""
        if not host or (self._names is not None and host not in self._names):
            raise Refused(
                421,
                "This server does not go by that name.",
                why="The Host header names another, or none.",
                fix="Ask it by the address it printed; `--name` lets it know another.",
            )
        for origin in headers.get("origin", []):
            if origin.partition("://")[2].lower() != hosts[0].strip().lower():
                raise Refused(
                    403, "Pages of other sites may not ask this server.", why="The Origin header names another."
                )

    def _token(self, headers: dict[str, list[str]]) -> Token:
        said = headers.get("authorization", [])
        scheme, _, value = (said[0] if len(said) == 1 else "").partition(" ")
        token = self._tokens.check(value.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise Refused(
                401,
                "No token, or not one that is valid here.",
                why="It may be mistyped, revoked or past its end." if said else "The Authorization header is missing.",
                fix="Send `Authorization: Bearer TOKEN`; `hivemind token create NAME` makes one.",
                headers={"WWW-Authenticate": 'Bearer realm="hivemind"'},
            )
        return token

    async def _body(self, receive: Receive, bytes_max: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Left
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > bytes_max:
                        raise _too_large(bytes_max)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refused(
                408, "The body came too slowly.", why=f"It has {self._limits.body_s:g} s.", fix="Send less at once."
            ) from None

    async def _refuse(self, scope: Scope, receive: Receive, answer: "_Answer", error: HivemindError) -> None:
        if answer.status:
            raise error  # what was sent cannot be taken back: the connection ends
        if not answer.heard and not any(name == b"expect" for name, _ in scope["headers"]):
            with contextlib.suppress(Exception):
                await self._drain(receive)
        extra = error.headers if isinstance(error, Refused) else {}
        body = problems.encoded(error)
        headers = [
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *((name.lower().encode(), value.encode()) for name, value in extra.items()),
        ]
        await answer({"type": "http.response.start", "status": problems.status_of(error), "headers": headers})
        await answer({"type": "http.response.body", "body": body})

    async def _drain(self, receive: Receive) -> None:
        size = 0
        async with asyncio.timeout(self._limits.drain_s):
            while size <= self._limits.drain_bytes:
                message = await receive()
                size += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return


class _Left(Exception):
    """The client did, before it had asked."""


class _Answer:
    """The way back: with our headers, and its status remembered."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.heard = False
        """The whole request was."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            names = {name.lower() for name, _ in message.get("headers", ())}
            ours = [header for header in _HEADERS if header[0] not in names]
            message = {**message, "headers": [*message.get("headers", ()), *ours]}
        await self._send(message)


def _too_large(bytes_max: int) -> Refused:
    return Refused(
        413,
        "The body is too large.",
        why=f"This request takes {bytes_max:,} bytes at most.",
        fix="Send the rows in several requests.",
    )


def names_for(hosts: list[str], *, loopback: bool) -> frozenset[str] | None:
    """What Host may say: the names given, and on loopback what a machine calls itself. None: anything."""
    given = frozenset(filter(None, (_name(_bracketed(host)) for host in hosts)))
    return given | LOOPBACK_NAMES if loopback else given or None


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _name(authority: str) -> str:
    """Host of `host:port`, small letters."""
    host = authority.strip().lower()
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.partition(":")[0].removesuffix(".")


def _log(scope: Scope, status: int, seconds: float) -> None:
    from hivemind_cli.core import redact

    path = redact.cut(scope.get("raw_path", b"").decode("latin-1"), _PATH_CHARS_MAX)
    path = "".join(char if char.isprintable() else "?" for char in path)
    token: Token | None = scope.get(TOKEN)
    who = f"{token.name} ({token.id})" if token else "-"
    logger.info("%s %s %s %.0f ms %s", scope["method"], path, status or "aborted", seconds * 1000, who)
