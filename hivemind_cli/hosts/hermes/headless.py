"""`hermes -z`: one question through the person's own provider, with hooks, plugins and harmful tools off."""

from hivemind_cli.core.headless import PROMPT, USAGE_FILE, HeadlessCommand, Said, json_object, number, plain_text
from hivemind_cli.hosts import values


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `hermes` at path `program`. From its published code, 0.19.0; not run by us.

    -z answers yes to every approval by itself, so that it may be given only tools which can do no harm: `todo`, one
    list in its memory. Safe mode leaves hooks, plugins and MCP servers out;
    a task of its board, named in the environment, would bring tools back. -p would name a profile.
    """
    return HeadlessCommand(
        argv=(
            program,
            *("-z", PROMPT),
            *(("-m", model) if model else ()),
            *("-t", "todo", "--usage-file", USAGE_FILE),
        ),
        stdin="",
        read=plain_text,
        read_usage=_read_usage,
        env={"HERMES_SAFE_MODE": "1"},
        env_drop=(
            "HERMES_SESSION_*",
            "HERMES_YOLO_MODE",
            "HERMES_ACCEPT_HOOKS",
            "HERMES_INTERACTIVE",
            "HERMES_GATEWAY_*",
            "HERMES_KANBAN_*",
        ),
        model=model,
        sign_in="hermes model",
    )


def _read_usage(text: str) -> Said:
    """Its report on one run: tokens, and an estimate of the price."""
    used = json_object(text)
    return Said(
        failed=str(used.get("failure") or "") if used.get("failed") else "",
        model=values.text(used.get("model")),
        tokens_in=int(number(used, "input_tokens", "cache_read_tokens", "cache_write_tokens")),
        tokens_out=int(number(used, "output_tokens")),
        cost_usd=number(used, "estimated_cost_usd"),
    )
