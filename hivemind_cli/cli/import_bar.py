"""The bar of `hivemind import`: bytes read, sessions, rate and time left; then events looked at."""

from typing import Any

from rich import progress
from rich.table import Column

from hivemind_cli.app.importing import Finding, Found, Imported, Watch
from hivemind_cli.cli.output import narration


class Bar(Watch):
    """A bar on stderr, for people at a terminal only."""

    def __init__(self, *, shown: bool) -> None:
        self.total = 0
        """Sessions found so far."""
        self._done = 0
        self._bytes = self._bytes_done = 0
        self._shown = shown and narration.is_terminal
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None, table_column=Column(ratio=1)),
            progress.TextColumn("{task.fields[done]}", justify="right"),
            progress.TextColumn("{task.fields[rate]}", justify="right"),
            progress.TimeRemainingColumn(compact=True),
            console=narration,
            transient=True,
            disable=not self._shown,
            expand=True,
        )
        self._reading: progress.TaskID | None = None
        self._noticing: progress.TaskID | None = None

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def found(self, finding: Finding) -> None:
        self.total += len(finding.sessions)
        self._bytes += sum(one.bytes for one in finding.sessions)
        if self._reading is None and self.total:
            self._reading = self._task("reading", self._bytes)
        self._at(self._bytes_done)

    def reads(self, found: Found, bytes_read: int) -> None:
        self._at(self._bytes_done + min(bytes_read, found.bytes))

    def ends(self, found: Found, imported: Imported) -> None:
        self._done += 1
        self._bytes_done += found.bytes
        self._at(self._bytes_done)

    def notices(self, events: int) -> None:
        """The daemon looks through so many events for corrections."""
        if events > 0:
            self._noticing = self._task("noticing corrections", events)

    def noticed(self, events: int) -> None:
        """So many are looked through."""
        if self._noticing is not None:
            task = self._bar.tasks[-1]
            rate = f"{task.speed:,.0f} events/s" if task.speed else ""
            self._bar.update(self._noticing, completed=events, done=f"{events:,} of {task.total:,.0f}", rate=rate)

    def _task(self, what: str, total: int) -> Any:
        return self._bar.add_task(what, total=total, done="", rate="")

    def _at(self, read: int) -> None:
        if self._reading is None:
            return
        speed = self._bar.tasks[0].speed
        self._bar.update(
            self._reading,
            total=self._bytes,
            completed=read,
            done=f"{self._done:,} of {self.total:,} sessions, {read / 1e6:,.0f} of {self._bytes / 1e6:,.0f} MB",
            rate=f"{speed / 1e6:.1f} MB/s" if speed else "",
        )
