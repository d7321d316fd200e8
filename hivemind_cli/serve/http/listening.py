"""Where an HTTP door listens, and uvicorn behind it. On loopback alone, unless TLS or the person says otherwise.

uvicorn is imported when a server starts.
"""

import errno
import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn

    from hivemind_cli.serve.http.guard import App

BACKLOG = 128
CONNECTIONS_MAX = 256
IDLE_S = 15.0
"""A connection may be silent so long between requests."""
HEAD_BYTES_MAX = 32 * 1024
END_S = 10
"""What is under way when the server is asked to end may take so long."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0: any that is free."""
    cert: Path | None = None
    """PEM; with `key`, the server speaks TLS."""
    key: Path | None = None
    open_without_tls: bool = False
    """Listen on other addresses than loopback though nothing is encrypted: behind a proxy that ends TLS, say."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Bound sockets."""

    sockets: tuple[socket.socket, ...]
    url: str
    loopback: bool


@contextmanager
def bound(place: Place) -> Iterator[Listening]:
    """Sockets that listen there. ConfigError: not on loopback and without TLS, no such address, or it is taken."""
    if (place.cert is None) != (place.key is None):
        raise ConfigError("TLS needs both a certificate and its key.", fix="Give --tls-cert and --tls-key.")
    context(place)
    addresses = _addresses(place)
    loopback = all(ipaddress.ip_address(address[0].partition("%")[0]).is_loopback for _, address in addresses)
    if not loopback and place.cert is None and not place.open_without_tls:
        raise ConfigError(
            f"{place.host} can be reached from other machines, and nothing would be encrypted.",
            why="A token sent over plain HTTP can be read on its way.",
            fix="Give --tls-cert and --tls-key; or --without-tls, behind a proxy that ends TLS.",
        )
    sockets = _bound(addresses, place)
    try:
        port = sockets[0].getsockname()[1]
        host = f"[{place.host}]" if ":" in place.host else place.host
        yield Listening(tuple(sockets), f"{'https' if place.cert else 'http'}://{host}:{port}", loopback)
    finally:
        for one in sockets:
            one.close()


def server(app: "App", place: Place) -> "uvicorn.Server":
    """What serves `app`; `run(sockets=...)` until a signal, or `should_exit`. What is under way is finished first."""
    import uvicorn

    from hivemind_cli.serve.http.patient import Patient

    config = uvicorn.Config(
        app,
        http=Patient,
        loop="asyncio",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=int(IDLE_S),
        timeout_graceful_shutdown=END_S,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        ssl_certfile=place.cert,
        ssl_keyfile=place.key,
    )
    for name in ("uvicorn.error", "uvicorn.access"):  # the guard says what there is to say, and no query strings
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return uvicorn.Server(config)


def context(place: Place) -> ssl.SSLContext | None:
    """TLS as the place wants it. ConfigError: its files cannot be read, or do not belong together."""
    if place.cert is None or place.key is None:
        return None
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        made.load_cert_chain(place.cert, place.key)
    except (OSError, ValueError) as exc:  # SSLError is an OSError
        raise ConfigError(
            f"TLS cannot be spoken with {place.cert} and {place.key}.",
            why=f"{exc.strerror or exc}." if isinstance(exc, OSError) else "",
            fix="Give a PEM certificate chain and its unencrypted key, readable for you.",
        ) from exc
    return made


def _addresses(place: Place) -> list[tuple[int, tuple[Any, ...]]]:
    """(family, address) each."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise ConfigError(f"There is no address {place.host!r} here.", why=f"{exc}.") from exc
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _bound(addresses: list[tuple[int, tuple[Any, ...]]], place: Place) -> list[socket.socket]:
    made: list[socket.socket] = []
    problem: OSError | None = None
    for family, address in addresses:
        port = made[0].getsockname()[1] if made else address[1]
        one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio looks for it: no Nagle
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], port, *address[2:]))
            one.listen(BACKLOG)
            one.setblocking(False)
            made.append(one)
        except (OSError, OverflowError) as exc:
            one.close()
            problem = exc if isinstance(exc, OSError) else OSError(errno.EINVAL, str(exc))
    if not made:
        taken = problem is not None and problem.errno == errno.EADDRINUSE
        raise ConfigError(
            f"{place.host}:{place.port} cannot be listened on.",
            why=f"{problem.strerror if problem else 'It has no address'}.",
            fix="Another server has it: choose another --port." if taken else "Choose another --host or --port.",
        ) from problem
    return made
