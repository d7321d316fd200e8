"""Where a statement stands: a database, a workspace in it, and a branch. What everything that runs SQL is given."""

from dataclasses import dataclass

from hivemind_cli.storage.tables import Tables
from hivemind_cli.tables.catalog import LOOP_VIEWS, Catalog, TableInfo, plain
from hivemind_cli.tables.layout import MAIN, MAIN_NUMBER, ON_MAIN, Lineage


@dataclass(frozen=True, slots=True)
class Scene:
    """One workspace as one branch sees it."""

    engine: Tables
    workspace: str
    catalog: Catalog
    branch: str = MAIN
    number: int = MAIN_NUMBER
    """Of the branch."""
    lineage: Lineage = ON_MAIN

    def table(self, name: str) -> TableInfo:
        """UnknownTable, with the nearest name."""
        return self.catalog.get(self.workspace, name)

    def view(self, name: str) -> str | None:
        """How SQL names the loop's view; None: no such view, or not in this database."""
        said = plain(name)
        return self.engine.loop_view(said) if said in LOOP_VIEWS else None
