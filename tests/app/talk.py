"""Claude Code's side of a conversation: payloads as it sends them, put into the spool as the hook would."""

import itertools
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hivemind_cli.core.ids import new_id
from hivemind_cli.core.paths import Paths
from hivemind_cli.pipeline.spool import Delivery, Spool

_CALLS = itertools.count(1)


def payload(event: str, session_id: str, cwd: Path, **fields: Any) -> dict[str, Any]:
    """What every payload holds, and `fields`."""
    return {"session_id": session_id, "cwd": str(cwd), "hook_event_name": event, **fields}


class Talk:
    """One session in one working tree. Every method delivers and gives the names of the spool's files."""

    def __init__(self, paths: Paths, tree: Path, session_id: str = "s1", *, transcript: Path | None = None) -> None:
        self.paths = paths
        self.tree = tree
        self.id = session_id
        self.transcript = transcript
        self.prompts = 0
        self.spool = Spool(paths)

    def sends(self, event: str, *, at: datetime | None = None, workspace: str = "", **fields: Any) -> str:
        """Put one payload."""
        told = payload(event, self.id, self.tree, **fields)
        if self.transcript:
            told["transcript_path"] = str(self.transcript)
        now = at or datetime.now(UTC)
        delivery = Delivery(
            id=new_id(),
            time_ns=int(now.timestamp() * 1_000_000) * 1000 if at else time.time_ns(),
            host="claude",
            event=event,
            raw=json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass"),
            cwd=str(self.tree),
            workspace=workspace,
        )
        return self.spool.put(delivery).name

    def starts(self, source: str = "startup", **more: Any) -> str:
        return self.sends("SessionStart", source=source, **more)

    def says(self, text: str, **more: Any) -> str:
        self.prompts += 1
        return self.sends("UserPromptSubmit", prompt=text, prompt_id=f"p{self.prompts}", **more)

    def calls(self, tool: str, tool_input: dict[str, Any], **more: Any) -> tuple[str, str]:
        """The call's own delivery, and its id."""
        call_id = f"toolu_{next(_CALLS):06}"
        name = self.sends("PreToolUse", tool_name=tool, tool_input=tool_input, tool_use_id=call_id, **more)
        return name, call_id

    def came_back(self, call_id: str, tool: str, tool_input: dict[str, Any], response: Any, **more: Any) -> str:
        call: dict[str, Any] = {"tool_name": tool, "tool_input": tool_input, "tool_use_id": call_id}
        return self.sends("PostToolUse", **call, tool_response=response, **more)

    def failed(self, call_id: str, tool: str, tool_input: dict[str, Any], error: str) -> str:
        call: dict[str, Any] = {"tool_name": tool, "tool_input": tool_input, "tool_use_id": call_id}
        return self.sends("PostToolUseFailure", **call, error=error)

    def runs(self, command: str, output: str = "", error: str = "") -> str:
        """The call's own delivery."""
        tool_input = {"command": command}
        name, call_id = self.calls("Bash", tool_input)
        if error:
            self.failed(call_id, "Bash", tool_input, error)
        else:
            self.came_back(call_id, "Bash", tool_input, {"stdout": output, "stderr": ""})
        return name

    def writes(self, path: Path, content: str) -> str:
        """The file is written, too."""
        tool_input = {"file_path": str(path), "content": content}
        name, call_id = self.calls("Write", tool_input)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        response = {"type": "create", "filePath": str(path), "content": content, "structuredPatch": []}
        self.came_back(call_id, "Write", tool_input, response)
        return name

    def edits(self, path: Path, old: str, new: str) -> str:
        """Nothing is changed on disk."""
        tool_input = {"file_path": str(path), "old_string": old, "new_string": new}
        name, call_id = self.calls("Edit", tool_input)
        patch = [{"lines": [f"-{old}", *(f"+{line}" for line in new.splitlines())]}]
        response = {"filePath": str(path), "oldString": old, "newString": new, "originalFile": old}
        self.came_back(call_id, "Edit", tool_input, {**response, "structuredPatch": patch})
        return name

    def replies(self, text: str = "Done.") -> str:
        return self.sends("Stop", last_assistant_message=text, prompt_id=f"p{self.prompts}")

    def ends(self) -> str:
        return self.sends("SessionEnd", reason="other")
