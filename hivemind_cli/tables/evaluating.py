"""How an attempt went, by a model's judgement where there is one to ask, else by what the caller says."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hivemind_cli.core import redact
from hivemind_cli.core.errors import ProviderError, WrongValue
from hivemind_cli.core.records import TaskOutcome
from hivemind_cli.core.templates import template
from hivemind_cli.core.text import within_tokens
from hivemind_cli.llm.base import Provider, Request
from hivemind_cli.tables.experiences import outcome_of, score_of

logger = logging.getLogger(__name__)

PURPOSE = "evaluate"
CALLER = "caller"
RESULT_TOKENS, APPROACH_TOKENS, TASK_TOKENS = 3000, 1000, 800
LESSONS_CHARS_MAX = 1000
EVEN = 0.5
"""No success scores less, no failure more."""
SCORES = {TaskOutcome.SUCCESS: 1.0, TaskOutcome.PARTIAL: 0.5, TaskOutcome.FAILURE: 0.0}
"""Of a caller that names the outcome alone."""
_SCHEMA = {
    "type": "object",
    "properties": {
        "outcome": {"type": "string", "enum": [one.value for one in TaskOutcome]},
        "score": {"type": "number", "description": "0 to 1"},
        "lessons": {"type": "string", "maxLength": 4 * LESSONS_CHARS_MAX},
    },
    "required": ["outcome", "score", "lessons"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How it went."""

    outcome: str
    score: float
    lessons: str
    metadata: dict[str, Any] = field(default_factory=dict)
    """evaluated_by: provider/model or caller; evaluation_failed: why no model's answer counts, where one was asked."""


def evaluate(provider: Provider | None, task: str, approach: str, result: Mapping[str, Any]) -> Evaluation:
    """One request at most. WrongValue, ProviderError: neither a model nor `result` says."""
    if provider is None:
        return _by_caller(result, {})
    try:
        return _by_model(provider, task, approach, result)
    except ProviderError as exc:
        logger.info("no model judged an attempt: %s", exc)
        if not _says(result):
            raise
        return _by_caller(result, {"evaluation_failed": exc.what})


def _by_model(provider: Provider, task: str, approach: str, result: Mapping[str, Any]) -> Evaluation:
    said = json.dumps(redact.tree(dict(result)), ensure_ascii=False, indent=1, default=str)
    document = {
        "task": within_tokens(redact.text(task), TASK_TOKENS),
        "untrusted_approach": within_tokens(redact.text(approach), APPROACH_TOKENS),
        "untrusted_result": within_tokens(said, RESULT_TOKENS),
    }
    system, _ = template("evaluate")
    prompt = json.dumps(document, ensure_ascii=False, indent=1)
    request = Request(purpose=PURPOSE, system=system, prompt=prompt, schema=_SCHEMA, tokens_max=600)
    reply = provider.complete(request)
    outcome, score = reply.value["outcome"], float(reply.value["score"])
    fits = {TaskOutcome.SUCCESS: score >= EVEN, TaskOutcome.FAILURE: score <= EVEN}.get(TaskOutcome(outcome), True)
    if not 0.0 <= score <= 1.0 or not fits:
        raise ProviderError("The model's judgement contradicts itself.", why=f"{outcome} with a score of {score:g}.")
    lessons = redact.text(" ".join(str(reply.value["lessons"]).split()))[:LESSONS_CHARS_MAX]
    return Evaluation(outcome, score, lessons, {"evaluated_by": f"{provider.name}/{reply.model}"})


def _says(result: Mapping[str, Any]) -> bool:
    return any(result.get(name) is not None for name in ("outcome", "score", "success", "error", "error_trace"))


def _by_caller(result: Mapping[str, Any], marked: dict[str, Any]) -> Evaluation:
    if not _says(result):
        raise WrongValue(
            "Nobody can say how this went.",
            why="No model may be asked, and the result names neither outcome, score, success nor error.",
            fix='Put {"outcome": "success", "score": 0.9} into the result, or set up a provider.',
        )
    score = None if result.get("score") is None else score_of(result["score"])
    if result.get("outcome") is not None:
        outcome = outcome_of(result["outcome"])
    elif result.get("success") is not None:
        outcome = TaskOutcome.SUCCESS.value if result["success"] else TaskOutcome.FAILURE.value
    elif result.get("error") or result.get("error_trace"):
        outcome = TaskOutcome.FAILURE.value
    else:
        outcome = TaskOutcome.SUCCESS.value if (score or 0.0) >= EVEN else TaskOutcome.FAILURE.value
    lessons = result.get("lessons") or result.get("lesson") or ""
    return Evaluation(
        outcome,
        SCORES[TaskOutcome(outcome)] if score is None else score,
        str(lessons)[:LESSONS_CHARS_MAX],
        {"evaluated_by": CALLER, **marked},
    )
