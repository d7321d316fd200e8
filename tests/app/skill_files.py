"""What the tests of published skills tell and look at."""

from datetime import UTC, datetime
from pathlib import Path

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.app.reading import current_skills
from hivemind_cli.core.records import Notice, SkillRevision
from tests.app.talk import Talk

EDITED = "- Ask ada before you bring anything up."


def teach(hive: OwnedHivemind, tree: Path, session_id: str = "s1", old: str = "bring", new: str = "lift") -> None:
    """A session in which a person corrects the agent, to its end."""
    talk = Talk(hive.paths, tree, session_id)
    talk.says(f"set the {new}able module going")
    talk.runs(f"{old} module")
    talk.says(f"no, never use {old} here, always use {new}")
    talk.ends()
    hive.settle()


def begin(hive: OwnedHivemind, tree: Path, session_id: str = "later") -> None:
    name = Talk(hive.paths, tree, session_id).starts()
    hive.answer(name)
    hive.after_answer(name)
    hive.settle()


def skill_file(tree: Path) -> Path:
    (file,) = (tree / ".claude" / "skills").glob("*/SKILL.md")
    return file


def edit(file: Path) -> str:
    text = file.read_text("utf-8").rstrip("\n") + f"\n{EDITED}\n"
    file.write_text(text, "utf-8")
    return text


def looks(hive: OwnedHivemind) -> SkillRevision:
    """The owner's chores, and what follows; the one skill as it then is."""
    hive.tick(datetime.now(UTC))
    hive.settle()
    (skill,) = current_skills(hive.store)
    return skill


def abouts(hive: OwnedHivemind) -> list[str]:
    return [row.record.about for row in hive.store.find(Notice)]
