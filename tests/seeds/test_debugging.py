"""Agent memory for a team that debugs: "this turns every debugging session into institutional knowledge"."""

import json
from datetime import datetime
from typing import Any

import pytest

from hivemind_cli.memory import Client
from tests.seeds.conftest import Embed
from tests.seeds.pages import DEBUGGING_MEMORY, adapted, run

CHANGES = {
    "import requests\n": "",
    "from deeplake import Client": "from hivemind_cli.memory import Client",
    'OPENROUTER_API_KEY = os.environ["OPENROUTER_API_KEY"]\n': "",
    DEBUGGING_MEMORY[DEBUGGING_MEMORY.index("def embed") : DEBUGGING_MEMORY.index("# 1. Setup")]: "",
}
OTHER_ISSUES = (
    ("Fix flaky login test on the CI runner", "Wait for the redirect", "TimeoutError: locator"),
    ("Restore the translation of the CSV header", "Use the old locale file", "KeyError: 'header'"),
    ("Speed up the nightly job that sends invoices", "Added an index", "none"),
    ("Wrong fonts overlap in the settings dialog", "Set a minimum width", "none"),
)


@pytest.fixture
def program(at_home: None, embed: Embed) -> dict[str, Any]:
    """Names the program has; the team's memory holds other issues already."""
    with Client() as client:
        tasks, outcomes, errors = zip(*OTHER_ISSUES, strict=True)
        client.ingest(
            "debug_memory",
            {
                "task": tasks,
                "outcome": outcomes,
                "error_trace": errors,
                "tools_used": ["bash"] * len(tasks),
                "metadata": ["{}"] * len(tasks),
                "timestamp": [datetime.now().isoformat()] * len(tasks),
                "embedding": embed(list(tasks)),
            },
        )
    return {"embed": embed}


def test_the_similar_oom_issue_is_found_first(program: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    run(adapted(DEBUGGING_MEMORY, CHANGES), program)
    said = capsys.readouterr().out
    assert said.startswith("Similar past issue: Fix OOM crash in data pipeline when processing 50GB parquet files\n")
    assert "Fix: switched to pyarrow.dataset" in said
    assert said.endswith("Tools that helped: pyarrow.dataset, memory_profiler, htop\n")
    results = program["results"]
    assert len(results) == 3
    scores = [row["score"] for row in results]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[1]
    assert results[0]["error_trace"].startswith("MemoryError: Unable to allocate 47.3 GiB")
    assert json.loads(results[0]["metadata"])["files_changed"] == ["etl/transform.py", "ci/memory_guard.yml"]
    program["client"].close()


def test_without_prior_experience_the_agent_starts_from_scratch(
    at_home: None, embed: Embed, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client() as client:
        client.execute("CREATE TABLE debug_memory (task TEXT, outcome TEXT, error_trace TEXT, tools_used TEXT,"
                       " metadata TEXT, embedding VECTOR(1536))")  # fmt: skip
        block = adapted(DEBUGGING_MEMORY, CHANGES)
        searching = block[block.index("new_bug =") :]
        run(searching, {"client": client, "embed": embed})
    assert capsys.readouterr().out == "No prior experience found. Starting from scratch.\n"
