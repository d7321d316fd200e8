"""`hivemind serve`: the REST door, on loopback unless TLS or the person says otherwise."""

from typing import Annotated

import typer

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.over_http import HOST, PORT, Cert, HostName, Key, Names, Port, WithoutTLS, needs, over_http

ANSWER_S = 90.0
"""So long the daemon may take for one request; it breaks off a statement after a minute."""


def serve(
    host: HostName = HOST,
    port: Port = PORT,
    tls_cert: Cert = None,
    tls_key: Key = None,
    without_tls: WithoutTLS = False,
    name: Names = None,
    url: Annotated[
        str, typer.Option("--url", help="The tables' database, postgresql://user@host/name. [default: this home's]")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Say where it listens as one line of JSON.")] = False,
) -> None:
    """Serve tables, experiences, runs, search and skills over HTTP (REST), to who has a token.

    It can be reached from this machine alone; from others only with TLS. GET /openapi.json describes it.
    """
    needs("hivemind serve", "starlette", "uvicorn", "pydantic")
    from hivemind_cli.memory.link import Link
    from hivemind_cli.memory.places import place_of
    from hivemind_cli.serve.http.listening import Place
    from hivemind_cli.serve.operations import Doors
    from hivemind_cli.serve.rest import OPEN_PATHS, rest

    door = Door.open()
    database = place_of(url, door.paths).url if url else ""
    doors = Doors(door.paths, door.ask, Link(door.paths, wait_s=ANSWER_S).ask, door.store, database)
    place = Place(host, port, tls_cert, tls_key, without_tls)
    over_http(lambda at: rest(doors, at), place, door.paths, names=name or (), open_paths=OPEN_PATHS, json=json)
