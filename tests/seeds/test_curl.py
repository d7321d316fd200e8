"""The REST block of the debugging-memory recipe, as it stands, by a real bash and curl against `hivemind serve`.

debugging_memory.sh is that block to the letter. Changed on its way: the server's URL, and which URL is asked for
embeddings.
"""

import http.server
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.app.tokens import Access, Tokens
from hivemind_cli.core.paths import Paths
from hivemind_cli.embedding.hashing import Hashing

BLOCK = (Path(__file__).parent / "debugging_memory.sh").read_text("utf-8")
API, EMBEDDINGS = 'API_URL="https://api.deeplake.ai"', '"https://openrouter.ai/api/v1/embeddings"'
JQ = """#!{python}
import json, sys
assert sys.argv[1:] == ["-c", ".data[0].embedding"], sys.argv
print(json.dumps(json.load(sys.stdin)["data"][0]["embedding"], separators=(",", ":")))
"""
LONG_S = 120


class _Embeddings(http.server.BaseHTTPRequestHandler):
    """Answers as the embedding service of the recipe does, with vectors of hashed words."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        vectors = Hashing().embed(asked["input"]).tolist()
        body = json.dumps({"data": [{"embedding": vector} for vector in vectors]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def embeddings() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Embeddings) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f'"http://127.0.0.1:{server.server_address[1]}/api/v1/embeddings"'
        server.shutdown()
        thread.join()


@pytest.fixture
def api(daemon_home: Path) -> Iterator[str]:
    """The URL of a `hivemind serve`."""
    env = {**os.environ, "HOME": str(daemon_home.parent), "HIVEMIND_HOME": str(daemon_home)}
    argv = [sys.executable, "-P", "-m", "hivemind_cli", "serve", "--port", "0"]
    with subprocess.Popen(
        argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=LONG_S)
        assert "Traceback" not in said and "hmt_" not in said


@pytest.fixture
def path(tmp_path: Path) -> str:
    """With a jq in it; a stand-in where there is none."""
    if shutil.which("jq"):
        return os.environ["PATH"]
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "jq").write_text(JQ.format(python=sys.executable))
    (folder / "jq").chmod(stat.S_IRWXU)
    return f"{folder}:{os.environ['PATH']}"


OTHERS = (
    ("Rename the login button", "Changed the label in the template."),
    ("Speed up the search page", "Added an index on the title column."),
    ("Upgrade the linter", "Pinned it, and fixed 14 findings."),
)


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="bash and curl are not both here")
def test_the_block_stores_a_trace_and_finds_it_for_a_similar_bug(
    api: str, embeddings: str, path: str, daemon_home: Path, workspace: str, tmp_path: Path
) -> None:
    assert BLOCK.count(API) == BLOCK.count(EMBEDDINGS) == 1
    block = BLOCK.replace(API, f'API_URL="{api}"').replace(EMBEDDINGS, embeddings)
    head, search = block.split("# 4. Hybrid Search")
    token, _ = Tokens(Paths(root=daemon_home, home=daemon_home.parent)).create(
        f"curl {workspace}", [workspace], Access.WRITE
    )
    env = {
        "PATH": path,
        "DEEPLAKE_API_KEY": token,
        "DEEPLAKE_ORG_ID": "your-org-id",
        "DEEPLAKE_WORKSPACE": workspace,
        "OPENROUTER_API_KEY": "unused",
    }
    # Other traces of the team stand between the block's third and fourth step.
    more = [_insert(task, outcome) for task, outcome in OTHERS]
    script = tmp_path / "block.sh"
    script.write_text("\n".join(["set -eu", head, *more, f"# 4. Hybrid Search{search}"]))
    done = subprocess.run(["bash", str(script)], env=env, capture_output=True, text=True, timeout=LONG_S, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    made, kept, *others, found = _documents(done.stdout)
    assert made["row_count"] == 1 and [one["rows"] for one in (kept, *others)] == [[{"count": 1}]] * 4
    best, *rest = found["rows"]
    assert best["task"] == "Fix OOM crash in data pipeline when processing 50GB parquet files"
    assert best["outcome"].endswith("switched to pyarrow.dataset with batch_size=10000.")
    assert best["error_trace"] == "MemoryError: Unable to allocate 47.3 GiB" and "htop" in best["tools_used"]
    assert len(rest) == 2 and best["score"] > max(one["score"] for one in rest)


def _insert(task: str, outcome: str) -> str:
    """One more trace, as the block's third step keeps its own."""
    step = BLOCK.split("# 3. Insert a debugging trace\n")[1].split("# 4.")[0]
    step = step.replace("Fix OOM crash in data pipeline when processing 50GB parquet files", task)
    start, end = step.index('"Root cause'), step.index('"MemoryError')
    asked = f"TASK_EMB=$(embed \"[\\\"{task}\\\"]\" | jq -c '.data[0].embedding' | tr '[]' '{{}}')"
    return f'{asked}\n{step[:start]}"{outcome}",\n{step[end:]}'.replace("MemoryError: Unable to allocate 47.3 GiB", "")


def _documents(said: str) -> list[Any]:
    """JSON documents, one after the other."""
    found, decoder = [], json.JSONDecoder()
    while said := said.strip():
        value, end = decoder.raw_decode(said)
        found.append(value)
        said = said[end:]
    return found
