"""`python -m hivemind_cli.daemon [--detach | --foreground] [--once]`: what hooks and clients start.

Light until the socket listens: the store's engine and the indexes are imported by `run.open_app`, after it.
"""

import os
import sys

from hivemind_cli.daemon.spawn import DETACH, detach

EXIT_BUG = 70
ONE_BLAS_THREAD = ("OPENBLAS_NUM_THREADS", "1")
"""Scans wait for memory, and OpenBLAS' threads for each other: 10,000 vectors took 96 ms instead of 10 where two cores
had other work (measured). Read when numpy is imported."""


def main(argv: list[str]) -> int:
    """Run the daemon to its end; the exit code."""
    if DETACH in argv:
        detach()  # first of all: it forks, and whoever started us waits for it
    os.environ.setdefault(*ONE_BLAS_THREAD)
    from hivemind_cli.core.errors import HivemindError, StoreLocked
    from hivemind_cli.core.paths import Paths
    from hivemind_cli.daemon.crash import report_crash
    from hivemind_cli.daemon.run import run

    paths = Paths.from_env(os.environ)
    foreground = "--foreground" in argv
    try:
        run(paths, once="--once" in argv, foreground=foreground)
    except HivemindError as exc:
        if foreground or not isinstance(exc, StoreLocked):
            print(exc, file=sys.stderr)
        return exc.exit_code
    except Exception as exc:  # noqa: BLE001  the last chance to write it down
        report_crash(paths, "daemon", exc)
        return EXIT_BUG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
