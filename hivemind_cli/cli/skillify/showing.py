"""`hivemind skillify show` and `log`: what a skill says, and how it came to."""

from hivemind_cli.cli.door import Door
from hivemind_cli.cli.output import print_json, quoted, say
from hivemind_cli.cli.skillify.options import Json, Name


def show(name: Name, json: Json = False) -> None:
    """Print the SKILL.md as it is, or would be, written."""
    from hivemind_cli.app import reading
    from hivemind_cli.skills.format import render

    revision = reading.skill_named(Door.open().store, name)
    if json:
        print_json({"skill": revision, "text": render(revision)})
    else:
        print(render(revision), end="")


def log(name: Name, json: Json = False) -> None:
    """List the versions of a skill, and why each was made."""
    from hivemind_cli.app import reading

    store = Door.open().store
    history = reading.history_of(store, reading.skill_named(store, name).skill_id)
    if json:
        print_json(history)
        return
    for one in history:
        say(
            f"v{one.version:<3} {one.state.value:<11} {one.occurred_at.astimezone():%Y-%m-%d %H:%M}  "
            f"{quoted(one.reason, 200)} [dim]({quoted(one.drafter, 40)})[/]",
            indent=34,
        )
