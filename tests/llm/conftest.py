"""A real HTTP server on loopback in place of Anthropic's API, and a real program in place of `claude`."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.llm.base import Request

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.fixture
def request_() -> Request:
    """A small question."""
    return Request(purpose="codify", system="You name things.", prompt="Name it: größe", schema=SCHEMA, tokens_max=100)


class Api:
    """What the stub says next, and what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.text = '{"name": "it"}'
        self.stop_reason = "end_turn"
        self.body: bytes | None = None
        self.delay = threading.Event()
        self.hang = False
        self.more_headers: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    def message(self) -> bytes:
        """The reply's body."""
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"type": "error", "error": {"type": "some_error", "message": "no"}}).encode()
        usage = {
            "input_tokens": 1000,
            "output_tokens": 200,
            "cache_creation_input_tokens": 400,
            "cache_read_input_tokens": 100,
        }
        content = [{"type": "text", "text": self.text}]
        return json.dumps(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "claude-haiku-4-5",
                "content": content,
                "stop_reason": self.stop_reason,
                "stop_sequence": None,
                "usage": usage,
            }
        ).encode()


@pytest.fixture
def api() -> Iterator[Api]:
    """The stub, listening."""
    state = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            state.headers.append(dict(self.headers.items()))
            if state.hang:
                state.delay.wait(20)
                return
            body = state.message()
            self.send_response(state.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            for name, value in state.more_headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    state.delay.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A `claude` that writes down how it was called and then runs `answer.sh` beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "claude"
    path.write_text(
        f"""#!/bin/sh
cd_before=$(pwd)
printf '%s\\0' "$@" > {folder}/argv
env > {folder}/env
echo "$cd_before" > {folder}/cwd
cat > {folder}/stdin
exec sh {folder}/answer.sh
"""
    )
    path.chmod(0o755)
    return path
