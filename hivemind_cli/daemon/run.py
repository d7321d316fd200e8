"""`run`: the daemon as it really is, with the app as its owner. Everyone who starts one in this process calls it."""

import logging
import os

from hivemind_cli.core.config import Config
from hivemind_cli.core.errors import ConfigError
from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon.log import open_log
from hivemind_cli.daemon.owner import Owner
from hivemind_cli.daemon.supervisor import Supervisor

logger = logging.getLogger(__name__)


def run(paths: Paths, config: Config | None = None, *, once: bool = False, foreground: bool = False) -> None:
    """Own the store of `paths` until idle or told to go; `once`: until everything is captured and worked on.

    StoreLocked: another process owns it. HivemindError: what could not be done (`once`), or a wrong setting.
    """
    os.umask(0o077)  # whoever started us: a hook's is not a command's. Files for people get their mode by name
    paths.make()
    open_log(paths, foreground=foreground)
    settings = config or _configured(paths)
    if settings.debug:
        logging.getLogger().setLevel(logging.DEBUG)

    def open_app() -> Owner:
        from hivemind_cli.app import Hivemind  # heavy (DuckDB, tantivy): when the socket listens

        return Hivemind.own(paths, settings)

    supervisor = Supervisor(open_app, paths, settings)
    supervisor.run(once=once)
    if supervisor.home_lost:
        os._exit(0)  # no destructor may tidy up by path (DuckDB its log) what belongs to a new home by now


def _configured(paths: Paths) -> Config:
    from hivemind_cli.core.settings import load

    try:
        return load(paths, os.environ).config
    except ConfigError as exc:
        logger.error("the daemon cannot start: %s", exc)  # nobody else may be there to hear it
        raise
