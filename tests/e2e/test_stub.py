"""The model's stand-in says what its script says, and writes down what it was asked."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stub import FAKE_KEY, SIDE_TEXT, SPENT_TEXT, Stub

TOOLS = [{"name": "Bash"}]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


@pytest.fixture
def stub(log: Path) -> Iterator[Stub]:
    stub = Stub(log, lambda: {"runs": 3})
    yield stub
    stub.close()


def _ask(stub: Stub, text: str, *, key: str = FAKE_KEY, stream: bool = False, tools: Any = TOOLS) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream, "tools": tools}
    url, headers = f"{stub.url}/v1/messages?beta=true", {"x-api-key": key, "content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        answer: bytes = response.read()
    return answer


def _text(answer: bytes) -> str:
    return "".join(block.get("text", "") for block in json.loads(answer)["content"])


def test_turns_come_in_order_unless_one_matches(stub: Stub) -> None:
    stub.script.load("first", [{"text": "one"}, {"match": "haiku", "text": "pond"}, {"text": "two"}])
    assert [_text(_ask(stub, words)) for words in ("a", "a haiku", "b", "c")] == ["one", "pond", "two", SPENT_TEXT]


def test_a_request_without_tools_takes_no_turn(stub: Stub) -> None:
    stub.script.load("first", [{"text": "one"}])
    assert _text(_ask(stub, "a title, please", tools=[])) == SIDE_TEXT
    assert _text(_ask(stub, "a")) == "one"


def test_a_stream_carries_text_in_chunks_and_the_tool_call(stub: Stub) -> None:
    call = {"name": "Bash", "input": {"command": "ls"}}
    stub.script.load("first", [{"text": "abcdef", "chunks": 3, "tools": [call]}])  # type: ignore[list-item]
    lines = _ask(stub, "a", stream=True).decode().splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert [delta["text"] for delta in deltas[:-1]] == ["ab", "cd", "ef"]
    assert json.loads(deltas[-1]["partial_json"]) == call["input"]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-1]["type"] == "message_stop"


def test_every_request_is_written_down_with_what_was_so_at_the_time(stub: Stub, log: Path) -> None:
    stub.script.load("first", [{"text": "one"}])
    _ask(stub, "a")
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert line["label"] == "first"
    assert line["main"] is True
    assert line["facts"] == {"runs": 3}
    assert line["body"]["messages"][0]["content"] == "a"


def test_any_key_but_the_fake_one_is_refused_and_not_written_down(stub: Stub, log: Path) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        _ask(stub, "a", key="sk-ant-somebodys")
    refused.value.close()
    assert "somebodys" not in log.read_text()
