"""A real server on a free port, in a thread, and plain HTTP to it."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hivemind_cli.app.tokens import Access, Tokens
from hivemind_cli.core.paths import Paths
from hivemind_cli.serve.http.guard import App, Guard, Limits
from hivemind_cli.serve.http.listening import Place, bound, server

LONG_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Asking:
    """One client of a server on loopback."""

    port: int
    tokens: Tokens
    said: dict[tuple[str, Access], str] = field(default_factory=dict)

    def token(self, workspace: str = "shop", access: Access = Access.WRITE) -> str:
        """A token, made when first asked for."""
        if (workspace, access) not in self.said:
            said, _ = self.tokens.create(f"{workspace} {access}", [workspace], access)
            self.said[workspace, access] = said
        return self.said[workspace, access]

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Answer:
        """One request; `body` that is no bytes is sent as JSON. `token` None: one that writes; "": none."""
        sent = {"Host": f"127.0.0.1:{self.port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        said = self.token() if token is None else token
        if said:
            sent["Authorization"] = f"Bearer {said}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG_S)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@contextmanager
def serving(
    app: App, paths: Paths, *, open_paths: frozenset[str] = frozenset(), limits: Limits | None = None
) -> Iterator[Asking]:
    """The app behind the guard, as `hivemind serve` has it."""
    tokens = Tokens(paths)
    place = Place(port=0)
    with bound(place) as listening:
        made = server(Guard(app, tokens, paths, open_paths=open_paths, limits=limits), place)
        thread = threading.Thread(target=made.run, kwargs={"sockets": list(listening.sockets)})
        thread.start()
        try:
            yield Asking(listening.sockets[0].getsockname()[1], tokens)
        finally:
            made.should_exit = True
            thread.join(LONG_S)
            assert not thread.is_alive()
