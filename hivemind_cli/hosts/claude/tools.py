"""Claude Code's tools in our words: what was done, what came back, what was written, who refused.

One place for hook payloads and transcript lines, so that both say the same of one call.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hivemind_cli.core import acts, fence
from hivemind_cli.hosts import values

FILE_BYTES_MAX = 1_000_000
"""Larger files are not followed line by line."""

EDITS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
_READS = frozenset({"Read", "Grep", "Glob", "LS", "NotebookRead"})
_SHELLS = frozenset({"Bash", "PowerShell"})
_BULKY = frozenset(
    {"originalFile", "originalFileContents", "structuredPatch", "content", "oldString", "newString", "file"}
)
"""Fields of a tool's response that repeat a whole file."""

_REJECTED = "The user doesn't want to proceed with this tool use"
_PLAN_REJECTED = "The agent proposed a plan that was rejected by the user"
_SAID = ("To tell you how to proceed, the user said:\n", "The user said:\n")
_AFTER_WORDS = "\n\nNote: The user's next message may contain"
_NOT_WORDS = "The user wants to clarify these questions."
_HOOK_ERROR = " hook error: "
_RULES = (
    "Permission for this tool use was denied",
    "Permission to use ",
    "Claude requested permissions to ",
    "This command requires approval",
)
_ASKED = " needs approval. "
_DENIAL_KINDS = {
    "user-rejected": "person",
    "interrupted": "person",
    "permission-rule": "rule",
    "automode-blocked": "rule",
    "automode-unavailable": "rule",
    "automode-parsing-error": "rule",
}
USE_ERROR = "<tool_use_error>"
"""A call the host refused for its input: no hook but PostToolBatch tells of it."""


def act_of(tool: str, tool_input: Mapping[str, Any], cwd: str) -> acts.Act:
    """The call as an Act. Paths inside `cwd` are given relative to it."""
    if tool in _SHELLS:
        return acts.Act(acts.SHELL, tool, command=values.string(tool_input, "command"))
    path = values.relative(values.string(tool_input, "file_path", "notebook_path", "path"), cwd)
    if tool in EDITS:
        return acts.Act(acts.EDIT, tool, path=path, text=values.short(_written(tool_input)))
    if tool in _READS:
        return acts.Act(acts.READ, tool, path=path, text=values.short(values.string(tool_input, "pattern")))
    said = values.string(tool_input, "prompt", "skill", "query", "url") or values.short_json(tool_input)
    return acts.Act(acts.OTHER, tool, text=values.short(said))


def _written(tool_input: Mapping[str, Any]) -> str:
    edits = tool_input.get("edits")
    if isinstance(edits, list):
        return "\n".join(values.string(edit, "new_string") for edit in edits if isinstance(edit, dict))
    return values.string(tool_input, "new_string", "content", "new_source")


def output_text(response: object) -> str:
    """What a tool gave back, as text: its output, or the short fields of its answer."""
    if response is None:
        return ""
    if isinstance(response, str):
        return response
    if isinstance(response, list):
        return "\n".join(_block_text(block) for block in response).strip()
    if isinstance(response, dict):
        if "stdout" in response or "stderr" in response:
            streams = (response.get("stdout"), response.get("stderr"))
            return "\n".join(text for text in streams if isinstance(text, str) and text)
        content = response.get("content")
        if isinstance(content, list):
            return output_text(content)
        return values.short_json({name: value for name, value in response.items() if name not in _BULKY})
    return values.short_json(response)


def _block_text(block: object) -> str:
    if isinstance(block, str):
        return block
    if isinstance(block, dict):
        return values.string(block, "text") or f"[{block.get('type', 'block')}]"
    return ""


def user_modified(response: object) -> bool:
    """Did the person change the edit while approving it?"""
    return isinstance(response, dict) and response.get("userModified") is True


