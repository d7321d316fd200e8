"""What commands may ask of the owner, as JSON in and out. Everything else they read from the store."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hivemind_cli.app.answering import Answering
from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.project import identify, kept_workspaces, workspace_for
from hivemind_cli.core.records import GateSkip, SkillRevision
from hivemind_cli.index.base import Scope
from hivemind_cli.storage import wire

if TYPE_CHECKING:
    from hivemind_cli.app.owned import OwnedHivemind


class Verbs:
    """The owner's JSON verbs by name; `store.*` is the Store port."""

    def __init__(self, owner: "OwnedHivemind", answering: Answering) -> None:
        self._owner = owner
        self._answering = answering
        self._verbs: dict[str, Callable[[dict[str, Any]], Any]] = {
            "recall": self._recall,
            "settle": self._settle,
            "codify": self._codify,
            "reindex": self._reindex,
            "forget": self._forget,
        }

    def call(self, verb: str, args: dict[str, Any]) -> Any:
        """Do what was asked. HivemindError: refused, with advice."""
        if verb.startswith("store."):
            self._owner.touched()
            return wire.handle(self._owner.store, verb, args)
        if verb not in self._verbs:
            raise DaemonError(
                f"The daemon does not know {verb!r}.",
                why="It may be of an older version than this command.",
                fix="Run `hivemind daemon restart`.",
            )
        return self._verbs[verb](args)

    def _recall(self, args: dict[str, Any]) -> dict[str, Any]:
        paths, config = self._owner.paths, self._owner.config
        identity = identify(str(args.get("cwd", "")), paths.home)
        workspace = workspace_for(str(args.get("workspace", "")), identity, kept_workspaces(paths), config.workspace)
        decision = self._answering.ask(str(args["query"]), Scope(workspace.id, identity.id))
        return {
            "text": decision.text,
            "candidates": [asdict(candidate) for candidate in decision.candidates],
            "workspace": workspace.id,
            "project": identity.name,
        }

    def _settle(self, args: dict[str, Any]) -> dict[str, Any]:
        seconds = args.get("seconds")
        return {"done": self._owner.settle(None if seconds is None else float(seconds))}

    def _codify(self, args: dict[str, Any]) -> dict[str, Any]:
        store = self._owner.store
        before = store.count(SkillRevision), store.count(GateSkip)
        self._owner.drain()
        self._owner.work()
        self._owner.codify(history=True)
        return {
            "revisions": store.count(SkillRevision) - before[0],
            "skipped": store.count(GateSkip) - before[1],
        }

    def _reindex(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"documents": self._owner.reindex()}

    def _forget(self, args: dict[str, Any]) -> dict[str, Any]:
        self._owner.capture.forget(str(args["host"]), str(args["session_id"]))
        return {"documents": self._owner.reindex()}
