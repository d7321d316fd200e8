"""What the stand-ins for models have in common: a logging HTTP server on loopback."""

import contextlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.e2e.answers import Answers


class Served:
    """A server that runs on a thread of its own until `close`."""

    def __init__(self, server: "LoggingServer") -> None:
        self._server = server
        threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.answers.gone.set()
        self._server.shutdown()
        self._server.server_close()


class LoggingServer(ThreadingHTTPServer):
    """Loopback only. `port` 0: a free one."""

    daemon_threads = True

    def __init__(self, log: Path, answers: Answers, handler: type["Handler"], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.answers = answers
        self._log, self._log_lock = log, threading.Lock()

    def note(self, record: dict[str, Any]) -> None:
        """Append one line to the log."""
        line = json.dumps({"time": time.time(), **record}, ensure_ascii=False) + "\n"
        with self._log_lock, self._log.open("a", encoding="utf-8") as file:
            file.write(line)


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server: LoggingServer

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: the log has it all."""

    def answer(self, status: int, value: dict[str, Any]) -> None:
        """`value` as JSON."""
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # whoever asked waits no longer
                self.wfile.write(data)

    def begin_stream(self) -> None:
        """The head of server-sent events; the connection ends with them."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def hung_up(self) -> None:
        """Note that the client left in mid-stream."""
        self.server.note({"path": self.path, "gone": "the client hung up in mid-stream"})

    def body(self) -> bytes:
        """What the client sent, chunked or not."""
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)
