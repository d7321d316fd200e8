"""What commands may ask of the owner, as JSON in and out. Everything else they read from the store."""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.app import (
    errors_seen,
    estimating,
    judging,
    labelling,
    reading,
    replaying,
    search,
    session_view,
    skill_tests,
)
from hivemind_cli.app.answering import Answering
from hivemind_cli.app.backtest import look_up
from hivemind_cli.app.own_figures import own_figures
from hivemind_cli.core.acts import EDIT, OTHER, SHELL, Act
from hivemind_cli.core.errors import DaemonError
from hivemind_cli.core.project import identify, kept_workspaces, workspace_for
from hivemind_cli.core.records import GateSkip, SaidKind, SkillRevision
from hivemind_cli.core.records import Scope as SkillScope
from hivemind_cli.index.base import Scope
from hivemind_cli.llm.meter import Metered
from hivemind_cli.pipeline.codify.evidence import forget_quotes
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
            "recall.hold": self._hold,
            "settle": self._settle,
            "observe": self._observe,
            "codify": self._codify,
            "reindex": self._reindex,
            "index.state": self._index_state,
            "forget": self._forget,
            "judge": self._judge,
            "skills.test": self._test_skills,
            "skills.try": self._try_skill,
            "skills.replay": self._replay,
            "label.queue": self._label_queue,
            "label.show": self._label_show,
            "label.set": self._label_set,
            "label.report": self._label_report,
            "label.export": self._label_export,
            "search": lambda args: search.search(self._owner, args),
            "search.error": lambda args: errors_seen.fixes(self._owner, args),
            "session.head": self._session_head,
            "session.page": self._session_page,
        }

    def call(self, verb: str, args: dict[str, Any]) -> Any:
        """Do what was asked. HivemindError: refused, with advice."""
        if verb.startswith("memory."):
            return self._owner.memory.call(verb, args)
        if verb == "store.prune":
            return self._prune(verb, args)
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

    def _prune(self, verb: str, args: dict[str, Any]) -> Any:
        """No kept answer holds words of a session that is gone: none that was there, none of a batch that read it."""
        self._owner.touched()
        self._owner.answers.forget()
        try:
            with self._owner.remembering.forgetting(str(args.get("host")), str(args.get("session_id"))):
                return wire.handle(self._owner.store, verb, args)
        finally:
            self._owner.answers.forget()
            self._owner.detecting.forget()

    def _recall(self, args: dict[str, Any]) -> dict[str, Any]:
        paths, config = self._owner.paths, self._owner.config
        identity = identify(str(args.get("cwd", "")), paths.home)
        workspace = workspace_for(str(args.get("workspace", "")), identity, kept_workspaces(paths), config.workspace)
        query = str(args["query"])
        act = _act(str(args.get("at", "")), query)
        decision = self._answering.ask(query, Scope(workspace.id, identity.id), act)
        return {
            "text": decision.text,
            "held": decision.held,
            "tier": decision.tier,
            "candidates": [asdict(candidate) for candidate in decision.candidates],
            "workspace": workspace.id,
            "project": identity.name,
        }

    def _hold(self, args: dict[str, Any]) -> dict[str, Any] | None:
        """What holding calls for a live skill would have done before; None where no call can be held for it."""
        live = (one for one in self._owner.index.all() if one.id == args["skill_id"])
        document = next((one for one in live if one.holds and one.acts), None)
        if document is None:
            return None
        tried = look_up(self._owner.store, [document])[document.id]
        return {**asdict(tried), "arms": tried.arms}

    def _settle(self, args: dict[str, Any]) -> dict[str, Any]:
        seconds = args.get("seconds")
        return {"done": self._owner.settle(None if seconds is None else float(seconds))}

    def _observe(self, args: dict[str, Any]) -> dict[str, Any]:
        """What people did to the files until now stands in the store, and what stands in the store in the files."""
        while self._owner.drain() or self._owner.work():
            pass
        self._owner.tick(_now())
        return {}

    def _codify(self, args: dict[str, Any]) -> dict[str, Any]:
        store, provider = self._owner.store, self._owner.provider
        if args.get("dry_run"):
            self._owner.read_all()
            return asdict(estimating.plan(self._owner, _now()))
        if args.get("retry") and isinstance(provider, Metered):
            provider.wake()
        before = store.count(SkillRevision), store.count(GateSkip)
        while self._owner.drain() or self._owner.work():
            pass
        self._owner.codify(history=True)
        return {
            "revisions": store.count(SkillRevision) - before[0],
            "skipped": store.count(GateSkip) - before[1],
            "pause": estimating.pause(self._owner, _now()),
        }

    def _reindex(self, args: dict[str, Any]) -> dict[str, Any]:
        """`gone`: [host, session_id] each of sessions that the store has let go of; only they leave the corpus then."""
        gone = [(str(host), str(session_id)) for host, session_id in args.get("gone", ())]
        if gone:
            self._owner.sidecars.forget(gone)
        return {"documents": self._owner.reindex(texts=not gone, vectors=bool(args.get("vectors")))}

    def _index_state(self, args: dict[str, Any]) -> dict[str, Any]:
        return self._owner.sidecars.state()

    def _forget(self, args: dict[str, Any]) -> dict[str, Any]:
        self._owner.capture.forget(str(args["host"]), str(args["session_id"]))
        self._owner.detecting.forget()
        forget_quotes()
        self._owner.answers.forget()
        self._owner.sidecars.forget([(str(args["host"]), str(args["session_id"]))])
        return {"documents": self._owner.reindex(texts=False)}

    def _judge(self, args: dict[str, Any]) -> dict[str, Any]:
        owner, limit = self._owner, int(args.get("limit", judging.LIMIT))
        if args.get("dry_run"):
            return asdict(judging.estimate(owner.store, owner.judge, owner.config, limit=limit))
        return judging.judge_now(owner.store, owner.judge, owner.config, limit=limit)

    def _test_skills(self, args: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        found = skill_tests.run(
            self._owner.store,
            [str(name) for name in args.get("names", ())],
            everything=bool(args.get("everything")),
            applies_min=self._owner.config.recall.applies_min,
            model=self._owner.model,
            now=_now(),
        )
        return {"skills": [asdict(one) for one in found], "ms": round((time.perf_counter() - started) * 1000, 1)}

    def _replay(self, args: dict[str, Any]) -> dict[str, Any]:
        replay = replaying.plan if args.get("dry_run") else replaying.replay
        return asdict(replay(self._owner, str(args["name"]), int(args.get("times", replaying.TIMES)), _now()))

    def _try_skill(self, args: dict[str, Any]) -> dict[str, Any]:
        """A skill's tests and backtest as they would be in the wider scope. Nothing is stored."""
        store = self._owner.store
        skill = replace(reading.skill_named(store, str(args["name"])), scope=SkillScope(str(args["scope"])))
        applies_min = self._owner.config.recall.applies_min
        trial = skill_tests.try_out(store, skill, applies_min=applies_min, model=self._owner.model)
        return {
            "moments": list(trial.revision.moments),
            "backtest": dict(trial.revision.backtest),
            "told": skill_tests.worded(trial.revision.backtest),
            "doubts": [part for part in (trial.fault, trial.nuisance) if part],
        }

    def _session_head(self, args: dict[str, Any]) -> dict[str, Any]:
        return session_view.head(self._owner.store, str(args["host"]), str(args["session_id"]))

    def _session_page(self, args: dict[str, Any]) -> dict[str, Any]:
        turn, after = args.get("turn"), int(args.get("after", 0))
        return session_view.page(
            self._owner.store,
            str(args["host"]),
            str(args["session_id"]),
            after=after,
            turn=None if turn is None else int(turn),
            full=bool(args.get("full")),
        )

    def _label_queue(self, args: dict[str, Any]) -> dict[str, Any]:
        sample, all_turns = int(args.get("sample", labelling.SAMPLE)), bool(args.get("all_turns"))
        found = labelling.queue(self._owner.store, _scope(args), sample=sample, all_turns=all_turns, now=_now())
        return asdict(found)

    def _label_show(self, args: dict[str, Any]) -> dict[str, Any] | None:
        shown = labelling.show(self._owner.store, str(args["event_id"]))
        return asdict(shown) | {"occurred_at": shown.occurred_at.isoformat()} if shown else None

    def _label_set(self, args: dict[str, Any]) -> dict[str, Any]:
        judgement = labelling.label(
            self._owner.store,
            self._owner.detecting,
            str(args["event_id"]),
            _said_kind(str(args["said"])),
            durable=args.get("durable"),
            reason=str(args.get("reason", labelling.PICKED)),
            now=_now(),
        )
        self._owner.touched()
        return {"judgement": judgement.id, "correction": judgement.correction_id}

    def _label_report(self, args: dict[str, Any]) -> dict[str, Any]:
        return asdict(own_figures(self._owner.store, _scope(args)))

    def _label_export(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"rows": labelling.exported(self._owner.store, _scope(args))}


def _act(at: str, query: str) -> Act | None:
    """The call that `query` stands for; None where it is a prompt or a subagent's task."""
    if at == "command":
        return Act(SHELL, "Bash", command=query)
    if at == "file":
        return Act(EDIT, "Write", path=query)
    return Act(OTHER, at, text=query) if at.startswith("mcp__") else None


def _scope(args: dict[str, Any]) -> labelling.Scope:
    since = args.get("since")
    return labelling.Scope(
        project=str(args.get("project", "")),
        session=str(args.get("session", "")),
        since=datetime.fromisoformat(since) if since else None,
    )


def _said_kind(value: str) -> SaidKind:
    if value not in list(SaidKind):
        raise DaemonError(f"There is no kind {value!r}.", why=f"Kinds are {', '.join(SaidKind)}.")
    return SaidKind(value)


def _now() -> datetime:
    return datetime.now(UTC)
