"""The durable state of an agent's loop: steps that survive a crash, and questions about them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from hivemind_cli.tables import wire
from hivemind_cli.tables.runs import Resume, StepInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hivemind_cli.memory.database import Database

PAGE_STEPS = 500


class Run:
    """One run of an agent, on the branch of its database. Its steps are numbered 1, 2, 3 ...

    A `with` block says where a run is worked on; leaving it, also by an exception, changes nothing: every step is
    durable when `step` returns, and the next `resume` goes on after the last one.
    """

    def __init__(self, db: "Database", run_id: str) -> None:
        """`Database.run` makes one."""
        self._db = db
        self.id = run_id

    def step(
        self,
        *,
        action: str,
        observation: str | None = None,
        state: Any = None,
        tokens_used: int = 0,
        embedding: "Sequence[float] | NDArray[Any] | None" = None,
    ) -> StepInfo:
        """Keep the next step; durable when this returns.

        action, observation   text: what was done, and what came of it (None: nothing is known)
        state                 what JSON can say: all that the loop needs to go on from here
        tokens_used           by this step
        embedding             float32 [dim], for similarity queries over `steps`
        returns               the step, with its number. WrongValue
        """
        said = {
            "action": action,
            "observation": observation,
            "state": wire.value_to_json(state),
            "tokens_used": tokens_used,
            "embedding": wire.value_to_json(embedding),
        }
        return wire.shape_from_json(StepInfo, self._ask("step", reads=False, **said))

    def last(self) -> StepInfo | None:
        """The newest step; None: there is none yet."""
        return self._one(self._ask("last"))

    def at(self, step: int) -> StepInfo | None:
        """Step number `step`; None: there is none of that number."""
        return self._one(self._ask("at", step=step))

    def history(self, *, after: int = 0, limit: int | None = None) -> Iterator[StepInfo]:
        """Steps in their order, from number `after` + 1 on, `limit` at most; fetched as they are asked for."""
        left = limit
        while left is None or left > 0:
            page = self._ask("history", after=after, limit=PAGE_STEPS if left is None else min(left, PAGE_STEPS))
            for one in page:
                found = wire.shape_from_json(StepInfo, one)
                after = found.step
                yield found
            left = None if left is None else left - len(page)
            if len(page) < PAGE_STEPS:
                return

    def resume(self) -> Resume:
        """Where to go on after a crash: the last step that was acknowledged, its state, and the number of the next."""
        return wire.shape_from_json(Resume, self._ask("resume"))

    def bisect(self, predicate: Callable[[StepInfo], bool]) -> StepInfo | None:
        """The first step for which `predicate` holds; None: it holds for none.

        It must be false up to some step and true from there on ("is the file broken?"): about log2 of the steps are
        fetched.
        """
        newest = self.last()
        if newest is None or not predicate(newest):
            return None
        low, found = 1, newest
        while low < found.step:
            middle = (low + found.step) // 2
            step = self.at(middle)
            if step is not None and predicate(step):
                found = step
            else:
                low = middle + 1
        return found

    def branch(self, name: str) -> "Run":
        """This run on a branch of its own, `<id>/<name>`, made now from the branch it is on."""
        return Run(self._db.branch(f"{self.id}/{name}"), self.id)

    @property
    def branch_name(self) -> str:
        """The branch its steps are on."""
        return self._db.branch_name

    @property
    def db(self) -> "Database":
        """The tables on the same branch."""
        return self._db

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __repr__(self) -> str:
        return f"Run({self.id!r}, branch={self.branch_name!r})"

    def _ask(self, method: str, *, reads: bool = True, **args: Any) -> Any:
        return self._db._ask(f"run.{method}", {"run_id": self.id, **args}, reads=reads)

    def _one(self, said: Any) -> StepInfo | None:
        return None if said is None else wire.shape_from_json(StepInfo, said)
