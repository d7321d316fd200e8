"""A scripted stand-in for the Anthropic Messages API, for the real client to talk to: loopback only, no real key.

A script is a list of turns. Each request takes the first turn whose `match` fits the last user text; else the
next turn without `match`. Requests without tools (titles, compaction) never take a turn: they get SIDE_TEXT.
Requests for an answer of a given form (hivemind's own questions) are answered by their form, as `answers` says.
Every request is one line of the log before it is answered.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

from tests.e2e.answers import DONE, Answer, Answers
from tests.e2e.serving import Handler, LoggingServer, Served

FAKE_KEY = "sk-ant-not-a-key"
SIDE_TEXT = "A side answer."
SPENT_TEXT = "Nothing more to do."
FORM_TOOL = "StructuredOutput"
"""How the client asks for an answer of a given form: the model must call this tool."""


class ToolUse(TypedDict):
    """One tool call the model makes."""

    name: str
    input: dict[str, Any]


class Turn(TypedDict, total=False):
    """One answer of the model: text, then tool calls."""

    match: str
    """Regex, searched in the last user text; the turn then answers only such a request."""
    text: str
    tools: list[ToolUse]
    chunks: int
    """The text is streamed in so many pieces..."""
    chunk_delay_s: float
    """... with this pause after each."""


class Script:
    """The turns that are left, and the name under which requests are logged."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: list[Turn] = []
        self._label = ""
        self._count = 0

    def load(self, label: str, turns: list[Turn]) -> None:
        """Forget the old turns; from now on answer with `turns`."""
        with self._lock:
            self._label, self._turns = label, list(turns)

    def next(self, last_text: str, *, main: bool) -> tuple[str, int, Turn]:
        """Label, running number and turn for one request."""
        with self._lock:
            self._count += 1
            return self._label, self._count, self._take(last_text) if main else {"text": SIDE_TEXT}

    def _take(self, last_text: str) -> Turn:
        fitting = [turn for turn in self._turns if "match" in turn and re.search(turn["match"], last_text)]
        plain = [turn for turn in self._turns if "match" not in turn]
        for turn in [*fitting, *plain][:1]:
            self._turns.remove(turn)
            return turn
        return {"text": SPENT_TEXT}


class Stub(Served):
    """The server. `observe` is called at each request; what it returns is logged as `facts`."""

    def __init__(
        self, log: Path, observe: Callable[[], dict[str, Any]] = dict, *, answers: Answers | None = None
    ) -> None:
        self.script = Script()
        self.answers = answers or Answers()
        self.asked = self.answers.asked
        super().__init__(_Server(log, observe, self.script, self.answers))


class _Server(LoggingServer):
    def __init__(self, log: Path, observe: Callable[[], dict[str, Any]], script: Script, answers: Answers) -> None:
        super().__init__(log, answers, _Handler)
        self.observe, self.script = observe, script


