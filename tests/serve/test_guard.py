"""What the guard refuses before any app sees it: over real connections."""

import contextlib
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.paths import Paths
from hivemind_cli.serve.http import patient
from hivemind_cli.serve.http.guard import TOKEN, App, Limits, names_for
from tests.serve.http_server import LONG_S, Asking, serving

LIMITS = Limits(body_bytes=100_000)


@pytest.fixture
def paths(own_home: Path) -> Paths:
    made = Paths(root=own_home / ".hivemind", home=own_home)
    made.make()
    return made


@pytest.fixture
def seen() -> list[int]:
    """How many bytes each request that came through had."""
    return []


@pytest.fixture
def app(seen: list[int]) -> App:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        if scope["path"] == "/bug":
            raise ZeroDivisionError("hmt_inside of 4711")
        body = (await receive())["body"]
        seen.append(len(body))
        said = scope[TOKEN].name.encode() if TOKEN in scope else b"anyone"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": said})

    return answer


@pytest.fixture
def asking(paths: Paths, app: App) -> Iterator[Asking]:
    with serving(app, paths, open_paths=frozenset({"/open"}), limits=LIMITS) as made:
        yield made


def raw(asking: Asking, sent: bytes, *, more: bytes = b"", every_s: float = 0.0) -> bytes:
    """All that comes back to these bytes, then to `more` again and again, until the server hangs up."""
    with socket.create_connection(("127.0.0.1", asking.port), timeout=LONG_S) as connection:
        connection.sendall(sent)
        found = b""
        connection.settimeout(every_s or LONG_S)
        deadline = time.monotonic() + LONG_S
        while time.monotonic() < deadline:
            try:
                part = connection.recv(65536)
            except TimeoutError:
                with contextlib.suppress(OSError):  # it hung up: what it said last can still be read
                    connection.sendall(more)
                continue
            except ConnectionResetError:
                return found
            if not part:
                return found
            found += part
    raise AssertionError("the server did not hang up")


def head(asking: Asking, *lines: str) -> bytes:
    said = ["POST /x HTTP/1.1", "Host: localhost", f"Authorization: Bearer {asking.token()}", *lines]
    return "\r\n".join([*said, "", ""]).encode()


def test_a_valid_token_alone_comes_through(asking: Asking, seen: list[int]) -> None:
    good = asking.ask("POST", "/x", b"hello")
    assert (good.status, good.body) == (200, b"shop write")
    assert good.headers["cache-control"] == "no-store" and "access-control-allow-origin" not in good.headers
    said = asking.token()
    for wrong in ("", "hmt_aaaaaaaa_" + "x" * 43, said[:-1], said + "x", "x" * 5000):
        refused = asking.ask("POST", "/x", b"hello", token=wrong)
        assert refused.status == 401 and refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json["type"] == "urn:hivemind:problem:unauthorized" and said[:-1] not in refused.body.decode()
    assert asking.ask("GET", f"/x?token={said}", token="").status == 401
    assert asking.ask("GET", "/x", token="", Authorization=f"Basic {said}").status == 401
    assert asking.ask("GET", "/open", token="").body == b"anyone"
    assert len(seen) == 2
    asking.tokens.revoke("shop write")
    assert asking.ask("POST", "/x", b"hello").status == 401


def test_another_name_or_another_sites_page_is_refused(asking: Asking, seen: list[int]) -> None:
    for host in ("evil.example", f"evil.example:{asking.port}", "127.0.0.1.evil.example", "localhost.evil.example", ""):
        assert asking.ask("POST", "/x", b"", Host=host).status == 421, host
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1:3000"):
        assert asking.ask("POST", "/x", b"", Origin=origin).status == 403, origin
    assert seen == []
    for host in ("localhost", f"LOCALHOST:{asking.port}", "[::1]:8765", "127.0.0.1"):
        assert asking.ask("POST", "/x", b"", Host=host).status == 200, host
    assert asking.ask("POST", "/x", b"", Origin=f"http://127.0.0.1:{asking.port}").status == 200
    assert b"421" in raw(asking, b"GET /open HTTP/1.0\r\n\r\n")
    assert names_for(["memory.example", "::1"], loopback=False) == frozenset({"memory.example", "[::1]"})
    assert names_for([], loopback=False) is None


def test_no_other_sites_page_is_ever_invited(asking: Asking) -> None:
    for origin in (f"http://127.0.0.1:{asking.port}", "https://evil.example"):
        headers = {"Origin": origin, "Access_Control_Request_Method": "POST"}
        preflight = asking.ask("OPTIONS", "/x", token="", **headers)
        assert preflight.status in (401, 403)
        assert not [name for name in preflight.headers if name.startswith("access-control")]


def test_a_body_that_is_too_large_is_refused_before_it_is_all_there(asking: Asking, seen: list[int]) -> None:
    assert asking.ask("POST", "/x", b"x" * 100_000).status == 200
    refused = asking.ask("POST", "/x", b"x" * 100_001)
    assert refused.status == 413 and "100,000 bytes" in refused.json["detail"]
    never_ending = raw(
        asking, head(asking, "Transfer-Encoding: chunked"), more=b"2710\r\n" + b"x" * 10_000 + b"\r\n", every_s=0.001
    )
    assert b" 413 " in never_ending
    announced = raw(asking, head(asking, "Content-Length: 99999999999", "Expect: 100-continue"))
    assert b" 413 " in announced and b"100 Continue" not in announced
    for sent in (b"x", b"x" * 1000):
        assert asking.ask("POST", "/open", sent, token="").status == 413
    assert asking.ask("POST", "/open", b"", token="").status == 200
    assert seen == [100_000, 0]


def test_a_slow_body_and_a_slow_head_end_in_time(
    paths: Paths, app: App, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient, "HEAD_S", 0.5)
    with serving(app, paths, limits=Limits(body_s=0.3, drain_s=0.1)) as asking:
        slow = raw(asking, head(asking, "Content-Length: 1000"), more=b"x", every_s=0.05)
        assert b" 408 " in slow and b"problem:timeout" in slow
        assert raw(asking, b"") == b""
        assert raw(asking, b"POST /x HTTP/1.1\r\n", more=b"A: b\r\n", every_s=0.05) == b""
    assert seen == []


def test_a_bug_is_told_at_once_without_its_inside_and_the_server_lives_on(paths: Paths, app: App) -> None:
    with serving(app, paths, limits=Limits(drain_s=LONG_S)) as asking:  # nothing is left to be read
        refused = asking.ask("GET", "/bug")
        assert asking.ask("POST", "/x").status == 200
    assert refused.status == 500 and "4711" not in refused.body.decode()
    assert "ZeroDivisionError" in next(paths.crash.glob("*.txt")).read_text()


def test_the_log_names_who_asked_and_never_with_what(asking: Asking, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    said = asking.token()
    asking.ask("POST", f"/x?sql=secret%20words&t={said}", b"the body")
    asking.ask("GET", f"/{said}%0Afaked", token="")
    asking.ask("GET", "/open", token="hmt_aaaaaaaa_" + "x" * 43)
    log = caplog.text
    assert "POST /x 200" in log and "shop write (" in log and " 401 " in log
    for hidden in (said, said.rpartition("_")[2], "secret", "the body", "hmt_aaaaaaaa", "\nfaked"):
        assert hidden not in log, hidden
