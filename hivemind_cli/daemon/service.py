"""What each request to the daemon gets: pings, recalls, calls. Knows the owner, nothing of sockets."""

import contextlib
import json
import logging
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from hivemind_cli import __version__
from hivemind_cli.core.errors import DaemonError, HivemindError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.crash import report_crash
from hivemind_cli.daemon.owner import Owner
from hivemind_cli.storage.wire import error_to_json

logger = logging.getLogger(__name__)

OPEN_WAIT_S = 30.0
"""How long a call waits for a store that is being opened (a migration, a cold disk)."""
RECALL_OPEN_WAIT_S = 0.1
"""How long a recall does: the hook gives up after 150 ms."""
NAME_CHARS_MAX = 255


class Service:
    """Answers requests on any thread; silent, or patient, until the owner is there."""

    def __init__(self, paths: Paths, *, on_activity: Callable[[], None], on_shutdown: Callable[[], None]) -> None:
        """`on_activity`: something was asked, and may have left work. `on_shutdown`: a client wants us gone."""
        self.failing: Callable[[], list[dict[str, Any]]] = list
        """What the supervisor reports of its chores, for `daemon`."""
        self._paths = paths
        self._on_activity = on_activity
        self._on_shutdown = on_shutdown
        self._owner: Owner | None = None
        self._refusal: HivemindError | None = None
        self._settled = threading.Event()
        self._started = time.monotonic()
        self._count_lock = threading.Lock()
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """Requests being answered now."""
        return self._under_way

    def open_with(self, owner: Owner) -> None:
        """The store is open: from now on everything is answered."""
        self._owner, self._refusal = owner, None
        self._settled.set()

    def refuse_with(self, error: HivemindError) -> None:
        """The store could not be opened: calls are told why."""
        self._refusal = error
        self._settled.set()

    def recall(self, name: str, send: Callable[[bytes], bool]) -> None:
        """Answer the hook for spool file `name` by `send`, which says whether the hook was still there.

        Nothing is sent while the store is not open, or for a name that is none: the hook sees the end of the
        stream and stays silent.
        """
        if not _is_file_name(name):
            return
        self._settled.wait(RECALL_OPEN_WAIT_S)
        owner = self._owner
        if owner is None:
            return
        with self._counted():
            try:
                answer = owner.answer(name)
            except Exception as exc:  # noqa: BLE001  a failed recall is silence
                self._failed("recall", exc)
                send(b"")
                return
            delivered = send(answer)
            try:
                owner.after_answer(name, delivered=delivered, later=True)
            except Exception as exc:  # noqa: BLE001  the agent has its answer; the event stays in the spool
                self._failed("after_recall", exc)
        self._on_activity()

    def call(self, line: bytes) -> bytes:
        """One JSON request line in, one JSON reply line out, without its newline. Never raises."""
        with self._counted():
            try:
                verb, args = _parsed(line)
                reply: dict[str, Any] = {"ok": self._do(verb, args)}
                return json.dumps(reply, separators=(",", ":")).encode()
            except HivemindError as exc:
                return json.dumps({"error": error_to_json(exc)}).encode()
            except Exception as exc:  # noqa: BLE001  a bug in one verb is told to its caller, and the daemon lives on
                return json.dumps({"error": self._bug(exc)}).encode()

    def _do(self, verb: str, args: dict[str, Any]) -> Any:
        if verb == "ping":
            return {"pid": os.getpid(), "version": __version__, "ready": self._owner is not None}
        if verb == "daemon":
            return self._state()
        if verb == "shutdown":
            logger.info("asked to stop")
            self._on_shutdown()
            return {"pid": os.getpid()}
        owner = self._opened()
        try:
            return owner.call(verb, args)
        finally:
            self._on_activity()

    def _opened(self) -> Owner:
        if not self._settled.wait(OPEN_WAIT_S):
            raise DaemonError(
                "The store is still being opened.", why="It can take a while after an upgrade.", fix="Try again soon."
            )
        if self._owner is not None:
            return self._owner
        raise self._refusal or DaemonError("The store is not open.")

    def _state(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "version": __version__,
            "ready": self._owner is not None,
            "python": sys.executable,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "cpu_s": round(time.process_time(), 4),
            "rss_max_mb": round(_rss_max_mb(), 1),
            "refusal": error_to_json(self._refusal) if self._refusal else None,
            "failing": self.failing(),
        }

    def _failed(self, where: str, exc: Exception) -> None:
        """Write it down: a bug with its frames, the world's fault (a full disk) in a line."""
        if isinstance(exc, HivemindError):
            logger.warning("%s failed: %s", where, exc)
        else:
            report_crash(self._paths, where, exc)

    def _bug(self, exc: Exception) -> dict[str, str]:
        report = report_crash(self._paths, "call", exc)
        return {
            "type": "bug",
            "what": f"hivemind made a mistake of its own ({type(exc).__name__}).",
            "why": f"The report is in {report}." if report else "No report could be written.",
            "fix": "Please attach the report to an issue; the daemon goes on.",
        }

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._count_lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._count_lock:
                self._under_way -= 1


def _parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise DaemonError("The daemon was sent a line that is no JSON.") from exc
    if not isinstance(request, dict):
        raise DaemonError("The daemon was sent JSON that is no object.")
    verb, args = request.get("call"), request.get("args", {})
    if not isinstance(verb, str) or not isinstance(args, dict):
        raise DaemonError('A request to the daemon is {"call": verb, "args": {...}}.')
    return verb, args


def _is_file_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARS_MAX and name[0] != "." and "/" not in name and "\0" not in name


def _rss_max_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
