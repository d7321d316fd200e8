"""A scripted stand-in for a Chat Completions model, and one run of a client that talks to it.

    python -m tests.e2e.chat RUN.json

RUN.json: {name, port, turns (stub.Turn), log, argv, env, seconds}. The client's exit code is ours. Every request is a
line of the log before it is answered, in the form that world.Request reads.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.answers import Answers
from tests.e2e.serving import Handler, LoggingServer, Served
from tests.e2e.stub import SIDE_TEXT, Script, Turn, texts

CHAT_PORT = 8791
_USAGE = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}


class Chat(Served):
    """The server; `script` says what it answers."""

    def __init__(self, log: Path, *, port: int = 0) -> None:
        self.script = Script()
        super().__init__(_Server(log, self.script, port))


class _Server(LoggingServer):
    def __init__(self, log: Path, script: Script, port: int) -> None:
        super().__init__(log, Answers(), _Handler, port)
        self.script = script


class _Handler(Handler):
    server: _Server

    def do_GET(self) -> None:
        self.answer(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.body() or b"{}")
        users = [one for one in body.get("messages", []) if one.get("role") in ("user", "tool")]
        last = "\n".join(texts(users[-1].get("content"))) if users else ""
        main = bool(body.get("tools"))  # without tools it asks for a title
        label, number, turn = self.server.script.next(last, main=main)
        note = {"path": self.path, "label": label, "number": number, "main": main, "facts": {}, "calls": []}
        self.server.note({**note, "body": body})
        self.begin_stream()
        for line in _lines(turn if main else {"text": SIDE_TEXT}):
            self.wfile.write(line.encode())
        self.wfile.flush()


def _lines(turn: Turn) -> Iterator[str]:
    calls = [
        {
            "index": n,
            "id": f"call_{uuid.uuid4().hex}",
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["input"])},
        }
        for n, call in enumerate(turn.get("tools", []))
    ]
    yield _chunk({"role": "assistant", "content": turn.get("text", "")})
    if calls:
        yield _chunk({"tool_calls": calls})
    yield _chunk({}, "tool_calls" if calls else "stop", usage=_USAGE)
    yield "data: [DONE]\n\n"


def _chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> str:
    choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
    value = {"id": "c1", "object": "chat.completion.chunk", "model": "small", "choices": choices, **more}
    return f"data: {json.dumps(value)}\n\n"


def main(run_file: Path) -> int:
    """Serve, run the client, and give its exit code; 124 if it did not end in time."""
    run = json.loads(run_file.read_text(encoding="utf-8"))
    chat = Chat(Path(run["log"]), port=run["port"])
    chat.script.load(run["name"], run["turns"])
    try:
        done = subprocess.run(
            run["argv"], env={**os.environ, **run["env"]}, stdin=subprocess.DEVNULL, timeout=run["seconds"]
        )
        return done.returncode
    except subprocess.TimeoutExpired:
        return 124
    finally:
        chat.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