class _Handler(Handler):
    server: _Server

    def do_HEAD(self) -> None:
        self.answer(200, {})

    def do_GET(self) -> None:
        self.server.note({"path": self.path, "method": "GET"})
        if self.path.startswith("/v1/models"):
            self.answer(200, {"data": [], "has_more": False})
        else:
            self._refuse(404, "not_found_error", "no such thing here")

    def do_POST(self) -> None:
        raw = self.body()
        path = self.path.split("?")[0]
        if FAKE_KEY not in (
            self.headers.get("x-api-key"),
            (self.headers.get("authorization") or "").removeprefix("Bearer "),
        ):
            self.server.note({"path": self.path, "refused": "the key is not the fake one"})
            self._refuse(401, "authentication_error", "only the fake key is served")
        elif path.endswith("/count_tokens"):
            self.server.note({"path": self.path})
            self.answer(200, {"input_tokens": _tokens(raw)})
        elif path.endswith("/messages"):
            self._message(json.loads(raw), _tokens(raw))
        else:
            self.server.note({"path": self.path})
            self._refuse(404, "not_found_error", "no such thing here")

    def _message(self, body: dict[str, Any], tokens: int) -> None:
        schema = form(body)
        main = bool(body.get("tools")) and schema is None
        label, number, turn = self.server.script.next(last_user_text(body), main=main)
        if schema is not None:
            answer = self.server.answers.to(schema)
            turn = _answering(body, answer)
        blocks = _blocks(turn)
        self.server.note(
            {
                "path": self.path,
                "label": label,
                "number": number,
                "main": main,
                "question": schema,
                "facts": self.server.observe(),
                "body": body,
                "calls": [block for block in blocks if block["type"] == "tool_use"],
            }
        )
        if schema is not None:
            self.server.answers.asked.set()
            self.server.answers.gone.wait(answer.stall_s)
        if schema is not None and answer.status != 200:
            self._refuse(answer.status, "rate_limit_error", "too many questions")
            return
        message = {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "role": "assistant",
            "model": body.get("model", ""),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": tokens,
                "output_tokens": 1,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
        }
        stop = "tool_use" if turn.get("tools") else "end_turn"
        if body.get("stream"):
            self._stream(message, blocks, stop, turn)
        else:
            self.answer(200, {**message, "content": blocks, "stop_reason": stop})

    def _stream(self, message: dict[str, Any], blocks: list[dict[str, Any]], stop: str, turn: Turn) -> None:
        self.begin_stream()
        try:
            self._send("message_start", message=message)
            for index, block in enumerate(blocks):
                self._send("content_block_start", index=index, content_block=_opening(block))
                for delta in _deltas(block, turn.get("chunks", 1)):
                    self._send("content_block_delta", index=index, delta=delta)
                    time.sleep(turn.get("chunk_delay_s", 0.0))
                self._send("content_block_stop", index=index)
            delta = {"stop_reason": stop, "stop_sequence": None}
            self._send("message_delta", delta=delta, usage={"output_tokens": 20})
            self._send("message_stop")
        except (BrokenPipeError, ConnectionResetError):
            self.hung_up()

    def _send(self, kind: str, **fields: Any) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())
        self.wfile.flush()

    def _refuse(self, status: int, kind: str, message: str) -> None:
        self.answer(status, {"type": "error", "error": {"type": kind, "message": message}})


def form(body: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON Schema the request wants its answer in; None: it wants none."""
    asked = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    tools = (tool for tool in body.get("tools") or () if tool.get("name") == FORM_TOOL)
    found: dict[str, Any] | None = asked or next((tool.get("input_schema") for tool in tools), None)
    return found


def _answering(body: dict[str, Any], answer: Answer) -> Turn:
    """As text, or as the call of the form's tool, once."""
    if not any(tool.get("name") == FORM_TOOL for tool in body.get("tools") or ()):
        return {"text": answer.text or json.dumps(answer.value, ensure_ascii=False)}
    if answer.text or answer.status != 200 or any(block.get("type") == "tool_result" for block in _last_blocks(body)):
        return {"text": answer.text or DONE}
    return {"tools": [{"name": FORM_TOOL, "input": answer.value}]}


def _last_blocks(body: dict[str, Any]) -> list[dict[str, Any]]:
    content = (body.get("messages") or [{}])[-1].get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def last_user_text(body: dict[str, Any]) -> str:
    """The texts of the last message with role user, tool results included."""
    users = [message for message in body.get("messages", []) if message.get("role") == "user"]
    return "\n".join(texts(users[-1]["content"])) if users else ""


def texts(content: Any) -> Iterator[str]:
    """Every text in a message's content."""
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if block.get("type") == "text":
            yield block.get("text", "")
        elif block.get("type") == "tool_result":
            yield from texts(block.get("content"))


def _tokens(raw: bytes) -> int:
    return max(1, len(raw) // 4)


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if "text" in turn:
        blocks.append({"type": "text", "text": turn["text"]})
    calls = turn.get("tools", [])
    blocks.extend({"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex}", **call} for call in calls)
    return blocks


def _opening(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}


def _deltas(block: dict[str, Any], chunks: int) -> Iterator[dict[str, Any]]:
    if block["type"] == "tool_use":
        yield {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        return
    step = max(1, -(-len(block["text"]) // max(1, chunks)))
    for start in range(0, len(block["text"]), step):
        yield {"type": "text_delta", "text": block["text"][start : start + step]}
