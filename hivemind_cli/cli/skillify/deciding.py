"""`hivemind skillify accept`, `retire` and `undo`: a person's hand on a skill."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import print_json, quoted, say
from hivemind_cli.cli.skillify.options import Json, Name

if TYPE_CHECKING:
    from hivemind_cli.core.records import SkillRevision


def accept(name: Name, json: Json = False) -> None:
    """Make a skill that waits live."""
    _change(name, "accept", json)


def retire(name: Name, json: Json = False) -> None:
    """Take a skill out of use. Its file is removed, its history stays."""
    _change(name, "retire", json)


def undo(name: Name, json: Json = False) -> None:
    """Go back to the version before. A first version is retired."""
    _change(name, "undo", json)


def _change(name: str, verb: str, json: bool) -> None:
    from hivemind_cli.app import reading, skillset

    door = Door.open()
    change = {"accept": skillset.accept, "retire": skillset.retire, "undo": skillset.undo}[verb]
    after: SkillRevision = change(door.store, reading.skill_named(door.store, name), datetime.now(UTC))
    door.ask("settle")
    if json:
        print_json(after)
    else:
        say(f"{after.name} v{after.version} is {after.state.value}: {quoted(after.reason)}.", indent=2)
