"""Durable steps of agents' loops: one row of the table `steps` each, numbered 1, 2, 3 ... in its run, on its branch.

A step is there, whole, when `step` returns, and not at all if the process dies before that. Its number is allotted in
the same transaction that stores it, from what the branch sees: after a branch, a merge or a roll back a run goes on
where it stands there.
"""

import builtins
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.clock import Clock, system_clock
from hivemind_cli.core.errors import WrongValue
from hivemind_cli.storage.tables import Kind, Transaction, Type
from hivemind_cli.tables import writing
from hivemind_cli.tables.catalog import ColumnInfo, TableInfo
from hivemind_cli.tables.layout import BRANCH, MAIN, ROW, SEQ, Lineage, quoted, visible

if TYPE_CHECKING:
    from hivemind_cli.tables.workspace import Workspace

TABLE = "steps"
KEY = ("run_id", "step")
COLUMNS = (
    ColumnInfo("run_id", Type(Kind.TEXT), not_null=True),
    ColumnInfo("step", Type(Kind.INT), not_null=True),
    ColumnInfo("action", Type(Kind.TEXT)),
    ColumnInfo("observation", Type(Kind.TEXT)),
    ColumnInfo("state", Type(Kind.JSON)),
    ColumnInfo("tokens_used", Type(Kind.BIGINT)),
    ColumnInfo("embedding", Type(Kind.VECTOR)),
    ColumnInfo("created_at", Type(Kind.TIMESTAMP), not_null=True),
)
RUN_ID_CHARS_MAX = 500
HISTORY_MAX = 10_000
"""Steps in one answer."""
_RUNS_KEPT = 10_000
"""Runs whose last number is remembered."""
_SELECTED = ("run_id", "step", "action", "observation", "state", "tokens_used", "created_at")


@dataclass(frozen=True, slots=True)
class StepInfo:
    """One step of a run."""

    run_id: str
    step: int
    """From 1, in its run."""
    action: str | None
    observation: str | None
    state: Any
    """What JSON can say."""
    tokens_used: int
    created_at: datetime
    seq: int
    """A roll back to it brings back what was there when this step had been made."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a run goes on."""

    step: int
    """The last one there is; 0: none."""
    state: Any
    """After it; None before the first."""
    next_step: int


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One run."""

    run_id: str
    steps: int
    tokens_used: int
    started_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class _Last:
    """The number of a run's last step, as it was at a number of the database."""

    step: int
    seq: int


