"""What `hivemind serve` and `hivemind mcp --http` share: where to listen, who is let in, what the person is told."""

import logging
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hivemind_cli.cli.output import note, print_json
from hivemind_cli.core.errors import ConfigError

if TYPE_CHECKING:
    from hivemind_cli.core.paths import Paths
    from hivemind_cli.serve.http.guard import App
    from hivemind_cli.serve.http.listening import Place

HostName = Annotated[str, typer.Option("--host", help="Where to listen: an address or name of this machine.")]
Port = Annotated[int, typer.Option("--port", help="0: any that is free.", min=0, max=65535)]
Cert = Annotated[Path | None, typer.Option("--tls-cert", help="Speak TLS with this PEM certificate chain ...")]
Key = Annotated[Path | None, typer.Option("--tls-key", help="... and this PEM key, unencrypted.")]
WithoutTLS = Annotated[
    bool, typer.Option("--without-tls", help="Beyond this machine without encryption, as behind a proxy that ends TLS.")
]
Names = Annotated[
    list[str] | None, typer.Option("--name", help="A name clients know this server by (Host); may be repeated.")
]
HOST, PORT, MCP_PORT = "127.0.0.1", 8765, 8766


def needs(command: str, *modules: str) -> None:
    """ConfigError: one is not installed."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"`{command}` needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed.",
            fix='Run `pip install "hivemind-loop[serve]"`, in the environment that holds hivemind.',
        )


def over_http(
    make: "Callable[[str], App]",
    place: "Place",
    paths: "Paths",
    *,
    names: Sequence[str] = (),
    open_paths: frozenset[str] = frozenset(),
    path: str = "",
    json: bool = False,
) -> None:
    """Serve the app that `make` gives for a URL, behind the guard, until SIGINT or SIGTERM.

    The one line on stdout is where it listens (`path` is added); connections that come before it serves are kept.
    """
    from hivemind_cli.app.tokens import Tokens
    from hivemind_cli.serve.http.guard import Guard, names_for
    from hivemind_cli.serve.http.listening import bound, server

    tokens = Tokens(paths)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("hivemind_cli.serve").setLevel(logging.INFO)
    with bound(place) as listening:
        allowed = names_for([place.host, *names] if listening.loopback else list(names), loopback=listening.loopback)
        app = Guard(make(listening.url), tokens, paths, names=allowed, open_paths=open_paths)
        if json:
            print_json({"url": listening.url + path}, indent=None)
        else:
            print(listening.url + path)
        sys.stdout.flush()
        if not listening.loopback and place.cert is None:
            note("[yellow]![/] Nothing is encrypted between clients and this server: tokens can be read on their way.")
        if not tokens.known():
            note("[yellow]![/] There is no token yet: `hivemind token create NAME --workspace WORKSPACE --write`.")
        server(app, place).run(sockets=list(listening.sockets))
