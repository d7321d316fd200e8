"""`hivemind doctor --bench-hooks` times what a host runs; the budgets themselves are checked where it is quiet."""

import sys

import pytest

from hivemind_cli.cli import bench_hooks
from hivemind_cli.core.errors import HivemindError
from hivemind_cli.core.hook_settings import write
from hivemind_cli.hosts.command import hook_command
from hivemind_cli.index import snapshot
from hivemind_cli.index.base import Document
from tests.hooks.rig import PYTHON, WAITING, Rig, fake_daemon, framed

SUBJECTS = ["parser", "worker", "schema", "report", "invoice", "camera", "ledger", "planet", "router", "kernel"]


def documents(count: int) -> list[Document]:
    """Many skills that share some words, as one person's do."""
    return [
        Document(
            id=f"sk_{n}",
            kind="skill",
            version=1,
            name=f"skill-{n}",
            workspace_id="default",
            project_id="",
            trigger=f"change the {SUBJECTS[n % 10]} of service number {n}",
            text=f"Write the {SUBJECTS[n % 7]} first.\n" + f"Then ask for a review of part {n % 50}.\n" * 8,
            tasks=(f"update {SUBJECTS[n % 10]} and {SUBJECTS[n // 10 % 10]} in module {n}",),
        )
        for n in range(count)
    ]


def publish(rig: Rig, count: int) -> None:
    rarity = {f"term{n}": 0.5 for n in range(500)}
    snapshot.publish(
        rig.paths.snapshot,
        documents(count),
        (),
        weights_rarity=rarity,
        workspace="default",
        applies_min=0.3,
        limit=2,
        tokens_max=400,
    )


def measure(rig: Rig, skills: int, rounds: int) -> dict[str, bench_hooks.BenchRow]:
    write(rig.paths.hook_settings, WAITING)
    publish(rig, skills)
    command = hook_command(type(rig.root)(PYTHON), rig.paths.hook, "claude")
    with fake_daemon(rig, lambda _: framed(b'{"hookSpecificOutput": {}}\n')):
        asked = ["update the parser and worker in module 20"]
        rows = bench_hooks.bench_hooks(rig.paths, command, rounds, prompts=asked)
    return {row.name: row for row in rows}


def test_all_four_ways_run_and_those_that_recall_speak(rig: Rig) -> None:
    rows = measure(rig, skills=30, rounds=2)
    assert [row.answers for row in rows.values()] == [0, 0, 2, 2]
    assert rows[bench_hooks.BARE].ratio == 1.0
    assert len(rig.spool.pending()) == 3
    assert [row.ratio_max for row in rows.values()] == [0, 1.5, 2.5, 3.5]


def test_a_command_without_an_interpreter_is_refused(rig: Rig) -> None:
    write(rig.paths.hook_settings, WAITING)
    with pytest.raises(HivemindError, match="interpreter"):
        bench_hooks.bench_hooks(rig.paths, "true", 1, prompts=["x"])


def test_a_hook_that_fails_its_host_is_told(rig: Rig) -> None:
    write(rig.paths.hook_settings, WAITING)
    with pytest.raises(HivemindError, match="did not end as it must"):
        bench_hooks.bench_hooks(rig.paths, f"false {sys.executable} -I", 1, prompts=["x"])


@pytest.mark.slow
def test_the_budgets_hold_at_a_thousand_skills(rig: Rig) -> None:
    rows = measure(rig, skills=1000, rounds=40)
    for row in rows.values():
        print(f"{row.name}: {row.median_ms:.2f} ms, {row.ratio:.2f} x bare")
        assert row.ratio <= (row.ratio_max or 1.0)
