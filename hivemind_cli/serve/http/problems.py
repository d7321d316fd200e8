"""What went wrong, as HTTP says it: one status an error, and a body as RFC 9457 (application/problem+json) has it.

https://www.rfc-editor.org/rfc/rfc9457
"""

import json
import logging
import re
from collections.abc import Mapping

from hivemind_cli.core import errors

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_LOGGED_CHARS_MAX = 2000
TYPE = "urn:hivemind:problem:"
"""Before an error's name, in small letters with dashes: urn:hivemind:problem:wrong-value."""
STATUS: Mapping[type[errors.HivemindError], int] = {
    errors.HivemindError: 500,
    errors.ConfigError: 500,
    errors.HostError: 500,
    errors.StoreError: 500,
    errors.StoreLocked: 503,
    errors.CursorMoved: 409,
    errors.VersionTaken: 409,
    errors.TablesError: 400,
    errors.Forbidden: 403,
    errors.UnknownTable: 404,
    errors.WrongValue: 422,
    errors.DuplicateKey: 409,
    errors.BranchError: 422,
    errors.MergeConflict: 409,
    errors.ProviderError: 502,
    errors.ProviderUnavailable: 503,
    errors.SyncError: 502,
    errors.DaemonError: 503,
}
"""Of an error, its nearest ancestor here counts."""


class Refused(errors.HivemindError):
    """A request that no app here gets to see, or that makes no sense to it."""

    def __init__(
        self, status: int, what: str, *, why: str = "", fix: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(what, why=why, fix=fix)
        self.status = status
        self.headers = dict(headers or {})


_TITLES = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "timeout",
    413: "too-large",
    415: "unsupported-media-type",
    421: "misdirected",
    422: "wrong-value",
}


def status_of(error: errors.HivemindError) -> int:
    """The HTTP status."""
    if isinstance(error, Refused):
        return error.status
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(error: errors.HivemindError) -> dict[str, object]:
    """The body: `detail` holds all there is to say, `why` and `fix` say it apart.

    What is wrong with the server itself (from 500 on) is told to its log alone: paths, settings, a daemon's last words.
    """
    status = status_of(error)
    name = _TITLES.get(status, "refused") if isinstance(error, Refused) else _dashed(type(error).__name__)
    if status >= 500 and not isinstance(error, Refused):
        from hivemind_cli.core import redact

        logger.warning("%s: %s", type(error).__name__, redact.cut(str(error), _LOGGED_CHARS_MAX))
        error = type(error)("The server cannot do that now.", fix="Try again later; the server's log says why.")
    said: dict[str, object] = {"type": TYPE + name, "title": error.what, "status": status, "detail": str(error)}
    return said | {key: value for key, value in (("why", error.why), ("fix", error.fix)) if value}


def encoded(error: errors.HivemindError) -> bytes:
    """`problem` as it is sent."""
    return json.dumps(problem(error)).encode("ascii")


def bug(where: str = "") -> errors.HivemindError:
    """What is told of a mistake of ours: nothing of its inside."""
    return Refused(500, "hivemind made a mistake of its own.", why=where, fix="The server's log names a report of it.")


def _dashed(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
