"""Stands in for the hivemind command to prove the harness: it knows the story and does what the claims ask.

    python standin.py STORY.json COMMAND ...

It learns nothing. It proves that the real client carries a right answer to where the claims look for it; that the
claims also fail is shown by test_harness.py, which tampers with what this one left.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

HOOKS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "SessionEnd")
BRIEFS = 2
"""Sessions that are told at their start what is new."""
SKILL = "---\nname: the-rule\ndescription: Use when the story comes again.\n---\n# The rule\n\n{said}\n"


def main(story_file: Path, command: str, words: list[str]) -> None:
    home = Path(os.environ["HOME"])
    settings, kept, state = (home / name for name in (".claude/settings.json", "settings.kept", "standin.json"))
    if command == "install":
        kept.write_bytes(settings.read_bytes())
        settings.write_text(json.dumps(_wired(json.loads(settings.read_text()), story_file)))
    elif command == "uninstall":
        settings.write_bytes(kept.read_bytes())
    elif command == "config":
        _save(state, {**_state(state), words[1]: words[2]})
    elif command == "hook":
        answer = _answer(json.loads(story_file.read_text()), json.load(sys.stdin), state)
        if answer:
            print(json.dumps(answer))


def _wired(settings: dict[str, Any], story_file: Path) -> dict[str, Any]:
    command = f"{sys.executable} {Path(__file__).resolve()} {story_file} hook"
    for event in HOOKS:
        handler = {"type": "command", "command": command, "timeout": 20}
        settings["hooks"].setdefault(event, []).append({"hooks": [handler]})
    return settings


def _answer(story: dict[str, Any], payload: dict[str, Any], state_file: Path) -> dict[str, Any] | None:
    event, state = payload["hook_event_name"], _state(state_file)
    project, block = Path(payload["cwd"]), f"<hivemind-recall>\n{story['correction']['said']}\n</hivemind-recall>"
    if event == "UserPromptSubmit" and payload["prompt"] == story["correction"]["said"]:
        _save(state_file, {**state, "corrected": payload["session_id"]})
    elif event == "SessionEnd" and state.get("corrected") == payload["session_id"]:
        _write_skill(project, story["correction"]["said"])
    if state.get("recall.enabled") == "false" or not (project / ".claude/skills/the-rule").exists():
        return None
    if event == "SessionStart":
        return _brief(story["correction"]["said"], state, state_file)
    output: dict[str, Any] = {"hookEventName": event, "additionalContext": block}
    if event == "UserPromptSubmit" and payload["prompt"] == story["again"]["prompt"]:
        return {"hookSpecificOutput": output}
    if event != "PreToolUse" or payload["tool_name"] != story["held"]["tool"]["name"]:
        return None
    if state.get("recall.hold") == "never":
        return {"hookSpecificOutput": output}
    if state.get("held") == payload["session_id"]:
        return None
    _save(state_file, {**state, "held": payload["session_id"]})
    denial = {"hookEventName": event, "permissionDecision": "deny", "permissionDecisionReason": block}
    return {"hookSpecificOutput": denial}


def _brief(said: str, state: dict[str, Any], state_file: Path) -> dict[str, Any] | None:
    told = int(state.get("briefs", 0))
    if told == BRIEFS:
        return None
    _save(state_file, {**state, "briefs": told + 1})
    text = f"<hivemind-brief>\nLearned here:\n- {said}\n</hivemind-brief>"
    return {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": text}}


def _write_skill(project: Path, said: str) -> None:
    folder, other = project / ".claude/skills/the-rule", project / ".agents/skills/the-rule"
    folder.mkdir(parents=True)
    other.parent.mkdir(parents=True)
    (folder / "SKILL.md").write_text(SKILL.format(said=said), encoding="utf-8")
    other.symlink_to("../../.claude/skills/the-rule")


def _state(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _save(file: Path, state: dict[str, Any]) -> None:
    file.write_text(json.dumps(state), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
