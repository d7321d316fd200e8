"""Where a server may listen: this machine alone, unless it speaks TLS or the person insists."""

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.core.errors import ConfigError
from hivemind_cli.serve.http.listening import Place, bound, server
from tests.cli.here import run_here
from tests.serve.http_server import LONG_S

ALL = "0.0.0.0"


@pytest.fixture
def keyed(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    subprocess.run([*argv, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True, timeout=LONG_S)
    return cert, key


def test_this_machine_alone_needs_no_tls() -> None:
    for host in ("127.0.0.1", "localhost"):
        with bound(Place(host, 0)) as listening:
            port = listening.sockets[0].getsockname()[1]
            assert listening.loopback and listening.url == f"http://{host}:{port}"
            assert {one.getsockname()[1] for one in listening.sockets} == {port}
            # asyncio sends at once on such sockets alone; on others each answer waits 40 ms for an acknowledgement
            assert {one.proto for one in listening.sockets} == {socket.IPPROTO_TCP}


def test_beyond_it_nothing_is_sent_in_the_open_unless_the_person_insists() -> None:
    for host in (ALL, "::", socket.gethostbyname(ALL)):
        with pytest.raises(ConfigError, match=r"nothing would be encrypted.*--tls-cert") as told, bound(Place(host, 0)):
            pass
        assert told.value.exit_code == 2
    with bound(Place(ALL, 0, open_without_tls=True)) as listening:
        assert not listening.loopback
    assert run_here("serve", "--host", ALL, "--port", "0").returncode == 2
    assert run_here("mcp", "--http", "--host", ALL, "--port", "0").returncode == 2


def test_with_a_certificate_it_speaks_tls_and_only_tls(keyed: tuple[Path, Path]) -> None:
    cert, key = keyed

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["scheme"].encode()})

    place = Place(ALL, 0, cert, key)
    with bound(place) as listening:
        assert listening.url.startswith("https://") and not listening.loopback
        port = listening.sockets[0].getsockname()[1]
        made = server(app, place)
        thread = threading.Thread(target=made.run, kwargs={"sockets": list(listening.sockets)})
        thread.start()
        try:
            context = ssl.create_default_context(cafile=str(cert))
            connection = http.client.HTTPSConnection("localhost", port, timeout=LONG_S, context=context)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"https"
            connection.close()
            plain = http.client.HTTPConnection("localhost", port, timeout=LONG_S)
            with pytest.raises((http.client.HTTPException, OSError)):
                plain.request("GET", "/")
                plain.getresponse()
            plain.close()
        finally:
            made.should_exit = True
            thread.join(LONG_S)


def test_what_is_wrong_with_an_address_or_a_certificate_is_advice(keyed: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = keyed
    nothing = tmp_path / "nothing.pem"
    with bound(Place(port=0)) as taken:
        port = taken.sockets[0].getsockname()[1]
        for place, said in (
            (Place(port=port), "Another server has it"),
            (Place("x" * 300, 0), "no address"),
            (Place("192.0.2.1", 0, open_without_tls=True), "cannot be listened on"),
            (Place(port=0, cert=cert), "both a certificate and its key"),
            (Place(port=0, cert=cert, key=nothing), "cannot be spoken with"),
            (Place(port=0, cert=key, key=cert), "cannot be spoken with"),
        ):
            with pytest.raises(ConfigError, match=said) as told, bound(place):
                pass
            assert key.read_text().splitlines()[1] not in str(told.value)


def test_without_the_extra_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hivemind_cli.cli.over_http.find_spec", lambda name: None)
    for words in (["serve"], ["mcp", "--http"]):
        done = run_here(*words)
        assert done.returncode == 2 and 'pip install "hivemind-loop[serve]"' in " ".join(done.stderr.split())


def test_only_the_commands_that_serve_load_what_serves() -> None:
    code = (
        "import sys, json, hivemind_cli.cli\nprint(json.dumps(sorted({one.partition('.')[0] for one in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG_S, check=True)
    assert not {"starlette", "uvicorn", "pydantic", "h11", "mcp"} & set(json.loads(done.stdout))
