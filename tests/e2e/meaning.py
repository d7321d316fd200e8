"""Plays a lesson whose next occasion comes in entirely other words, with the real sentence model beside hivemind."""

import shutil
from pathlib import Path
from typing import Any

from tests.e2e import play
from tests.e2e.lessons import Lesson
from tests.e2e.world import Played, Program, Step, World

READY_S = 90
"""Until the daemon has loaded the model and embedded the skill; the machine may be busy with other tests."""
STEP_S = "60"
TASK = "Look after the errand that waits."
"""The main agent's own prompt, where a subagent gets the task."""

# The names of the steps.
READY, AGAIN, TWICE, DELEGATED = "ready", "again", "twice", "delegated"
UNRELATED = ("unrelated 0", "unrelated 1")
LEXICAL, WITHOUT, NEAR = "by words alone", "without the model", "near, without the model"
OPEN, BESIDE, SKILLS_YET = "open", "beside", "skills yet"


def bring_model(world: World, exported: Path) -> None:
    """As `hivemind embeddings export` leaves it."""
    models = world.home / ".hivemind" / "models"
    models.mkdir(mode=0o700, parents=True)
    models.parent.chmod(0o700)
    shutil.copytree(exported, models / exported.name)


def play_lesson(lesson: Lesson, world: World, exported: Path) -> Played:
    """Taught once; then its next occasion, unrelated tasks, a subagent, and all that again by words alone."""
    _settle(lesson, world, exported)
    steps = [
        *_install(world),
        world.session(play.FIRST, ["-p", lesson.prompt], _mistake(lesson)),
        world.session(play.TOLD, ["-p", "--continue", lesson.said], [{"text": "Understood."}]),
        world.wait(play.SKILL_THERE, ".claude/skills/*/SKILL.md", within_s=play.SKILL_S),
        world.skills(play.SKILLS),
        _when_recall_is(world, READY, "hybrid"),
        world.session(AGAIN, ["-p", lesson.again], _reads(world)),
        world.session(TWICE, ["-p", "--continue", lesson.again], [{"text": play.FINISHED}]),
        *(
            world.session(name, ["-p", prompt], _reads(world))
            for name, prompt in zip(UNRELATED, lesson.unrelated, strict=True)
        ),
        world.session(DELEGATED, ["-p", TASK], _delegates(lesson)),
        world.hivemind("set runtime none", "config", "set", "embedding.runtime", "none"),
        world.hivemind("renew the daemon", "daemon", "restart"),
        _when_recall_is(world, LEXICAL, "lexical"),
        world.session(WITHOUT, ["-p", lesson.again], _reads(world)),
        world.session(NEAR, ["-p", lesson.near], _reads(world)),
        *_leave(world),
    ]
    return world.play(steps)


def play_in_parallel(lesson: Lesson, world: World, exported: Path) -> Played:
    """A correction in a session that stays open; meanwhile another session comes to the same task in other words."""
    _settle(lesson, world, exported)
    beside = [
        world.run(SKILLS_YET, ["sh", "-c", "ls .claude/skills 2>/dev/null || true"]),
        world.session(BESIDE, ["-p", lesson.again], _reads(world)),
    ]
    actions: list[list[str]] = [
        ["see", r"manual mode|\? for shortcuts", STEP_S],
        ["say", lesson.prompt],
        ["see", play.FINISHED, STEP_S],
        ["say", lesson.said],
        ["see", "Understood", STEP_S],
        ["beside"],
        ["say", "/exit"],
        ["gone", STEP_S],
    ]
    turns = [*_mistake(lesson), {"match": lesson.said[:12], "text": "Understood."}]
    words = ["--permission-mode", "manual", "--allowedTools", "Bash"]
    steps = [
        *_install(world),
        _when_recall_is(world, READY, "hybrid"),
        {**world.terminal(OPEN, words, turns, actions), "beside": beside},
        *_leave(world),
    ]
    return world.play(steps)


def _settle(lesson: Lesson, world: World, exported: Path) -> None:
    world.add_projects({})
    world.add_program(Program(name=lesson.program))
    bring_model(world, exported)


def _install(world: World) -> list[Step]:
    """With time to answer on a machine that is busy with tests: what comes is proved here, not how soon."""
    return [
        world.hivemind("set deadline", "config", "set", "recall.deadline_ms", "3000"),
        world.hivemind(play.INSTALL, "install", "--only", "claude", "--yes"),
    ]


def _leave(world: World) -> list[Step]:
    return [
        *world.questions(),
        world.hivemind("asked: recall log", "recall", "log", "--json", must=False),
        world.hivemind(play.UNINSTALL, "uninstall"),
        world.processes(play.PROCESSES, within_s=play.LEAVE_S),
    ]


def _when_recall_is(world: World, name: str, tier: str) -> Step:
    """Waits for the tier, and for everything to be embedded: recall itself is not asked."""
    return {
        **world.poll(name, ["status", "--json"], [rf'"recall_tier":\s*"{tier}(?!.*being)'], within_s=READY_S),
        "must": True,
    }


def _mistake(lesson: Lesson) -> list[dict[str, Any]]:
    call = {"name": "Bash", "input": {"command": lesson.command, "description": "Do it"}}
    return [{"text": play.ON_IT, "tools": [call]}, {"text": play.FINISHED}]


def _reads(world: World) -> list[dict[str, Any]]:
    """With a tool call that concerns nothing, so that there is a second request to look at."""
    read = {"name": "Read", "input": {"file_path": str(world.project / "README.md")}}
    return [{"text": play.ON_IT, "tools": [read]}, {"text": play.FINISHED}]


def _delegates(lesson: Lesson) -> list[dict[str, Any]]:
    """The main agent gives the task to a subagent and waits for it."""
    task = {"description": "An errand", "prompt": lesson.again, "subagent_type": "general-purpose"}
    call = {"name": "Agent", "input": {**task, "run_in_background": False}}
    return [
        {"match": TASK.rstrip("."), "text": play.ON_IT, "tools": [call]},
        {"match": lesson.again[:20], "text": "The errand is done."},
        {"text": play.FINISHED},
    ]
