"""Payloads with any field replaced by anything: shown, or a fault of the kinds that are kept in quarantine."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hivemind_cli.hosts import HOSTS
from hivemind_cli.hosts.base import Seen
from tests.hosts.hooked import event_of, names, payload

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
OTHERS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "vscode": [
        ("SessionStart", {"sessionId": "s", "source": "new"}),
        ("UserPromptSubmit", {"sessionId": "s", "prompt": "in cents"}),
        (
            "PreToolUse",
            {"sessionId": "s", "tool_name": "editFiles", "tool_input": {"files": ["a"]}, "tool_use_id": "c"},
        ),
        ("PostToolUse", {"sessionId": "s", "tool_name": "x", "tool_input": {"replacements": [{}]}, "tool_response": 1}),
        ("SubagentStop", {"sessionId": "s", "agent_id": "a"}),
        ("Stop", {"sessionId": "s", "last_assistant_message": "Done."}),
    ],
    "windsurf": [
        ("pre_user_prompt", {"trajectory_id": "t", "tool_info": {"user_prompt": "in cents"}}),
        ("post_write_code", {"trajectory_id": "t", "tool_info": {"file_path": "a", "edits": [{}]}}),
        ("post_mcp_tool_use", {"trajectory_id": "t", "tool_info": {"mcp_tool_name": "q", "mcp_tool_arguments": {}}}),
    ],
    "openclaw": [
        ("before_prompt_build", {"session_id": "s", "prompt": "in cents", "session_key": "", "channel": ""}),
        (
            "after_tool_call",
            {"session_id": "s", "tool_name": "edit", "tool_use_id": "c", "tool_input": {}, "content": 1},
        ),
        ("agent_end", {"session_id": "s", "text": "Done.", "error": "aborted"}),
    ],
}


def known(host: str) -> list[tuple[str, dict[str, Any]]]:
    return OTHERS.get(host) or [(event_of(name), payload(host, name)) for name in names(host)]


@pytest.mark.parametrize("host", ["cursor", "hermes", *OTHERS])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_an_odd_payload_is_shown_or_a_fault(host: str, data: st.DataObject) -> None:
    event, good = data.draw(st.sampled_from(known(host)))
    inner = next((name for name in ("extra", "tool_info") if name in good and data.draw(st.booleans())), None)
    fields: dict[str, Any] = {**good, inner: dict(good[inner])} if inner else dict(good)
    target = fields[inner] if inner else fields
    target[data.draw(st.sampled_from(sorted(target) or ["x"]))] = data.draw(VALUES)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        assert all(isinstance(seen, Seen) for seen in HOSTS[host].decode(event, fields))
