"""`opencode run`: one question, to an agent without tools, with nothing of the person's loaded."""

import json

from hivemind_cli.core.headless import HeadlessCommand, Said, dig, json_lines, number

_AGENT = "hivemind"
_NO_TOOLS = {"*": "deny"}
_ALONE = {
    "agent": {_AGENT: {"mode": "primary", "prompt": "You answer with JSON.", "permission": _NO_TOOLS}},
    "share": "disabled",
    "autoupdate": False,
}
"""Configuration laid over the person's: an agent without tools, and nothing shared."""


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `opencode` at path `program`; `model` is provider/model.

    Source: `opencode run --help`, and runs of 1.18.33. A row of the run stays in its database, under our own folder.
    The person's MCP servers are started, but no tool of theirs reaches the model.
    """
    return HeadlessCommand(
        argv=(
            program,
            *("run", "--pure", "--format", "json", "--agent", _AGENT, "--title", "hivemind"),
            *(("-m", model) if model else ()),
        ),
        read=_read_headless,
        env={"OPENCODE_CONFIG_CONTENT": json.dumps(_ALONE), "OPENCODE_PURE": "1"},
        env_drop=("OPENCODE", "OPENCODE_PID", "OPENCODE_RUN_ID", "OPENCODE_PROCESS_ROLE", "OPENCODE_CLIENT"),
        model=model,
        sign_in="opencode auth login",
    )


def _read_headless(stdout: str) -> Said:
    """JSON lines of what happened: text parts are the answer, each step_finish tells tokens and price."""
    answer, failed, tokens_in, tokens_out, cost = "", "", 0, 0, 0.0
    for line in json_lines(stdout):
        part = line.get("part")
        if line.get("type") == "text":
            answer += str(dig(part, "text") or "")
        elif line.get("type") == "step_finish":
            tokens_in += int(number(part, "tokens.input", "tokens.cache.read", "tokens.cache.write"))
            tokens_out += int(number(part, "tokens.output", "tokens.reasoning"))
            cost += number(part, "cost")
        elif line.get("type") == "error":
            failed = str(dig(line, "error.data.message") or dig(line, "error.name") or "it failed")
    return Said(answer=answer, failed=failed, tokens_in=tokens_in, tokens_out=tokens_out, cost_usd=cost)
