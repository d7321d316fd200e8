"""Connections to one PostgreSQL database: made when needed, kept for the next, never more than a few."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import conninfo

from hivemind_cli.core.errors import StoreError
from hivemind_cli.storage.postgres import values
from hivemind_cli.storage.postgres.errors import not_a_url, unreachable

Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMA = "hivemind"
LINE = 0x6869_7665
"""Advisory lock: who holds it may write. Such locks are each database's own."""
CONNECT_S = 10
RECONNECT_S = 10.0
"""A server that restarts is waited for so long."""
GIVEN_UP_S = 5.0
"""After somebody waited in vain, others try once for so long."""
READ_S = 60.0
"""A statement that takes longer is broken off."""
LOCK_S = 30.0
"""What another machine holds is waited for so long."""
READERS_MAX = 16
"""Connections for reads, streams too; PostgreSQL allows 100 for all its clients, as it is shipped."""
_OURS = ("workspace", "branch")
"""Of a URL's parameters: not PostgreSQL's."""
_PARAMETERS: dict[str, str | int | None] = {
    "application_name": "hivemind",
    "connect_timeout": CONNECT_S,
    "client_encoding": "utf8",
}
_SECRET = ("password", "sslpassword")
_SESSION = f"""
    SET TimeZone = 'UTC'; SET jit = off; SET standard_conforming_strings = on;
    SET statement_timeout = '{READ_S:g}s'; SET lock_timeout = '{LOCK_S:g}s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
"""


class Address:
    """Where a database is. ConfigError for a URL that names none."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            if "," not in parts.netloc:
                _ = parts.port  # ValueError: it is no number
            given = dict(parse_qsl(parts.query, keep_blank_values=True))
            shown = [(name, value) for name, value in given.items() if name not in (*_OURS, *_SECRET)]
            host = parts.netloc.rpartition("@")[2]
            user = f"{quote(parts.username)}@" if parts.username else ""
            self.url = urlunsplit((parts.scheme, user + host, parts.path, urlencode(shown, safe="/"), ""))
            kept = urlencode([(name, value) for name, value in given.items() if name not in _OURS], quote_via=quote)
        except ValueError as exc:
            raise not_a_url("This URL", f"{exc}.") from exc
        if parts.scheme not in ("postgresql", "postgres"):
            raise not_a_url(self.url, f"It begins with {parts.scheme or 'nothing'}:")
        try:
            said = conninfo.conninfo_to_dict(urlunsplit((parts.scheme, parts.netloc, parts.path, kept, "")))
            self._info = conninfo.make_conninfo("", **{**_PARAMETERS, **said})
        except psycopg.Error:  # its words may hold the password
            raise not_a_url(self.url, "It has a part that PostgreSQL does not know.") from None

    def connect(self) -> Connection:
        """A new connection, its session as we need it."""
        connection = psycopg.connect(self._info, autocommit=True, cursor_factory=psycopg.RawCursor)
        try:
            connection.execute(_SESSION)
        except BaseException:
            connection.close()
            raise
        return connection


class Connections:
    """A pool. Any thread.

    `search_path` and `vector_oid` are set once they are known: every connection made after that has them.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.search_path = ""
        self.vector_oid = 0
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(READERS_MAX)
        self._closed = False
        self._given_up_at = -GIVEN_UP_S

    @contextmanager
    def one(self, *, answering: bool = False) -> Iterator[Connection]:
        """A connection that nobody else uses meanwhile. StoreError: none is free, or none can be made.

        `answering`: it is asked first, for what follows cannot be repeated.
        """
        if not self._places.acquire(timeout=LOCK_S):
            raise StoreError(
                "All connections are in use.", why=f"{READERS_MAX} reads are under way.", fix="End a stream, then try."
            )
        try:
            connection = self._taken(answering) or self.reconnected()
            try:
                yield connection
            finally:
                self._given(connection)
        finally:
            self._places.release()

    def forget_idle(self) -> None:
        """The server went away: what is idle is of no use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def made(self) -> Connection:
        """A new one, taught our types. psycopg.Error."""
        connection = self.address.connect()
        try:
            if self.search_path:
                connection.execute(f"SET search_path = {self.search_path}")
                values.adapt(connection, self.vector_oid)
        except BaseException:
            connection.close()
            raise
        return connection

    def reconnected(self) -> Connection:
        """A new one; a server that is just starting is waited for, but not by each caller anew. StoreError."""
        waited = time.monotonic() - self._given_up_at < GIVEN_UP_S
        until = time.monotonic() + (0.0 if waited else RECONNECT_S)
        while True:
            if self._closed:
                raise StoreError("This database is closed.")
            try:
                return self.made()
            except psycopg.Error as exc:
                if time.monotonic() >= until or "password" in str(exc):
                    self._given_up_at = time.monotonic()
                    raise unreachable(self.address.url, exc) from exc
            time.sleep(0.05)

    def close(self) -> None:
        """Those in use are closed when they are given back."""
        self._closed = True
        self.forget_idle()

    def _taken(self, answering: bool) -> Connection | None:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None and answering:
            try:
                connection.execute("")
            except psycopg.Error:
                connection.close()
                self.forget_idle()
                return None
        return connection

    def _given(self, connection: Connection) -> None:
        """Back into the pool, unless something is left on it."""
        with suppress(psycopg.Error):
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.rollback()
        with self._lock:
            idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
            if idle and not connection.closed and not self._closed:
                self._idle.append(connection)
                return
        connection.close()
