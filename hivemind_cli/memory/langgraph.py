"""A checkpointer for LangGraph: graphs resume from hivemind, and what a thread did is a table to be queried.

    from hivemind_cli import memory
    from hivemind_cli.memory.langgraph import HivemindSaver

    with memory.connect("hivemind://payments-service") as db:
        graph = builder.compile(checkpointer=HivemindSaver(db))
        graph.invoke(inputs, {"configurable": {"thread_id": "run-42"}})

A checkpoint and its pending writes are durable when `put` and `put_writes` return. They lie in the tables
`langgraph_checkpoints` and `langgraph_writes` of the workspace, on the branch of `db`: a graph on `db.branch("idea")`
goes on from where main stands, and a merge brings its checkpoints. Values are bytes of the graph's serializer, as
base64. Needs `pip install 'hivemind-loop[langgraph]'`.

Source: langgraph.checkpoint.base and .memory, langgraph-checkpoint 4.3.
"""

import asyncio
import binascii
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hivemind_cli.core.errors import ConfigError, DuplicateKey
from hivemind_cli.tables.layout import MAIN

try:
    from langgraph.checkpoint.base import (
        WRITES_IDX_MAP,
        BaseCheckpointSaver,
        CheckpointTuple,
        get_checkpoint_id,
        get_checkpoint_metadata,
    )
except ImportError as exc:
    raise ConfigError("LangGraph is not installed.", fix="pip install 'hivemind-loop[langgraph]'") from exc

if TYPE_CHECKING:
    from hivemind_cli.memory.database import Database

CHECKPOINTS, WRITES = "langgraph_checkpoints", "langgraph_writes"
_MADE = (
    f"CREATE TABLE IF NOT EXISTS {CHECKPOINTS} (thread_id TEXT, checkpoint_ns TEXT, checkpoint_id TEXT,"
    " parent_id TEXT, run_id TEXT, checkpoint_type TEXT, checkpoint TEXT, metadata_type TEXT, metadata TEXT,"
    " created_at TIMESTAMP DEFAULT now(), PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))",
    f"CREATE TABLE IF NOT EXISTS {WRITES} (thread_id TEXT, checkpoint_ns TEXT, checkpoint_id TEXT, task_id TEXT,"
    " idx INT, task_path TEXT, channel TEXT, value_type TEXT, value TEXT,"
    " PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx))",
)
_CHECKPOINT = (
    "thread_id", "checkpoint_ns", "checkpoint_id", "parent_id", "run_id",
    "checkpoint_type", "checkpoint", "metadata_type", "metadata",
)  # fmt: skip
_WRITE = (
    "thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx", "task_path", "channel", "value_type", "value",
)  # fmt: skip
_HERE = "thread_id = $1 AND checkpoint_ns = $2"


