"""Small session files in the shape each host writes them, in words of our own."""

import json
from pathlib import Path
from typing import Any

Line = dict[str, Any]

THREAD = "01a1fa32-0000-7a11-80be-000000000001"
TURNS = [f"01a1fa32-100{n}-79b2-af8a-000000000001" for n in range(10)]
FOLDER = "/home/ada/shop"
DAY = "2026-11-20T18:0"


def write(path: Path, lines: list[Line]) -> Path:
    """`lines` as a file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def at(minute: int) -> str:
    return f"{DAY}{minute % 10}:00.000Z"


# Codex


def codex_meta(**fields: Any) -> Line:
    payload = {"id": THREAD, "timestamp": at(0), "cwd": FOLDER, "cli_version": "0.169.0", "source": "cli", **fields}
    return {"timestamp": at(0), "type": "session_meta", "payload": payload}


def codex_event(kind: str, minute: int = 0, **fields: Any) -> Line:
    return {"timestamp": at(minute), "type": "event_msg", "payload": {"type": kind, **fields}}


def codex_item(kind: str, minute: int = 0, turn: str = "", **fields: Any) -> Line:
    passed = {"internal_chat_message_metadata_passthrough": {"turn_id": turn}} if turn else {}
    return {"timestamp": at(minute), "type": "response_item", "payload": {"type": kind, **fields, **passed}}


def codex_turn(n: int, minute: int = 0, **fields: Any) -> Line:
    payload = {"turn_id": TURNS[n], "cwd": FOLDER, "approval_policy": "on-request", **fields}
    return {"timestamp": at(minute), "type": "turn_context", "payload": payload}


def codex_user(text: str, n: int = 0, minute: int = 0) -> list[Line]:
    """A prompt as both logs show it."""
    block = {"type": "input_text", "text": text}
    item = {"type": "UserMessage", "id": f"u-{text}", "content": [{"type": "text", "text": text}]}
    return [
        codex_item("message", minute, TURNS[n], role="user", content=[block]),
        codex_event("item_completed", minute, turn_id=TURNS[n], item=item),
    ]


def codex_reply(text: str, n: int = 0, minute: int = 0) -> list[Line]:
    block = {"type": "output_text", "text": text}
    return [codex_item("message", minute, TURNS[n], role="assistant", content=[block])]


def codex_shell(call_id: str, command: str, code: int, output: str, **arguments: Any) -> list[Line]:
    """A command as 0.169 tells it: the call, its own end, and what the model was given."""
    told = {"cmd": command, **arguments}
    done = {
        "type": "CommandExecution", "id": call_id, "command": ["/bin/bash", "-lc", command],
        "source": "unified_exec_startup", "status": "failed" if code else "completed",
        "aggregated_output": output, "exit_code": code,
    }  # fmt: skip
    given = f"Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code {code}\nOutput:\n{output}"
    return [
        codex_item("function_call", name="exec_command", arguments=json.dumps(told), call_id=call_id),
        codex_event("item_completed", item=done),
        codex_item("function_call_output", call_id=call_id, output=given),
    ]


def codex_patch(call_id: str, patch: str, output: str = "Exit code: 0\nOutput:\nSuccess.\n") -> list[Line]:
    return [
        codex_item("custom_tool_call", name="apply_patch", input=patch, call_id=call_id),
        codex_item("custom_tool_call_output", call_id=call_id, output=output),
    ]


NEW_FILE = "*** Begin Patch\n*** Add File: till.py\n+def total():\n+    return 0\n*** End Patch\n"


def codex_session() -> list[Line]:
    """Two prompts, two commands (one fails), an edit, a refused patch and the interrupt that comes with it."""
    scaffolding = {"type": "input_text", "text": f"<environment_context>\n <cwd>{FOLDER}</cwd>\n</environment_context>"}
    return [
        codex_meta(),
        codex_event("task_started", turn_id=TURNS[0]),
        codex_item("message", role="user", content=[scaffolding]),
        codex_turn(0),
        *codex_user("count the coins"),
        *codex_shell("c1", "ls coins", 0, "gold\n"),
        *codex_shell("c2", "python3 total.py", 1, "no such file\n"),
        *codex_patch("c3", NEW_FILE),
        *codex_reply("Counted."),
        codex_event("task_complete", turn_id=TURNS[0], last_agent_message="Counted."),
        codex_turn(1, 5),
        *codex_user("now the notes", 1, 5),
        *codex_patch("c4", NEW_FILE.replace("till", "notes"), "aborted by user after 0.7s"),
        codex_event("turn_aborted", 6, turn_id=TURNS[1], reason="interrupted"),
    ]


# Gemini CLI


def gemini_meta(**fields: Any) -> Line:
    return {"sessionId": THREAD, "projectHash": "5d62", "startTime": at(0), "lastUpdated": at(0), **fields}


def gemini_context() -> Line:
    text = f"<session_context>\nThis is the Gemini CLI.\n- **Workspace Directories:**\n  - {FOLDER}\n"
    message = {"id": "context", "timestamp": at(0), "type": "user", "content": [{"text": text}]}
    return {"$set": {"messages": [message]}}


def gemini_user(named: str, text: str, minute: int = 1, **fields: Any) -> Line:
    return {"id": named, "timestamp": at(minute), "type": "user", "content": [{"text": text}], **fields}


def gemini_says(named: str, text: str, *tool_calls: Line, minute: int = 2) -> Line:
    told = {"toolCalls": list(tool_calls)} if tool_calls else {}
    return {"id": named, "timestamp": at(minute), "type": "gemini", "content": text, **told}


def gemini_call(call_id: str, tool: str, given: Line, output: str, status: str = "success", **fields: Any) -> Line:
    response = {"error" if status != "success" else "output": output}
    result = [{"functionResponse": {"id": call_id, "name": tool, "response": response}}]
    return {
        "id": call_id,
        "name": tool,
        "args": given,
        "result": result,
        "status": status,
        "timestamp": at(3),
        **fields,
    }


def gemini_info(named: str, text: str, minute: int = 4) -> Line:
    return {"id": named, "timestamp": at(minute), "type": "info", "content": text}


DENIED = "[Operation Cancelled] Reason: User denied execution."


def gemini_session() -> list[Line]:
    """Two prompts, two commands (one fails), an edit, a refused edit and the interrupt that comes with it."""
    edit = {"file_path": f"{FOLDER}/till.py", "content": "total = 0\n"}
    shell = "<untrusted_context>\nOutput: {}\nExit Code: {}\n</untrusted_context>"
    done = gemini_call("g1", "run_shell_command", {"command": "ls coins"}, shell.format("gold", 0))
    failing = gemini_call("g2", "run_shell_command", {"command": "python3 total.py"}, shell.format("no file", 1))
    return [
        gemini_meta(kind="main"),
        gemini_context(),
        gemini_user("u1", "count the coins"),
        gemini_says("a1", "Looking."),
        gemini_says("a1", "Looking.", done),
        gemini_says("a2", "", failing),
        gemini_says("a3", "", gemini_call("g3", "write_file", edit, "written")),
        gemini_says("a4", "Counted."),
        {"$set": {"lastUpdated": at(3)}},
        gemini_user("u2", "now the notes", 5),
        gemini_says("a5", "", gemini_call("g4", "write_file", {**edit, "content": "notes"}, DENIED, "cancelled")),
        gemini_info("i1", "Request cancelled."),
    ]


# Copilot CLI


def copilot_event(named: str, kind: str, minute: int = 0, agent: str = "", **data: Any) -> Line:
    envelope = {"agentId": agent} if agent else {}
    return {"type": kind, "data": data, "id": named, "timestamp": at(minute), "parentId": None, **envelope}


def copilot_start() -> Line:
    context = {"cwd": FOLDER, "gitRoot": FOLDER}
    return copilot_event("s", "session.start", sessionId=THREAD, version=1, startTime=at(0), context=context)


def copilot_call(call_id: str, tool: str, given: Line, agent: str = "") -> list[Line]:
    asked = {"toolCallId": call_id, "name": tool, "arguments": given, "type": "function"}
    begun: Line = {"toolCallId": call_id, "toolName": tool, "arguments": given}
    return [
        copilot_event(f"m-{call_id}", "assistant.message", agent=agent, content="", toolRequests=[asked]),
        copilot_event(f"b-{call_id}", "tool.execution_start", agent=agent, **begun),
    ]


def copilot_done(call_id: str, text: str, agent: str = "", **fields: Any) -> Line:
    told = {"toolCallId": call_id, "success": True, "result": {"content": text}, **fields}
    return copilot_event(f"e-{call_id}", "tool.execution_complete", agent=agent, **told)


def copilot_refused(call_id: str, message: str, code: str) -> Line:
    return copilot_done(call_id, "", success=False, result=None, error={"message": message, "code": code})


def copilot_session() -> list[Line]:
    """Two prompts, two commands (one fails), an edit, a refused edit and the interrupt that comes with it."""
    edit = {"path": f"{FOLDER}/till.py", "file_text": "total = 0\n"}
    return [
        copilot_start(),
        copilot_event("u1", "user.message", 1, content="count the coins", delivery="idle"),
        *copilot_call("k1", "bash", {"command": "ls coins"}),
        copilot_done("k1", "gold\n<shellId: 0 completed with exit code 0>", shellExecution={"exitCode": 0}),
        *copilot_call("k2", "bash", {"command": "python3 total.py"}),
        copilot_done("k2", "no file\n<shellId: 0 completed with exit code 1>", shellExecution={"exitCode": 1}),
        *copilot_call("k3", "create", edit),
        copilot_done("k3", "Created."),
        copilot_event("r1", "assistant.message", 3, content="Counted.", toolRequests=[]),
        copilot_event("u2", "user.message", 5, content="now the notes"),
        *copilot_call("k4", "create", {**edit, "file_text": "notes"}),
        copilot_refused("k4", "The user rejected this tool call.", "rejected"),
        copilot_event("x", "abort", 6, reason="user initiated"),
        copilot_event("z", "session.shutdown", 7, shutdownType="routine"),
    ]


# pi


def pi_header(**fields: Any) -> Line:
    return {"type": "session", "version": 3, "id": THREAD, "timestamp": at(0), "cwd": FOLDER, **fields}


def pi_message(named: str, parent: str | None, role: str, content: Any, minute: int = 1, **fields: Any) -> Line:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    message = {"role": role, "content": blocks, **fields}
    return {"type": "message", "id": named, "parentId": parent, "timestamp": at(minute), "message": message}


def pi_call(named: str, parent: str, call_id: str, tool: str, given: Line) -> Line:
    block = {"type": "toolCall", "id": call_id, "name": tool, "arguments": given}
    return pi_message(named, parent, "assistant", [block], stopReason="toolUse")


def pi_result(named: str, parent: str, call_id: str, text: str, error: bool = False) -> Line:
    return pi_message(named, parent, "toolResult", text, toolCallId=call_id, toolName="", isError=error)


def pi_session() -> list[Line]:
    """Two prompts, two commands (one fails), an edit, an edit an extension's dialog refused, an interrupt."""
    edit = {"path": f"{FOLDER}/till.py", "content": "total = 0\n"}
    return [
        pi_header(),
        {"type": "model_change", "id": "m", "parentId": None, "timestamp": at(0), "provider": "p", "modelId": "x"},
        pi_message("u1", "m", "user", "count the coins"),
        pi_call("a1", "u1", "p1", "bash", {"command": "ls coins"}),
        pi_result("r1", "a1", "p1", "gold"),
        pi_call("a2", "r1", "p2", "bash", {"command": "python3 total.py"}),
        pi_result("r2", "a2", "p2", "no file\n\nCommand exited with code 1", error=True),
        pi_call("a3", "r2", "p3", "write", edit),
        pi_result("r3", "a3", "p3", "Successfully wrote 10 bytes"),
        pi_message("a4", "r3", "assistant", "Counted.", stopReason="stop"),
        pi_message("u2", "a4", "user", "now the notes", 5),
        pi_call("a5", "u2", "p4", "write", {**edit, "content": "notes"}),
        pi_result("r4", "a5", "p4", "Blocked by user", error=True),
        pi_message("a6", "r4", "assistant", [], 6, stopReason="aborted"),
    ]


SESSIONS = {
    "codex": (f"sessions/2026/11/20/rollout-2026-11-20T18-00-00-{THREAD}.jsonl", codex_session),
    "gemini": (".gemini/tmp/shop/chats/session-2026-11-20T18-00-01a1fa32.jsonl", gemini_session),
    "copilot": (f"session-state/{THREAD}/events.jsonl", copilot_session),
    "pi": (f"sessions/--home-ada-shop--/2026-11-20T18-00-00-000Z_{THREAD}.jsonl", pi_session),
}
"""Host -> where its session lies under its own folder, and the lines of one that all four can tell alike."""
COUNTS = {"prompts": 2, "interrupts": 1, "tool_rejections": 1, "tool_uses": 4, "tool_errors": 2, "edits": 2}
"""Of each of them."""
