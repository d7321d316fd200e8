"""Payloads that others built from hosts' documented fields: all there is of hosts that nobody could run here.

They are not ours to copy: HIVEMIND_TEST_HOSTS names a folder, and `fixtures.json` beside it holds them.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hivemind_cli.hosts import HOSTS

FIXTURES = Path(os.environ.get("HIVEMIND_TEST_HOSTS", "/nonexistent")).parent / "fixtures.json"
SHOWN = {
    "cursor": {
        "sessionStart": ["session_start"],
        "beforeSubmitPrompt": ["prompt"],
        "preToolUse": ["tool_call"],
        "postToolUse": ["tool_result"],
        "postToolUseFailure": ["tool_denied"],
        "afterAgentResponse": ["reply"],
        "stop": ["interrupt"],
        "sessionEnd": ["session_end"],
    },
    "hermes": {
        "on_session_start": ["session_start"],
        "pre_llm_call": ["prompt"],
        "pre_tool_call": ["tool_call"],
        "post_tool_call": ["tool_failure"],
        "post_llm_call": ["reply"],
        "post_approval_response": ["tool_denied"],
        "on_session_end": ["interrupt"],
        "on_session_finalize": ["session_end"],
    },
    "gemini": {
        "SessionStart": ["session_start"],
        "BeforeAgent": ["prompt"],
        "BeforeTool": ["tool_call"],
        "AfterTool": ["tool_result"],
        "AfterAgent": ["reply"],
        "PreCompress": [],
        "SessionEnd": ["session_end"],
    },
    "copilot": {
        "sessionStart": ["session_start"],
        "userPromptSubmitted": ["prompt"],
        "preToolUse": ["tool_call"],
        "postToolUse": ["tool_result"],
        "agentStop": [],
        "sessionEnd": ["session_end"],
    },
}

pytestmark = pytest.mark.skipif(not FIXTURES.is_file(), reason="HIVEMIND_TEST_HOSTS names no folder beside fixtures")


@pytest.mark.parametrize("host", sorted(SHOWN))
def test_every_documented_payload_shows_what_it_should(host: str) -> None:
    told: dict[str, dict[str, Any]] = json.loads(FIXTURES.read_text(encoding="utf-8"))["fixtures"][host]
    found = {event: [one.kind.value for one in HOSTS[host].decode(event, fields)] for event, fields in told.items()}
    assert found == SHOWN[host]