class HivemindSaver(BaseCheckpointSaver):  # type: ignore[misc]  # langgraph is an extra: Any where it is not
    """Checkpoints of LangGraph in a workspace's tables. Threads and processes may share one."""

    def __init__(self, db: "Database", *, serde: Any = None) -> None:
        """db: the workspace and branch; not closed here. serde: as of LangGraph; None: its own."""
        super().__init__(serde=serde)
        self._db = db
        self._there = False

    def get_tuple(self, config: Mapping[str, Any]) -> Any:
        """The checkpoint that `config` names, or the thread's newest; None: there is none."""
        self._make()
        thread, namespace = _place(config)
        wanted = get_checkpoint_id(config)
        which = " AND checkpoint_id = $3" if wanted else ""
        found = self._db.query(
            f"SELECT {', '.join(_CHECKPOINT)} FROM {CHECKPOINTS} WHERE {_HERE}{which}"
            " ORDER BY checkpoint_id DESC LIMIT 1",
            [thread, namespace, *([wanted] if wanted else [])],
        )
        return self._tuple(found[0]) if found else None

    def list(
        self,
        config: Mapping[str, Any] | None,
        *,
        filter: dict[str, Any] | None = None,
        before: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> Iterator[Any]:
        """Checkpoints, newest first; `filter` compares metadata. Fetched one by one, as they are asked for."""
        self._make()
        conditions, values = _conditions(config, before)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        names = "thread_id, checkpoint_ns, checkpoint_id" + (", metadata_type, metadata" if filter else "")
        found = self._db.query(f"SELECT {names} FROM {CHECKPOINTS}{where} ORDER BY checkpoint_id DESC", values)
        for row in found:
            if limit is not None and limit <= 0:
                return
            if filter:
                metadata = self._loaded(row["metadata_type"], row["metadata"])
                if any(metadata.get(name) != value for name, value in filter.items()):
                    continue
            one = self.get_tuple(_config(row["thread_id"], row["checkpoint_ns"], row["checkpoint_id"]))
            if one is not None:
                limit = None if limit is None else limit - 1
                yield one

    def put(self, config: Mapping[str, Any], checkpoint: Any, metadata: Any, new_versions: Any) -> dict[str, Any]:
        """Keep a checkpoint, whole; durable when this returns. The config that names it."""
        self._make()
        thread, namespace = _place(config)
        told = get_checkpoint_metadata(config, metadata)
        row = [thread, namespace, checkpoint["id"], get_checkpoint_id(config), _text(told.get("run_id"))]
        self._insert(CHECKPOINTS, _CHECKPOINT, 3, [[*row, *self._dumped(checkpoint), *self._dumped(told)]], again=True)
        return _config(thread, namespace, checkpoint["id"])

    def put_writes(
        self, config: Mapping[str, Any], writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep what a task wrote after a checkpoint. A write that is there stays; an error or interrupt is replaced."""
        self._make()
        place = [*_place(config), get_checkpoint_id(config), task_id]
        numbered = [(WRITES_IDX_MAP.get(channel, at), channel, value) for at, (channel, value) in enumerate(writes)]
        for again in (False, True):
            rows = {
                at: [*place, at, task_path, channel, *self._dumped(value)]
                for at, channel, value in numbered
                if (at < 0) == again
            }
            if rows:
                self._insert(WRITES, _WRITE, 5, [*rows.values()], again=again)

    def delete_thread(self, thread_id: str) -> None:
        """All its checkpoints and writes."""
        self._make()
        for table in (WRITES, CHECKPOINTS):
            self._db.execute(f"DELETE FROM {table} WHERE thread_id = $1", [thread_id])

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """The checkpoints that these runs of a graph made, and their writes."""
        self._make()
        for run_id in run_ids:
            for row in self._db.query(
                f"SELECT {', '.join(_CHECKPOINT[:3])} FROM {CHECKPOINTS} WHERE run_id = $1", [str(run_id)]
            ):
                for table in (WRITES, CHECKPOINTS):
                    self._db.execute(f"DELETE FROM {table} WHERE {_HERE} AND checkpoint_id = $3", [*row.values()])

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """All its checkpoints and writes, once more under another name."""
        self._make()
        for table, names in ((CHECKPOINTS, _CHECKPOINT), (WRITES, _WRITE)):
            copied = ", ".join(names[1:])
            self._db.execute(
                f"INSERT INTO {table} (thread_id, {copied}) SELECT $1, {copied} FROM {table} WHERE thread_id = $2"
                " ON CONFLICT DO NOTHING",
                [target_thread_id, source_thread_id],
            )

    async def aget_tuple(self, config: Mapping[str, Any]) -> Any:
        """As `get_tuple`, in a thread."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: Mapping[str, Any] | None,
        *,
        filter: dict[str, Any] | None = None,
        before: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Any]:
        """As `list`, in a thread."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while (one := await asyncio.to_thread(next, found, None)) is not None:
            yield one

    async def aput(
        self, config: Mapping[str, Any], checkpoint: Any, metadata: Any, new_versions: Any
    ) -> dict[str, Any]:
        """As `put`, in a thread."""
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: Mapping[str, Any], writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As `put_writes`, in a thread."""
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """As `delete_thread`, in a thread."""
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """As `delete_for_runs`, in a thread."""
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """As `copy_thread`, in a thread."""
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    def _make(self) -> None:
        """The tables, on first use. They are made on main, and are there on every branch."""
        if not self._there:
            for made in _MADE:
                self._db.on(MAIN).execute(made)
            self._there = True

    def _insert(
        self, table: str, names: Sequence[str], key: int, rows: Sequence[Sequence[Any]], *, again: bool
    ) -> None:
        """again: a row that is there already is written anew. Mostly none is, and to ask first takes far longer."""
        try:
            self._db.ingest(table, dict(zip(names, zip(*rows, strict=True), strict=True)))
            return
        except DuplicateKey:
            pass
        places = (
            f"({', '.join(f'${row * len(names) + at + 1}' for at in range(len(names)))})" for row in range(len(rows))
        )
        changed = ", ".join(f"{name} = EXCLUDED.{name}" for name in names[key:])
        otherwise = f"DO UPDATE SET {changed}" if again else "DO NOTHING"
        self._db.execute(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join(places)}"
            f" ON CONFLICT ({', '.join(names[:key])}) {otherwise}",
            [value for row in rows for value in row],
        )

    def _tuple(self, row: Mapping[str, Any]) -> Any:
        place = [row[name] for name in _CHECKPOINT[:3]]
        writes = self._db.query(
            f"SELECT task_id, channel, value_type, value FROM {WRITES} WHERE {_HERE} AND checkpoint_id = $3"
            " ORDER BY task_path, task_id, idx",
            place,
        )
        return CheckpointTuple(
            config=_config(place[0], place[1], place[2]),
            checkpoint=self._loaded(row["checkpoint_type"], row["checkpoint"]),
            metadata=self._loaded(row["metadata_type"], row["metadata"]),
            parent_config=_config(place[0], place[1], row["parent_id"]) if row["parent_id"] else None,
            pending_writes=[
                (one["task_id"], one["channel"], self._loaded(one["value_type"], one["value"])) for one in writes
            ],
        )

    def _dumped(self, value: Any) -> tuple[str, str]:
        kind, data = self.serde.dumps_typed(value)
        return kind, binascii.b2a_base64(data, newline=False).decode("ascii")

    def _loaded(self, kind: str, data: str) -> Any:
        return self.serde.loads_typed((kind, binascii.a2b_base64(data)))


def _place(config: Mapping[str, Any]) -> tuple[str, str]:
    """Thread and namespace."""
    told = config["configurable"]
    return str(told["thread_id"]), str(told.get("checkpoint_ns", ""))


def _config(thread: str, namespace: str, checkpoint: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, "checkpoint_id": checkpoint}}


def _conditions(config: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> tuple[list[str], list[str]]:
    wanted: list[tuple[str, str]] = []
    if config is not None:
        told = config["configurable"]
        named = ("thread_id", "checkpoint_ns", "checkpoint_id")
        wanted += [(f"{name} =", str(told[name])) for name in named if told.get(name) is not None]
    if before is not None and get_checkpoint_id(before):
        wanted.append(("checkpoint_id <", str(get_checkpoint_id(before))))
    return [f"{said} ${at}" for at, (said, _) in enumerate(wanted, 1)], [value for _, value in wanted]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
