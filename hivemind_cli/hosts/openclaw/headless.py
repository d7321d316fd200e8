"""OpenClaw: asked for a plain completion through its own configured login, without an agent, tools or hooks.

Source: its documentation, 2026.9.6; not run by us. Its past sessions are not read.
"""

from hivemind_cli.core.headless import PROMPT, HeadlessCommand, Said, dig, json_object, number


def headless(program: str, model: str = "") -> HeadlessCommand:
    """How to ask the `openclaw` at path `program`; `model` is provider/model."""
    return HeadlessCommand(
        argv=(
            program,
            *("infer", "model", "run", "--local", "--prompt", PROMPT),
            *(("--model", model) if model else ()),
            "--json",
        ),
        stdin="",
        read=_read_headless,
        model=model,
        sign_in="openclaw models auth login",
    )


def _read_headless(stdout: str) -> Said:
    """One object: ok, model, outputs with their text; error where it failed. Log lines may stand before it."""
    said = json_object(stdout[max(stdout.find("{"), 0) :])
    outputs = said.get("outputs") or ()
    error = said.get("error")
    return Said(
        answer="".join(str(output.get("text") or "") for output in outputs),
        failed=str(dig(error, "message") or error or "it failed") if error or said.get("ok") is False else "",
        model="/".join(str(said[key]) for key in ("provider", "model") if said.get(key)),
        tokens_in=int(number(said, "usage.input", "usage.cacheRead", "usage.cacheWrite")),
        tokens_out=int(number(said, "usage.output")),
    )
