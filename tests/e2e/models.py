"""A stand-in for the model behind clients of other vendors: OpenAI's Responses and Chat Completions, Gemini's API.

Loopback only. Every request is one line of the log before it is answered, without its headers: no key stands in it.
"""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.answers import Answer, Answers, schema_in_words
from tests.e2e.serving import Handler, LoggingServer, Served

MODELS_PORT = 8790
"""In a namespace of its own nobody else has it: a client's file may name it before the server is there."""
TOKENS_IN, TOKENS_OUT = 1000, 20
_CHAT_USAGE = {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}
_CHUNK = 40


class Models(Served):
    """The server; `answers` decides what it says."""

    def __init__(self, log: Path, answers: Answers, *, port: int = 0) -> None:
        super().__init__(LoggingServer(log, answers, _Handler, port))


class _Handler(Handler):
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
        self.server.note({"path": self.path, "question": schema, "tools": api.tools(), "text": text, "body": body})
        answer = self.server.answers.to(schema) if schema else Answer(text="A side answer.")
        self.server.answers.gone.wait(answer.stall_s)
        if answer.status != 200:
            self.answer(answer.status, {"error": {"message": "no", "type": "rate_limit", "code": answer.status}})
            return
        said = answer.text or json.dumps(answer.value, ensure_ascii=False)
        if not api.streams():
            self.answer(200, api.whole(said))
            return
        self.begin_stream()
        try:
            for event in api.events(said):
                self.wfile.write(event.encode())
                self.wfile.flush()
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

    def whole(self, said: str) -> dict[str, Any]:
        raise NotImplementedError

    def events(self, said: str) -> Iterator[str]:
        raise NotImplementedError


class _Responses(_API):
    def schema(self) -> dict[str, Any] | None:
        form = (self.body.get("text") or {}).get("format") or {}
        return form.get("schema") if form.get("type") == "json_schema" else None

    def events(self, said: str) -> Iterator[str]:
        base: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "model": self.body.get("model"),
            "output": [],
        }
        yield _sse("response.created", response={**base, "status": "in_progress"})
        content = [{"type": "output_text", "text": said, "annotations": []}]
        item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
        yield _sse("response.output_item.added", output_index=0, item={**item, "status": "in_progress", "content": []})
        for piece in _pieces(said):
            yield _sse("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=piece)
        yield _sse("response.output_item.done", output_index=0, item=item)
        usage = {
            "input_tokens": TOKENS_IN,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": TOKENS_OUT,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": TOKENS_IN + TOKENS_OUT,
        }
        yield _sse("response.completed", response={**base, "status": "completed", "output": [item], "usage": usage})


class _Chat(_API):
    def whole(self, said: str) -> dict[str, Any]:
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return {"id": "c1", "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}

    def events(self, said: str) -> Iterator[str]:
        for piece in _pieces(said):
            yield self._chunk({"role": "assistant", "content": piece}, None)
        yield self._chunk({}, "stop", usage=_CHAT_USAGE)
        yield "data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], reason: str | None, **more: Any) -> str:
        choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
        value = {"id": "c1", "object": "chat.completion.chunk", "model": self.body.get("model"), "choices": choices}
        return f"data: {json.dumps({**value, **more})}\n\n"


class _Gemini(_API):
    def tools(self) -> list[str]:
        groups = self.body.get("tools") or []
        return [str(tool.get("name")) for group in groups for tool in group.get("functionDeclarations", [])]

    def schema(self) -> dict[str, Any] | None:
        config = self.body.get("generationConfig") or {}
        return config.get("responseJsonSchema") or config.get("responseSchema")

    def streams(self) -> bool:
        return False

    def whole(self, said: str) -> dict[str, Any]:
        usage = {"promptTokenCount": TOKENS_IN, "candidatesTokenCount": TOKENS_OUT}
        content = {"role": "model", "parts": [{"text": said}]}
        candidates = [{"index": 0, "content": content, "finishReason": "STOP"}]
        return {"candidates": candidates, "usageMetadata": {**usage, "totalTokenCount": TOKENS_IN + TOKENS_OUT}}


class _GeminiStream(_Gemini):
    def streams(self) -> bool:
        return True

    def events(self, said: str) -> Iterator[str]:
        yield f"data: {json.dumps(self.whole(said))}\n\n"


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