def wrote(tool: str, tool_input: Mapping[str, Any], response: object) -> dict[str, str] | None:
    """What an edit left in its file, or None for other tools.

    path     absolute, as the host gives it
    written  the lines the agent wrote, joined by newlines
    after    the whole file after the edit; absent where the host did not show the file, or it is over 1 MB
    before   the whole file before the edit, "" for a new file; absent likewise
    """
    if tool not in EDITS or tool == "NotebookEdit" or not isinstance(response, dict):
        return None
    path = values.string(response, "filePath") or values.string(tool_input, "file_path")
    if not path:
        return None
    found = {"path": path, "written": _written_lines(tool_input, response)}
    after = _after(tool, tool_input, response)
    if after is not None and len(after) <= FILE_BYTES_MAX:
        found["after"] = after
    before = "" if response.get("type") == "create" else response.get("originalFile")
    if isinstance(before, str) and len(before) <= FILE_BYTES_MAX:
        found["before"] = before
    return found


def _written_lines(tool_input: Mapping[str, Any], response: Mapping[str, Any]) -> str:
    hunks = response.get("structuredPatch")
    if user_modified(response) or not isinstance(hunks, list) or not hunks:
        return _written(tool_input)  # the patch would show the person's lines, or there is none (a new file)
    lines = [line for hunk in hunks if isinstance(hunk, dict) for line in hunk.get("lines", ())]
    return "\n".join(line[1:] for line in lines if isinstance(line, str) and line.startswith("+"))


def _after(tool: str, tool_input: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    if tool == "Write":
        content = response.get("content", tool_input.get("content"))
        return content if isinstance(content, str) else None
    before = response.get("originalFile", response.get("originalFileContents"))
    if not isinstance(before, str) or len(before) > FILE_BYTES_MAX:
        return None
    if tool == "MultiEdit":
        return _replaced(before, [edit for edit in tool_input.get("edits", ()) if isinstance(edit, dict)])
    old, new = response.get("oldString"), response.get("newString")
    fields = {"old_string": old, "new_string": new, "replace_all": response.get("replaceAll")}
    return _replaced(before, [fields])


def _replaced(text: str, edits: Sequence[Mapping[str, Any]]) -> str | None:
    for edit in edits:
        old, new = edit.get("old_string"), edit.get("new_string")
        if not isinstance(old, str) or not isinstance(new, str) or (old and old not in text):
            return None
        if not old:
            text = text or new
        else:
            text = text.replace(old, new) if edit.get("replace_all") else text.replace(old, new, 1)
    return text


def denial(text: str, kind: str = "", feedback: str = "") -> dict[str, str] | None:
    """Who refused the call, and in what words: {"by": person|rule|hivemind, "words", "reason"}; None: nobody did.

    text      what the model was told in place of a result
    kind      the transcript's `toolDenialKind`, feedback its `userFeedback`; hooks have neither
    """
    if fence.OPEN in text and _HOOK_ERROR in text[:200]:
        return {"by": "hivemind", "words": ""}
    by = _DENIAL_KINDS.get(kind) or _denier(text)
    if by is None or kind == "cancelled":
        return None
    if by == "person":
        return {"by": by, "words": feedback.strip() or _words(text)}
    return {"by": by, "words": "", "reason": values.short(text)}


def _denier(text: str) -> str | None:
    if text.startswith((_REJECTED, _PLAN_REJECTED)):
        return "person"
    if text.startswith(_RULES) and _SAID[1] in text:
        return "person"
    if text.startswith(_RULES) or (text.startswith("PreToolUse:") and _HOOK_ERROR in text[:200]):
        return "rule"
    return "rule" if _ASKED in text.split("\n", 1)[0] and "Claude Code asks before" in text else None


def _words(text: str) -> str:
    for mark in _SAID:
        _, found, words = text.partition(mark)
        if found:
            words = words.split(_AFTER_WORDS, 1)[0].strip()
            return "" if words.startswith(_NOT_WORDS) else words
    return ""
