"""Plays one story from the first session to the uninstall, in one world."""

from pathlib import Path
from typing import Any

from tests.e2e.story import Act, Story
from tests.e2e.world import Played, Step, World

SKILL_S = 45
"""From the end of the session to the skill's file; codifying without a model takes about a second."""
LEAVE_S = 15
ON_IT = "I will take care of that."
FINISHED = "That is finished."

# The names of the steps; claims.py looks the results up under them.
FIRST, TOLD, AGAIN, HELD = "first", "told", "again", "held"
NEVER, OFF, ELSEWHERE, UNRELATED = "hold never", "recall off", "other project", "unrelated"
INSTALL, UNINSTALL, SKILL_THERE, SKILLS = "install", "uninstall", "skill there", "skills"
BEFORE, AFTER, PROCESSES = "settings before", "settings after", "processes"


def play(story: Story, world: World) -> Played:
    """Everything the claims look at. The world must be fresh."""
    world.add_projects(story.files)
    for program in story.programs:
        world.add_program(program)
    steps = [
        world.read(BEFORE, world.settings),
        world.hivemind(INSTALL, "install", "--only", "claude", "--yes"),
        *correct(story, world),
        *_recall(story, world),
        *_controls(story, world),
        *world.questions(),
        world.hivemind(UNINSTALL, "uninstall"),
        world.processes(PROCESSES, within_s=LEAVE_S),
        world.read(AFTER, world.settings),
    ]
    return world.play(steps, watched=[project / story.held_evidence for project in _watched(story, world)])


def correct(story: Story, world: World) -> list[Step]:
    """Session 1: the mistake, the person's words, the end; then the skill."""
    answer: list[dict[str, Any]] = [{"text": "Understood."}]
    if story.instead:
        answer = [_says(story, story.instead, world.project)[-1], {"text": FINISHED}]
    return [
        world.session(FIRST, ["-p", story.prompt], [*_says(story, story.act, world.project), {"text": FINISHED}]),
        world.session(TOLD, ["-p", "--continue", story.said], answer),
        world.wait(SKILL_THERE, ".claude/skills/*/SKILL.md", within_s=SKILL_S),
        world.skills(SKILLS),
    ]


def _recall(story: Story, world: World) -> list[Step]:
    """Sessions 2 to 4: reminded at the prompt, held at the call, told with the result."""
    act = _says(story, story.held_act, world.project)
    repeat = act[-1:] if story.held_repeated else []
    return [
        world.session(AGAIN, ["-p", story.again], _reads_along(world.project)),
        _fresh(story, world),
        world.session(HELD, ["-p", story.held_prompt], [*act, *repeat, {"text": FINISHED}]),
        world.hivemind("set hold never", "config", "set", "recall.hold", "never"),
        _fresh(story, world),
        world.session(NEVER, ["-p", story.held_prompt], [*act, {"text": FINISHED}]),
        world.hivemind("set hold once", "config", "set", "recall.hold", "once"),
    ]


def _controls(story: Story, world: World) -> list[Step]:
    """Sessions in which hivemind must say nothing. In two the act itself comes: it must simply run."""
    here, there = (_says(story, story.held_act, project) for project in (world.project, world.other))
    return [
        world.hivemind("set recall off", "config", "set", "recall.enabled", "false"),
        _fresh(story, world),
        world.session(OFF, ["-p", story.again], [*here, {"text": FINISHED}]),
        world.hivemind("set recall on", "config", "set", "recall.enabled", "true"),
        world.session(ELSEWHERE, ["-p", story.again], [*there, {"text": FINISHED}], cwd=world.other),
        world.session(UNRELATED, ["-p", story.unrelated], _reads_along(world.project)),
    ]


def _says(story: Story, act: Act, project: Path) -> list[dict[str, Any]]:
    """The model's turns that end with the act: the client changes only files which the model has read."""
    call = act.at(project)
    turns: list[dict[str, Any]] = [{"text": ON_IT, "tools": [call]}]
    path = str(call["input"].get("file_path", ""))
    if path and path in {str(project / name) for name in story.files}:
        turns.insert(0, {"text": ON_IT, "tools": [{"name": "Read", "input": {"file_path": path}}]})
    return turns


def _reads_along(project: Path) -> list[dict[str, Any]]:
    """A session with a tool call that concerns nothing, so that there is a second request to look at."""
    read = {"name": "Read", "input": {"file_path": str(project / "README.md")}}
    return [{"text": ON_IT, "tools": [read]}, {"text": FINISHED}]


def _fresh(story: Story, world: World) -> Step:
    """The files the acts write stand as at the beginning, so that each session can show anew whether they ran."""
    names = [str(act.input["file_path"]) for act in (story.act, story.held_act) if "file_path" in act.input]
    names += [story.held_evidence] if story.held_evidence else []
    return world.put({str(world.project / name): story.files.get(name) for name in names})


def _watched(story: Story, world: World) -> list[Path]:
    return [world.project, world.other] if story.held_evidence else []
