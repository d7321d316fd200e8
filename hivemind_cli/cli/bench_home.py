"""A home of its own for `doctor --bench-hooks`: the real daemon, a store and an index with a thousand skills."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hivemind_cli.app import installing
from hivemind_cli.app.publishing import STAGE as PUBLISHED
from hivemind_cli.cli.bench_hooks import BenchRow, bench_hooks
from hivemind_cli.cli.door import Door
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.core.records import DEFAULT_WORKSPACE, NO_PROJECT, Scope, SkillLine, SkillRevision, SkillState
from hivemind_cli.daemon.spawn import command

SKILLS = 1000
PROMPT = "add a step to the build"
_SYLLABLES = ("ba", "co", "du", "fe", "gi", "ho", "ka", "lu", "me", "ni", "po", "ra", "si", "to", "vu", "za")


def bench(rounds: int) -> list[BenchRow]:
    """Time the hooks at SKILLS skills, one of which answers the prompt. Everything is gone afterwards."""
    with _home() as door:
        skills = [_skill(n) for n in range(SKILLS)]
        door.store.commit(PUBLISHED, skills, cursor_from=0, cursor_to=SKILLS)  # to be recalled, not written to files
        door.ask("codify", timeout_s=120.0)  # brings index and snapshot up to the store
        return bench_hooks(door.paths, installing.command_for(door.paths, door.hosts["claude"]), rounds, prompt=PROMPT)


@contextmanager
def _home() -> Iterator[Door]:
    folder = Path(tempfile.mkdtemp(prefix="hivemind-bench-")).resolve()
    door = Door.apart(Paths(root=folder / ".hivemind", home=folder))
    try:
        door.paths.make()
        installing.copy_hook(door.paths)
        installing.write_settings(door.paths, door.config, list(door.hosts.values()), daemon=command())
        yield door
    finally:
        try:
            door.client.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _skill(n: int) -> SkillRevision:
    """Number 0 answers the prompt; the others are made of made-up words, the same at every run."""
    words = random.Random(n)
    task = PROMPT if n == 0 else _sentence(words, 6)
    now = datetime.now(UTC)
    return SkillRevision(
        id=new_id(now),
        workspace_id=DEFAULT_WORKSPACE,
        project_id=NO_PROJECT,
        machine_id="bench",
        author=str(os.getuid()),
        skill_id=f"sk_{new_id(now)}",
        name=f"bench-{n}",
        title=_sentence(words, 6),
        version=1,
        scope=Scope.USER,
        state=SkillState.LIVE,
        trigger=task,
        lines=tuple(SkillLine(section="do", text=_sentence(words, 12)) for _ in range(6)),
        tasks=(task,),
        drafter="bench",
        reason="made up to time hooks",
        occurred_at=now,
    )


def _sentence(words: random.Random, count: int) -> str:
    return " ".join("".join(words.choices(_SYLLABLES, k=3)) for _ in range(count))
