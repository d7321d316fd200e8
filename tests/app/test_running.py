"""Claude Code's hooks run by another host: stored once, answered once, in the name and words of who runs them."""

import json
import time
from typing import Any

import pytest

from hivemind_cli.app import OwnedHivemind
from hivemind_cli.core.fence import OPEN
from hivemind_cli.core.ids import new_id
from hivemind_cli.core.records import Event, EventKind, Recall
from hivemind_cli.hosts.apply import apply
from hivemind_cli.pipeline.spool import Delivery
from tests.app.test_owned import Agent, agent, owner
from tests.hosts.hooked import payload

__all__ = ["agent", "owner"]

NATIVE = {"UserPromptSubmit": "beforeSubmitPrompt", "PreToolUse": "preToolUse", "Stop": "stop"}
CHAT = str(payload("cursor", "sessionStart")["conversation_id"])


class Cursor:
    """Runs its own hooks and, where told to, Claude Code's beside them, in a folder of its own."""

    def __init__(self, agent: Agent, *, routes: tuple[str, ...]) -> None:
        self.owner, self.project, self.routes = agent.owner, agent.project, routes
        for route in routes:
            apply([], self.owner.paths.receipts, route, "now")

    def fires(self, event: str, name: str, **fields: Any) -> list[bytes]:
        """What each hook of Claude Code's `event` would print."""
        return [self._runs(route, event, name, fields) for route in self.routes]

    def _runs(self, route: str, event: str, name: str, fields: dict[str, Any]) -> bytes:
        told = {**payload("cursor", name), "workspace_roots": [str(self.project)], **fields}
        delivery = Delivery(
            id=new_id(),
            time_ns=time.time_ns(),
            host=route,
            event=event if route == "claude" else NATIVE[event],
            raw=b"\xef\xbb\xbf" + json.dumps(told).encode(),
            cwd=str(self.owner.paths.home / ".cursor"),
        )
        file = self.owner.spool.put(delivery).name
        answer = self.owner.answer(file)
        self.owner.after_answer(file)
        return answer


@pytest.fixture
def skilled(agent: Agent, owner: OwnedHivemind) -> Agent:
    """A skill is live, learned in Claude Code."""
    agent.is_corrected()
    agent.drop("SessionEnd", "monday", reason="other")
    owner.settle()
    return agent


@pytest.mark.parametrize("routes", [("claude",), ("cursor",), ("claude", "cursor"), ("cursor", "claude")])
def test_a_cursor_session_is_stored_and_answered_once_by_whatever_hooks_it_runs(
    skilled: Agent, owner: OwnedHivemind, routes: tuple[str, ...]
) -> None:
    cursor = Cursor(skilled, routes=routes)
    answers = cursor.fires("UserPromptSubmit", "beforeSubmitPrompt", prompt="deploy the docs site")
    cursor.fires("PreToolUse", "preToolUse-Shell")
    cursor.fires("Stop", "stop-aborted")
    owner.settle()
    (said,) = [json.loads(answer) for answer in answers if answer]
    assert OPEN in said["additional_context"] and "hookSpecificOutput" not in said
    events = [row.record for row in owner.store.find(Event, session_id=CHAT)]
    assert [one.kind for one in events] == [EventKind.PROMPT, EventKind.TOOL_CALL, EventKind.INTERRUPT]
    assert {one.host for one in events} == {"cursor"}
    (learned,) = {row.record.project_id for row in owner.store.find(Event, session_id="monday")}
    assert {one.project_id for one in events} == {learned}, "the folder that was opened, not the hook's own"
    (recall,) = [row.record for row in owner.store.find(Recall, session_id=CHAT)]
    assert recall.host == "cursor" and recall.text


@pytest.mark.parametrize(("mark", "host"), [("devin claude:", "devin"), ("devin claude:d1", "claude")])
def test_a_host_that_hivemind_does_not_wire_is_a_guest_under_its_own_name(
    skilled: Agent, owner: OwnedHivemind, mark: str, host: str
) -> None:
    file = owner.spool.put(
        Delivery(
            id=new_id(),
            time_ns=time.time_ns(),
            host="claude",
            event="UserPromptSubmit",
            raw=json.dumps({"session_id": "d1", "prompt": "deploy the docs site"}).encode(),
            cwd=str(skilled.project),
            mark=mark,
        )
    ).name
    said = json.loads(owner.answer(file))
    owner.after_answer(file)
    owner.settle()
    assert OPEN in said["hookSpecificOutput"]["additionalContext"]
    (event,) = [row.record for row in owner.store.find(Event, session_id="d1")]
    assert event.host == host, "Claude Code itself, where it named the session"
