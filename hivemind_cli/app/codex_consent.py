"""What Codex itself says of our hooks in it. Only `doctor` asks: it starts the program."""

import os
import shutil
from collections.abc import Iterator, Mapping

from hivemind_cli.app.checkup import OK, WARN, Finding
from hivemind_cli.app.installing import config_dir, installed_dirs
from hivemind_cli.core.errors import HostError
from hivemind_cli.core.paths import Paths
from hivemind_cli.hosts import codex
from hivemind_cli.hosts.codex.appserver import asked_trust
from hivemind_cli.hosts.codex.settings import folder_of
from hivemind_cli.hosts.codex.trust import Consent, trust

WAIT_S = 10.0
_FIX = "`hivemind codex trust` shows each command, and asks you; or type `/hooks` in `codex`."


def look_at_codex(paths: Paths, env: Mapping[str, str], *, wait_s: float = WAIT_S) -> Iterator[Finding]:
    """Nothing, where it has no hook of ours or is not on the PATH."""
    moved = installed_dirs(paths, [codex.NAME])[codex.NAME] or config_dir(codex, env)
    folder = folder_of(paths.home, moved)
    program = shutil.which(codex.PROGRAM, path=env.get("PATH", os.defpath))
    if program is None or not trust(folder):
        return
    try:
        found = asked_trust(program, folder, env, timeout_s=wait_s)
    except HostError as problem:
        yield Finding(WARN, f"{problem.what} {problem.why}".strip(), problem.fix)
        return
    waiting = [f"{one.event} ({one.consent})" for one in found if one.consent is not Consent.TRUSTED]
    if waiting:
        told = (
            f"Codex itself says that it skips {len(waiting)} of {len(found)} hooks of hivemind: {', '.join(waiting)}."
        )
        yield Finding(WARN, told, _FIX)
    else:
        yield Finding(OK, f"Codex itself says that it runs all {len(found)} hooks of hivemind.")
