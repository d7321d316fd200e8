"""The README's lines over HTTP, as a newcomer would type them: a real bash, curl and server."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG_S = 120
HIVEMIND = '#!/bin/sh\nexec "{python}" -P -m hivemind_cli "$@"\n'


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.thorough
@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="bash and curl are not both here")
def test_what_the_readme_says_can_be_typed(daemon_home: Path, tmp_path: Path) -> None:
    found = re.search(r"<!-- rest -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert found
    command = tmp_path / "bin" / "hivemind"
    command.parent.mkdir()
    command.write_text(HIVEMIND.format(python=sys.executable))
    command.chmod(stat.S_IRWXU)
    typed = found[1].replace("8765", str(a_free_port()))
    env = {
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(daemon_home.parent),
        "HIVEMIND_HOME": str(daemon_home),
    }
    done = subprocess.run(
        ["bash", "-c", f"set -eu\ntrap 'kill %1; wait' EXIT\n{typed}"],
        env=env, cwd=tmp_path, capture_output=True, text=True, timeout=LONG_S, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr and not set((tmp_path / "token").read_text().split()) & set(
        done.stderr.split()
    )
    listening, *answers = re.sub(r"(?<=[}\]])(?=[{\[])", "\n", done.stdout).splitlines()
    assert listening.startswith("http://127.0.0.1:"), done
    kept, (worked,), asked = map(json.loads, answers)
    assert worked["id"] == kept["id"] and worked["approach"] == "read it batch by batch"
    assert asked["rows"] == [{"task": "import 50 GB of parquet", "score": 0.9}]