class Runs:
    """The runs of one workspace. Any thread, and many processes and machines."""

    def __init__(self, workspace: "Workspace", clock: Clock = system_clock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._lock = threading.Lock()
        self._lasts: OrderedDict[tuple[int, str], _Last] = OrderedDict()
        self._places: dict[str, tuple[int, Lineage]] = {MAIN: workspace.branches.position(MAIN)}
        self._table: TableInfo | None = None

    def step(
        self,
        run_id: str,
        action: str,
        observation: str | None = None,
        state: Any = None,
        tokens_used: int = 0,
        embedding: Sequence[float] | None = None,
        branch: str = MAIN,
    ) -> StepInfo:
        """Keep the next step of a run; durable when this returns. WrongValue, BranchError."""
        made = self._clock()
        said: dict[str, Sequence[Any]] = {
            "run_id": [_checked_id(run_id)],
            "step": [1],
            "action": [action],
            "observation": [observation],
            "state": [json.dumps(state) if isinstance(state, str) else state],  # a str means JSON text to its column
            "tokens_used": [tokens_used],
            "created_at": [made],
        }
        if embedding is not None:
            said["embedding"] = [embedding]
        table = self._steps()
        typed = writing.checked(table, said)

        def work(tx: Transaction) -> tuple[TableInfo, int, int, int]:
            number, step, seq = self._next(tx, table, branch, run_id)
            settled = self._settled(tx, table, typed)
            big = Type(Kind.BIGINT)
            hidden = {SEQ: (big, [seq]), ROW: (big, [seq]), BRANCH: (big, [number])}
            tx.insert(
                self._workspace.engine.qualified(table.physical),
                {**typed, "step": (Type(Kind.INT), [step]), **hidden},
            )
            return settled, number, step, seq

        self._table, number, step, seq = self._workspace.engine.write(work)
        self._remember((number, run_id), _Last(step, seq))
        stored = {name: typed[name][1][0] for name in _SELECTED} | {"step": step}
        return StepInfo(**stored, seq=seq)

    def last(self, run_id: str, branch: str = MAIN) -> StepInfo | None:
        """The newest step; None: there is none."""
        found = self._select(branch, "WHERE run_id = $1 ORDER BY step DESC LIMIT 1", [_checked_id(run_id)])
        return found[0] if found else None

    def at(self, run_id: str, step: int, branch: str = MAIN) -> StepInfo | None:
        """Step number `step`; None: there is none of that number."""
        found = self._select(branch, "WHERE run_id = $1 AND step = $2", [_checked_id(run_id), int(step)])
        return found[0] if found else None

    def history(self, run_id: str, branch: str = MAIN, after: int = 0, limit: int = 1000) -> builtins.list[StepInfo]:
        """Steps in their order, from number `after` + 1 on, `limit` at most (and HISTORY_MAX)."""
        said = "WHERE run_id = $1 AND step > $2 ORDER BY step LIMIT $3"
        return self._select(branch, said, [_checked_id(run_id), int(after), min(max(int(limit), 0), HISTORY_MAX)])

    def resume(self, run_id: str, branch: str = MAIN) -> Resume:
        """Where to go on after a crash."""
        last = self.last(run_id, branch)
        return Resume(0, None, 1) if last is None else Resume(last.step, last.state, last.step + 1)

    def list(self, branch: str = MAIN) -> builtins.list[RunInfo]:
        """The runs there are; who was at work last comes first."""
        table = self._found()
        _, lineage = self._workspace.branches.position(branch)
        if table is None:
            return []
        inner = visible(
            self._workspace.engine.qualified(table.physical), ["run_id", "tokens_used", "created_at"], lineage
        )
        found = self._workspace.engine.read(
            "SELECT run_id, count(*), CAST(COALESCE(sum(tokens_used), 0) AS BIGINT), min(created_at), max(created_at)"
            f" FROM ({inner}) AS hm_v GROUP BY run_id ORDER BY 5 DESC, 1"
        )
        return [RunInfo(*row) for row in found.rows]

    def _next(self, tx: Transaction, table: TableInfo, branch: str, run_id: str) -> tuple[int, int, int]:
        """The branch's number, that of the run's next step, and one for its version. Does not scan for known runs."""
        engine = self._workspace.engine
        physical = engine.qualified(table.physical)
        number, lineage = self._place(branch, tx)
        last = self._lasts.get((number, run_id))
        since = f"SELECT 1 FROM {physical} WHERE {BRANCH} = {number} AND {SEQ} > $1 AND run_id = $2"
        there = f"EXISTS (SELECT 1 FROM {engine.qualified('hm_branches')} WHERE number = {number} AND NOT deleted)"
        ((seq, changed, known),) = tx.run(
            f"SELECT {engine.next_number}, EXISTS ({since}), {'TRUE' if branch == MAIN else there}",
            [last.seq if last else 0, run_id],
        )
        if not known:
            self._places.pop(branch, None)
            return self._next(tx, table, branch, run_id)
        if last is not None and not changed:
            return number, last.step + 1, int(seq)
        inner = visible(physical, KEY, lineage)
        ((newest,),) = tx.run(f"SELECT max(step) FROM ({inner}) AS hm_v WHERE run_id = $1", [run_id])
        return number, int(newest or 0) + 1, int(seq)

    def _settled(self, tx: Transaction, table: TableInfo, typed: writing.Typed) -> TableInfo:
        """The first embedding says how many numbers all of them have. WrongValue: another one was first."""
        if "embedding" not in typed or table.column("embedding").type.dim:
            return table
        table = self._workspace.catalog.again(tx, table)
        kind, vectors = typed["embedding"]
        writing.checked(table, {"embedding": vectors, "run_id": [""], "step": [1], "created_at": [self._clock()]})
        if table.column("embedding").type.dim:
            return table
        columns = [replace(one, type=kind) if one.name == "embedding" else one for one in table.columns]
        return self._workspace.catalog.change(tx, table, columns)

    def _select(self, branch: str, said: str, values: Sequence[Any]) -> builtins.list[StepInfo]:
        table = self._found()
        _, lineage = self._workspace.branches.position(branch)
        if table is None:
            return []
        inner = visible(self._workspace.engine.qualified(table.physical), _SELECTED, lineage)
        names = ", ".join([*map(quoted, _SELECTED), SEQ])
        return [
            StepInfo(*row)
            for row in self._workspace.engine.read(f"SELECT {names} FROM ({inner}) AS hm_v {said}", values).rows
        ]

    def _steps(self) -> TableInfo:
        """Made on first use."""
        self._table = self._table or self._workspace.own_table(TABLE, COLUMNS, KEY)
        return self._table

    def _found(self) -> TableInfo | None:
        self._table = self._table or self._workspace.catalog.find(self._workspace.name, TABLE)
        return self._table

    def _place(self, branch: str, tx: Transaction) -> tuple[int, Lineage]:
        """As `Branches.position`, asked once: it does not change while the branch is there."""
        found = self._places.get(branch)
        if found is None:
            found = self._places[branch] = self._workspace.branches.position(branch, tx)
        return found

    def _remember(self, run: tuple[int, str], last: _Last) -> None:
        with self._lock:
            known = self._lasts.pop(run, None)
            self._lasts[run] = last if known is None or known.seq < last.seq else known
            if len(self._lasts) > _RUNS_KEPT:
                self._lasts.popitem(last=False)


def _checked_id(run_id: str) -> str:
    if not isinstance(run_id, str) or not 0 < len(run_id) <= RUN_ID_CHARS_MAX or "\0" in run_id:
        raise WrongValue(
            f"{str(run_id)[:60]!r} cannot name a run.", why=f"A name is text of 1 to {RUN_ID_CHARS_MAX} characters."
        )
    return run_id
