"""The stand-ins for models answer hivemind's questions by their form, in every vendor's way."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.answers import Answer, Answers, anything, schema_in_words
from tests.e2e.models import Models
from tests.e2e.stub import FAKE_KEY, FORM_TOOL, Stub

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ASKED: dict[str, dict[str, Any]] = {
    "/v1/responses": {"stream": True, "input": [], "text": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": f"Answer as {json.dumps(SCHEMA)}, please"}]},
    "/v1beta/models/m:generateContent": {"contents": [{"parts": [{"text": json.dumps(SCHEMA)}]}]},
    "/v1beta/models/m:streamGenerateContent?alt=sse": {"contents": [{"parts": [{"text": json.dumps(SCHEMA)}]}]},
}


@pytest.fixture
def answers() -> Answers:
    return Answers(by_form=[(frozenset({"name"}), Answer(value={"name": "it"}))])


@pytest.fixture
def models(tmp_path: Path, answers: Answers) -> Iterator[Models]:
    server = Models(tmp_path / "log", answers)
    yield server
    server.close()


def _post(url: str, body: dict[str, Any]) -> str:
    headers = {"content-type": "application/json", "x-api-key": FAKE_KEY}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=20) as said:
        text: str = said.read().decode()
    return text


@pytest.mark.parametrize("path", list(ASKED))
def test_a_question_is_answered_by_its_form(path: str, models: Models, tmp_path: Path) -> None:
    assert '{\\"name\\": \\"it\\"}' in _post(f"{models.url}{path}", ASKED[path])
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert json.loads(line)["question"] == SCHEMA


def test_a_status_is_told_instead_of_an_answer(models: Models, answers: Answers) -> None:
    answers.load({"always": {"status": 429}})
    with pytest.raises(urllib.error.HTTPError, match="429") as refused:
        _post(f"{models.url}/v1/responses", ASKED["/v1/responses"])
    refused.value.close()


@pytest.mark.parametrize("asked", ["tool", "format"])
def test_the_clients_and_the_sdks_way_of_asking_are_both_known(asked: str, answers: Answers, tmp_path: Path) -> None:
    stub = Stub(tmp_path / "log", answers=answers)
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Name it."}]}
    body |= (
        {"tools": [{"name": FORM_TOOL, "input_schema": SCHEMA}]}
        if asked == "tool"
        else {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    )
    said = json.loads(_post(f"{stub.url}/v1/messages", body))["content"][0]
    assert (said["input"] if asked == "tool" else json.loads(said["text"])) == {"name": "it"}
    stub.close()


def test_a_form_nobody_planned_for_gets_its_emptiest_value() -> None:
    schema = {"type": "object", "properties": {"kind": {"enum": ["no", "yes"]}, "lines": {"type": "array"}}}
    assert Answers().to(schema).value == anything(schema) == {"kind": "no", "lines": []}
    assert schema_in_words("no form stands here {}") is None
