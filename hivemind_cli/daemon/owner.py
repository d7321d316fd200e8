"""The Owner protocol: what the daemon asks of the one object that holds the store and the indexes.

`app.owned.OwnedHivemind`, made by `Hivemind.own`, fulfils it; the daemon knows nothing else of the rooms below.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol


class Owner(Protocol):
    """Owns the store. `drain`, `work`, `tick`, `rest`, `busy` and `next_due` are called by one thread, the rest by any.

    Whatever these raise, the daemon lives on: it is logged, reported and tried again later.
    """

    def drain(self, limit: int = 500) -> int:
        """Capture pending spool files, at most `limit`; how many were taken. 0: none left."""

    def work(self) -> int:
        """One round of what follows capture (detect, index, feedback, codify if due); how many records moved.

        0: caught up.
        """

    def answer(self, name: str) -> bytes:
        """What the hook prints for spool file `name`; b"" for silence. Quick; called on a socket thread."""

    def after_answer(self, name: str, *, delivered: bool = True, later: bool = False) -> None:
        """Persist what `answer(name)` decided, after the reply has left; `later`: with the next `drain`.

        `delivered` is False if the hook had hung up: the agent never saw the text.
        """

    def call(self, verb: str, args: dict[str, Any]) -> Any:
        """A command's request, as JSON in and out: "store.find", "recall", "status" ... HivemindError: refused."""

    def busy(self) -> bool:
        """Is something under way that the daemon must not leave behind (a codification)?"""

    def next_due(self) -> float | None:
        """Seconds until `work` must run although nothing is delivered; None: nothing that cannot wait."""

    def tick(self, now: datetime) -> None:
        """Chores of every half minute: sweep the spool, observe skill files, publish the snapshot."""

    def rest(self) -> None:
        """Give back the memory that only saves reading again; after each tick, and when much is resident."""

    def close(self) -> None:
        """Release the store and the indexes. Idempotent."""


OpenOwner = Callable[[], Owner]
"""Opens the store: slow (heavy imports), and called only when the socket listens. HivemindError: not now."""
