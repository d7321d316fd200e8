"""The REST door: the operations of operations.py over HTTP, as JSON. Starlette routes; the guard stands before it.

The only file that knows starlette; it is imported when the server starts. One request is one call of an operation on a
worker thread: the event loop itself only carries bytes.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, TypeVar

import anyio
from anyio.to_thread import run_sync
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from hivemind_cli.app.tokens import Token
from hivemind_cli.core.errors import Forbidden, HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.settings import WORKSPACE_NAME
from hivemind_cli.daemon.crash import report_crash
from hivemind_cli.serve.http import guard, problems
from hivemind_cli.serve.http.parsing import parse
from hivemind_cli.serve.http.problems import Refused
from hivemind_cli.serve.openapi import NDJSON, document
from hivemind_cli.serve.operations import OPERATIONS, Doors, Operation, Request, query, stream

OPEN_PATHS = frozenset({"/health", "/openapi.json"})
"""Told to anyone: they hold nothing of any workspace."""
THREADS = 16
_PREFIX = "/workspaces/{workspace}"

T = TypeVar("T")
Endpoint = Callable[[HttpRequest], Awaitable[Response]]


def rest(doors: Doors, url: str) -> Starlette:
    """The app, to be put behind a guard with OPEN_PATHS. `url`: where it is asked."""
    limiter = anyio.CapacityLimiter(THREADS)
    by_path: dict[str, dict[str, Operation]] = {}
    for one in OPERATIONS:
        by_path.setdefault(one.path, {})[one.method] = one
    routes = [
        Route(
            _PREFIX + path.replace("{run_id}", "{run_id:path}"),
            _endpoint(methods, doors, limiter),
            methods=list(methods),
        )
        for path, methods in by_path.items()
    ]
    told = _json(document(url))
    routes += [
        Route("/health", _always(b'{"status":"ok"}'), methods=["GET"]),
        Route("/openapi.json", _always(told), methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_routed, HivemindError: _refused})
    app.router.redirect_slashes = False
    return app


def _always(body: bytes) -> Endpoint:
    async def answer(_: HttpRequest) -> Response:
        return Response(body, media_type="application/json")

    return answer


def _endpoint(methods: dict[str, Operation], doors: Doors, limiter: anyio.CapacityLimiter) -> Endpoint:
    async def answer(http: HttpRequest) -> Response:
        operation = methods.get(http.method) or methods["GET"]  # HEAD
        token = _allowed(http, operation)
        body = await http.body()
        streams = operation.does is query and NDJSON in http.headers.get("accept", "")

        def work() -> bytes | tuple[bytes, Generator[bytes, None, None]]:
            path = {name: str(value) for name, value in http.path_params.items()}
            taken = _taken(operation, http, body)
            request = Request(doors, token, path["workspace"], path, taken)
            if streams:
                pieces = _lines(stream(request))
                return next(pieces, b""), pieces  # what is refused is refused before an answer begins
            return _json(operation.does(request))

        found = await run_sync(_reported(work, doors.paths), limiter=limiter)
        if isinstance(found, tuple):
            return StreamingResponse(_pieces(*found, limiter), media_type=NDJSON)
        if operation.status == 204:
            return Response(status_code=204)
        return Response(found, status_code=operation.status, media_type="application/json")

    return answer


def _allowed(http: HttpRequest, operation: Operation) -> Token:
    """The token, if it is for this workspace and for this. Forbidden: it is not; the same whatever is there."""
    token: Token = http.scope[guard.TOKEN]
    workspace = str(http.path_params["workspace"])
    if not WORKSPACE_NAME.fullmatch(workspace) or not token.may_use(workspace):
        raise Forbidden(
            "This token is not for that workspace.",
            fix="Ask with a token that is: `hivemind token create NAME --workspace WORKSPACE`.",
        )
    if operation.writes and not token.may_write:
        raise Forbidden("This token only reads.", fix="Ask with one that writes: `hivemind token create NAME --write`.")
    return token


def _taken(operation: Operation, http: HttpRequest, body: bytes) -> Any:
    """What the operation takes, checked."""
    if operation.takes is None:
        return None
    if operation.method != "POST":
        pairs = http.query_params.multi_items()
        if len(pairs) != len(dict(pairs)):
            raise Refused(400, "A parameter of the query string comes twice.")
        return _checked(operation.takes, dict(pairs))
    media_type = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused(
            415,
            "The body is not said to be JSON.",
            why=f"Content-Type is {media_type[:60]!r}.",
            fix="Send `Content-Type: application/json`.",
        )
    return _checked(operation.takes, parse(body))


def _checked(kind: type[BaseModel], value: Any) -> Any:
    if not isinstance(value, dict):
        raise Refused(422, "The body is no JSON object.", fix="GET /openapi.json says what it takes.")
    try:
        return kind.model_validate(value)
    except ValidationError as exc:
        faults = [
            f"{'.'.join(map(str, one['loc']))[:100] or 'the body'}: {one['msg']}"
            for one in exc.errors(include_url=False, include_input=False, include_context=False)[:5]
        ]
        raise Refused(
            422, "The request does not fit.", why=f"{'; '.join(faults)}.", fix="GET /openapi.json says what it takes."
        ) from None


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def _lines(pages: Iterator[list[Any]]) -> Generator[bytes, None, None]:
    for page in pages:
        yield b"".join(_json(value) + b"\n" for value in page)


async def _pieces(
    first: bytes, more: Generator[bytes, None, None], limiter: anyio.CapacityLimiter
) -> AsyncIterator[bytes]:
    """The pieces of a stream, which is closed whoever ends it."""
    piece: bytes | None = first
    try:
        while piece is not None:
            yield piece
            piece = await run_sync(next, more, None, limiter=limiter)
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(more.close, limiter=limiter)


def _reported(work: Callable[[], T], paths: Paths) -> Callable[[], T]:
    """`work`, whose bugs end one request, with a report that stays here."""

    def done() -> T:
        try:
            return work()
        except HivemindError:
            raise
        except Exception as exc:
            report_crash(paths, "serve", exc)
            raise problems.bug() from exc

    return done


async def _refused(_: HttpRequest, exc: Exception) -> Response:
    assert isinstance(exc, HivemindError)
    return Response(problems.encoded(exc), status_code=problems.status_of(exc), media_type=problems.MEDIA_TYPE)


async def _not_routed(_: HttpRequest, exc: Exception) -> Response:
    """404 and 405 of the router, as problems."""
    assert isinstance(exc, HTTPException)
    error: HivemindError = Refused(
        exc.status_code,
        "There is nothing at this path." if exc.status_code == 404 else "This path is not asked that way.",
        fix="GET /openapi.json says what there is.",
    )
    return Response(
        problems.encoded(error), status_code=exc.status_code, media_type=problems.MEDIA_TYPE, headers=exc.headers
    )
