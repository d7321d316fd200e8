"""`run`: the daemon as it really is, with the app as its owner. Everyone who starts one in this process calls it."""

from hivemind_cli.core.config import Config
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.log import open_log
from hivemind_cli.daemon.owner import Owner
from hivemind_cli.daemon.supervisor import Supervisor


def run(paths: Paths, config: Config | None = None, *, once: bool = False, foreground: bool = False) -> None:
    """Own the store of `paths` until idle or told to go; `once`: until everything is captured and worked on.

    StoreLocked: another process owns it. HivemindError: what could not be done (`once`), or a wrong setting.
    """
    paths.make()
    settings = config or Config()
    open_log(paths, debug=settings.debug, foreground=foreground)

    def open_app() -> Owner:
        from hivemind_cli.app import Hivemind  # heavy (DuckDB, tantivy): when the socket listens

        return Hivemind.own(paths, settings)

    Supervisor(open_app, paths, settings).run(once=once)
