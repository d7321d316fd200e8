"""A stand-in for the model behind clients of other vendors: OpenAI's Responses and Chat Completions, Gemini's API.

Questions of hivemind's are answered by their form; what a session asks, by the turns of a script (stub.py), whose
calls are `{"name", "input"}` in every vendor's way. Loopback only. Every request is one line of the log before it is
answered, without its headers: no key stands in it.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.e2e.answers import Answer, Answers, schema_in_words
from tests.e2e.serving import Handler, LoggingServer, Served
from tests.e2e.stub import SIDE_TEXT, Script, Turn

MODELS_PORT = 8790
"""In a namespace of its own nobody else has it: a client's file may name it before the server is there."""
TOKENS_IN, TOKENS_OUT = 1000, 20
_CHAT_USAGE = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}
_CHUNK = 40

Call = dict[str, Any]
"""A tool call of the model's: id, name, input (text for a tool that takes no JSON)."""


class Models(Served):
    """The server; `answers` and `script` decide what it says. `observe`: see Stub."""

    def __init__(
        self,
        log: Path,
        answers: Answers,
        *,
        port: int = 0,
        script: Script | None = None,
        observe: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        super().__init__(_Server(log, answers, port, script, observe))


class _Server(LoggingServer):
    def __init__(
        self,
        log: Path,
        answers: Answers,
        port: int,
        script: Script | None,
        observe: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(log, answers, _Handler, port)
        self.script, self.observe = script, observe


class _Handler(Handler):
    server: _Server

    def do_GET(self) -> None:
        self.server.note({"path": self.path, "method": "GET"})
        self.answer(200, {"object": "list", "data": [], "models": []})

    def do_POST(self) -> None:
        body = json.loads(self.body() or b"{}")
        path = self.path.split("?")[0]
        apis = {"/responses": _Responses, "/chat/completions": _Chat, ":generateContent": _Gemini}
        apis[":streamGenerateContent"] = _GeminiStream
        api = next((apis[end] for end in apis if path.endswith(end)), None)
        if api is None:
            self.server.note({"path": self.path, "body": body})
            self.answer(404, {"error": {"message": "no such thing here"}})
            return
        self._ask(api(body, path), body)

    def _ask(self, api: "_API", body: dict[str, Any]) -> None:
        text = "\n".join(strings(body))
        schema = api.schema() or schema_in_words(text)
        record: dict[str, Any] = {
            "path": self.path,
            "question": schema,
            "tools": api.tools(),
            "text": text,
            "body": body,
        }
        turn: Turn = {"text": SIDE_TEXT}
        calls: list[Call] = []
        if schema is None and self.server.script is not None:
            label, number, turn = self.server.script.next(api.last_text(), main=api.main())
            calls = [{"id": f"call_{uuid.uuid4().hex}", **call} for call in turn.get("tools", [])]
            record |= {"label": label, "number": number, "main": api.main(), "calls": calls}
        self.server.note({**record, "facts": self.server.observe()})
        answer = self.server.answers.to(schema) if schema else Answer(text=turn.get("text", ""))
        self.server.answers.gone.wait(answer.stall_s)
        if answer.status != 200:
            self.answer(answer.status, {"error": {"message": "no", "type": "rate_limit", "code": answer.status}})
            return
        said = answer.text if schema is None else answer.text or json.dumps(answer.value, ensure_ascii=False)
        if not api.streams():
            self.answer(200, api.whole(said, calls))
            return
        self.begin_stream()
        try:
            for event in api.events(said, calls):
                self.wfile.write(event.encode())
                self.wfile.flush()
                time.sleep(turn.get("chunk_delay_s", 0.0))
        except (BrokenPipeError, ConnectionResetError):
            self.hung_up()


class _API:
    """One request in one vendor's form."""

    def __init__(self, body: dict[str, Any], path: str) -> None:
        self.body, self.path = body, path

    def schema(self) -> dict[str, Any] | None:
        """The form it asks for by a field of its own."""
        return None

    def tools(self) -> list[str]:
        """Names of the tools the model may use."""
        return [str(_name(tool)) for tool in self.body.get("tools") or []]

    def streams(self) -> bool:
        return bool(self.body.get("stream"))

    def main(self) -> bool:
        """Does a session's agent ask, and not its client for a title or the like?"""
        return bool(self.tools())

    def last_text(self) -> str:
        """What the person, or a tool, said last."""
        said = [one for one in self.body.get("messages") or [] if one.get("role") in ("user", "tool")]
        return "\n".join(strings(said[-1:]))

    def whole(self, said: str, calls: list[Call]) -> dict[str, Any]:
        raise NotImplementedError

    def events(self, said: str, calls: list[Call]) -> Iterator[str]:
        raise NotImplementedError


_TOLD = ("_output", "agent_message")
"""Items of a conversation that tell the model something: a call's end, and what another agent says."""


class _Responses(_API):
    def schema(self) -> dict[str, Any] | None:
        form = (self.body.get("text") or {}).get("format") or {}
        return form.get("schema") if form.get("type") == "json_schema" else None

    def main(self) -> bool:
        return True  # Codex names its tools only when they change

    def last_text(self) -> str:
        items = self.body.get("input")
        said = items if isinstance(items, list) else [{"role": "user", "content": items}]
        asked = [one for one in said if one.get("role") == "user" or str(one.get("type")).endswith(_TOLD)]
        return "\n".join(strings(asked[-1:]))

    def events(self, said: str, calls: list[Call]) -> Iterator[str]:
        base: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "model": self.body.get("model"),
            "output": [],
        }
        yield _sse("response.created", response={**base, "status": "in_progress"})
        items = [_message(said), *map(_called, calls)] if said else list(map(_called, calls))
        for place, item in enumerate(items):
            begun = {"status": "in_progress", **({"content": []} if "content" in item else {})}
            yield _sse("response.output_item.added", output_index=place, item={**item, **begun})
            for piece in _pieces(said) if "content" in item else ():
                index = {"output_index": place, "content_index": 0}
                yield _sse("response.output_text.delta", item_id=item["id"], **index, delta=piece)
            yield _sse("response.output_item.done", output_index=place, item=item)
        usage = {
            "input_tokens": TOKENS_IN,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": TOKENS_OUT,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": TOKENS_IN + TOKENS_OUT,
        }
        yield _sse("response.completed", response={**base, "status": "completed", "output": items, "usage": usage})


def _message(said: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": said, "annotations": []}]
    named = f"msg_{uuid.uuid4().hex}"
    return {"type": "message", "id": named, "role": "assistant", "status": "completed", "content": content}


def _called(call: Call) -> dict[str, Any]:
    told = {"call_id": call["id"], "name": call["name"], "status": "completed"}
    told |= {"namespace": call["namespace"]} if "namespace" in call else {}
    if isinstance(call["input"], str):
        return {"type": "custom_tool_call", "id": f"ctc_{call['id']}", **told, "input": call["input"]}
    return {"type": "function_call", "id": f"fc_{call['id']}", **told, "arguments": json.dumps(call["input"])}


class _Chat(_API):
    def whole(self, said: str, calls: list[Call]) -> dict[str, Any]:
        message = {"role": "assistant", "content": said, **_functions(calls)}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
        return {"id": "c1", "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}

    def events(self, said: str, calls: list[Call]) -> Iterator[str]:
        for piece in _pieces(said):
            yield self._chunk({"role": "assistant", "content": piece}, None)
        if calls:
            yield self._chunk({"role": "assistant", **_functions(calls)}, None)
        yield self._chunk({}, "tool_calls" if calls else "stop", usage=_CHAT_USAGE)
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], reason: str | None, **more: Any) -> str:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        value = {"id": "c1", "object": "chat.completion.chunk", "model": self.body.get("model"), "choices": choices}
        return f"data: {json.dumps({**value, **more})}\n\n"


def _functions(calls: list[Call]) -> dict[str, Any]:
    told = [
        {"index": n, "id": call["id"], "type": "function",
         "function": {"name": call["name"], "arguments": json.dumps(call["input"])}}
        for n, call in enumerate(calls)
    ]  # fmt: skip
    return {"tool_calls": told} if told else {}


class _Gemini(_API):
    def tools(self) -> list[str]:
        groups = self.body.get("tools") or []
        return [str(tool.get("name")) for group in groups for tool in group.get("functionDeclarations", [])]

    def schema(self) -> dict[str, Any] | None:
        config = self.body.get("generationConfig") or {}
        return config.get("responseJsonSchema") or config.get("responseSchema")

    def streams(self) -> bool:
        return False

    def last_text(self) -> str:
        return "\n".join(strings((self.body.get("contents") or [])[-1:]))

    def whole(self, said: str, calls: list[Call]) -> dict[str, Any]:
        usage = {"promptTokenCount": TOKENS_IN, "candidatesTokenCount": TOKENS_OUT}
        parts: list[dict[str, Any]] = [{"text": said}] if said else []
        parts += [{"functionCall": {"name": call["name"], "args": call["input"]}} for call in calls]
        content = {"role": "model", "parts": parts}
        candidates = [{"index": 0, "content": content, "finishReason": "STOP"}]
        return {"candidates": candidates, "usageMetadata": {**usage, "totalTokenCount": TOKENS_IN + TOKENS_OUT}}


class _GeminiStream(_Gemini):
    def streams(self) -> bool:
        return True

    def events(self, said: str, calls: list[Call]) -> Iterator[str]:
        yield f"data: {json.dumps(self.whole(said, calls))}\n\n"


def strings(value: Any) -> Iterator[str]:
    """Every string in `value`, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def _name(tool: dict[str, Any]) -> Any:
    return tool.get("name") or (tool.get("function") or {}).get("name") or tool.get("type")


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _CHUNK):
        yield text[start : start + _CHUNK]


def _sse(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
