"""The experience store and the debugging memory: kept, retrieved, judged, rendered; and replaced by their id."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hivemind_cli.app.agent_memory import TableEmbedding
from hivemind_cli.core.errors import Forbidden, ProviderError, ProviderUnavailable, WrongValue
from hivemind_cli.core.text import tokens_about
from hivemind_cli.llm.scripted import Scripted
from hivemind_cli.storage.tables import Tables
from hivemind_cli.tables import reembedding
from hivemind_cli.tables.sidecar import Sidecars
from hivemind_cli.tables.workspace import Workspace

SECRET = "sk-ant-api03-" + "a1B2c3D4e5F6g7H8i9J0" * 4 + "AA"


def workspace_in(engine: Tables, folder: Path, name: str = "team", provider: Any = None) -> Workspace:
    return Workspace(name, engine, Sidecars(engine, folder), TableEmbedding(None), provider)


@pytest.fixture
def workspace(engine: Tables, tmp_path: Path) -> Iterator[Workspace]:
    made = workspace_in(engine, tmp_path / "index")
    yield made
    made.sidecars.close()


def told(workspace: Workspace) -> None:
    keep = workspace.experiences.append
    keep("deploy the billing service to staging", "helm upgrade with the staging values", "success", 0.95)
    keep("deploy the billing service to production", "helm upgrade with the staging values", "failure", 0.05,
         error_trace="ImagePullBackOff", lessons="production needs its own values")  # fmt: skip
    keep("deploy the search service to staging", "kubectl apply by hand", "success", 0.6)
    keep("translate the handbook into german", "glossary first, then chapter by chapter", "success", 0.9)


def test_similar_successes_are_replayed_and_nothing_else(workspace: Workspace) -> None:
    told(workspace)
    found = workspace.experiences.replay("deploy the billing service to staging again", limit=2)
    assert [one.score for one in found] == [0.95, 0.9], "0.6 is no success to repeat, the failure none at all"
    first = found[0]
    assert (first.task, first.outcome) == ("deploy the billing service to staging", "success")
    assert first.similarity is not None and first.similarity > (found[1].similarity or 0.0)
    assert len(workspace.experiences.replay("deploy the billing service", score_min=0.5)) == 3


def test_failures_come_with_their_error_and_lesson(workspace: Workspace) -> None:
    told(workspace)
    (one,) = workspace.experiences.failures("deploy the billing service to production")
    assert (one.error_trace, one.lessons) == ("ImagePullBackOff", "production needs its own values")


def test_strategies_are_ranked_by_mean_score_with_attempts_and_an_interval(workspace: Workspace) -> None:
    for approach, scores in {"canary": (0.9, 0.8, 1.0), "all at once": (0.2, 0.9), "by hand": (0.5,)}.items():
        for score in scores:
            outcome = "success" if score >= 0.5 else "failure"
            workspace.experiences.append("roll out the payments service", approach, outcome, score)
    workspace.experiences.append("write a poem about autumn leaves", "haiku", "success", 1.0)
    best, second, third = workspace.experiences.strategies("roll out the payments service")
    assert [one.approach for one in (best, second, third)] == ["canary", "all at once", "by hand"]
    assert (best.attempts, best.successes, second.successes) == (3, 3, 1)
    assert best.mean_score == pytest.approx(0.9) and second.mean_score == pytest.approx(0.55)
    assert all(0.0 <= one.low < one.mean_score < one.high <= 1.0 for one in (best, second, third))
    assert third.high - third.low > best.high - best.low, "one attempt says less than three"


def test_nothing_is_known_before_anything_was_kept(workspace: Workspace) -> None:
    known = workspace.experiences
    assert not known.replay("x") and not known.failures("x") and not known.strategies("x") and not known.newest()
    assert known.render("x") == "" and known.count() == 0
    assert workspace.tables() == [], "looking makes no table"


@pytest.mark.parametrize(
    "wrong",
    [{"outcome": "fine"}, {"score": 1.2}, {"score": float("nan")}, {"task": "  "}, {"approach": "a\0b"}],
    ids=lambda wrong: str(wrong),
)
def test_what_makes_no_sense_is_refused(workspace: Workspace, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"task": "t", "approach": "a", "outcome": "success", "score": 0.5, **wrong}
    with pytest.raises(WrongValue):
        workspace.experiences.append(**given)
    assert workspace.experiences.count() == 0


def test_secrets_are_replaced(workspace: Workspace) -> None:
    id = workspace.experiences.append("log in", f"export KEY={SECRET}", "failure", 0.1, metadata={"env": [SECRET]})
    kept = workspace.experiences.get(id)
    assert SECRET not in repr(kept)


def test_sql_reads_the_table_and_does_not_write_it(workspace: Workspace) -> None:
    told(workspace)
    ((count,),) = workspace.query("SELECT count(*) FROM experiences WHERE outcome = 'success'").rows
    assert count == 3
    with pytest.raises(Forbidden):
        workspace.execute("DELETE FROM experiences")
    assert workspace.experiences.count() == 4


def test_workspaces_do_not_see_each_other(workspace: Workspace, engine: Tables, tmp_path: Path) -> None:
    told(workspace)
    other = workspace_in(engine, tmp_path / "index", "other")
    assert other.experiences.replay("deploy the billing service", score_min=0.0) == []


def test_a_branch_keeps_its_own(workspace: Workspace) -> None:
    told(workspace)
    workspace.branches.create("try")
    workspace.experiences.append("deploy the cache", "docker compose up", "success", 0.9, branch="try")
    assert (workspace.experiences.count(branch="try"), workspace.experiences.count()) == (5, 4)


def test_what_was_tried_the_same_way_again_is_rendered_once(workspace: Workspace) -> None:
    for _ in range(3):
        workspace.experiences.evaluate_and_store("a task", "one way", {"outcome": "success", "score": 0.9})
    assert workspace.experiences.render("a task", similarity_min=-1.0).count("one way") == 1


def test_the_rendered_text_holds_both_kinds_within_its_budget(workspace: Workspace) -> None:
    told(workspace)
    task = "deploy the billing service to production"
    whole = workspace.experiences.render(task, similarity_min=-1.0)
    assert "What worked:" in whole and "To avoid:" in whole
    assert "Error: ImagePullBackOff" in whole and "Lesson: production needs its own values" in whole
    small = workspace.experiences.render(task, similarity_min=-1.0, tokens_max=100)
    assert 0 < tokens_about(small) <= 100 < tokens_about(whole)
    assert "deploy the billing service" in small, "the most similar stays"
    assert workspace.experiences.render("zzz qqq", similarity_min=0.99) == ""


# evaluate_and_store


def judged(**answer: Any) -> Scripted:
    return Scripted([{"outcome": "partial", "score": 0.4, "lessons": "Check the quota first.", **answer}])


def test_a_model_judges_what_it_is_shown(engine: Tables, tmp_path: Path) -> None:
    provider = judged()
    experiences = workspace_in(engine, tmp_path, provider=provider).experiences
    result = {"output": f"quota exceeded {SECRET}", "outcome": "success", "tokens": 1200, "duration": 4.5}
    kept = experiences.evaluate_and_store("resize the cluster", "scale to nine nodes", result)
    assert (kept.outcome, kept.score, kept.lessons) == ("partial", 0.4, "Check the quota first.")
    assert kept.metadata == {"evaluated_by": "scripted/script"}
    assert (kept.tokens, kept.duration_s) == (1200, 4.5)
    (request,) = provider.requests
    assert request.purpose == "evaluate" and SECRET not in request.prompt
    assert json.loads(request.prompt)["task"] == "resize the cluster"


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"outcome": "success", "score": 0.9, "lessons": "ok"}, ("success", 0.9, "ok")),
        ({"success": False}, ("failure", 0.0, "")),
        ({"error": "boom"}, ("failure", 0.0, "")),
        ({"score": 0.7}, ("success", 0.7, "")),
    ],
    ids=str,
)
def test_without_a_provider_the_callers_word_counts_and_is_marked(
    workspace: Workspace, result: dict[str, Any], said: tuple[str, float, str]
) -> None:
    kept = workspace.experiences.evaluate_and_store("resize the cluster", "scale to nine nodes", result)
    assert (kept.outcome, kept.score, kept.lessons) == said
    assert kept.metadata["evaluated_by"] == "caller"


@pytest.mark.parametrize(
    "answer",
    [
        {"outcome": "success", "score": 0.1, "lessons": ""},
        {"outcome": "failure", "score": 7, "lessons": ""},
        {"outcome": "great", "score": 1, "lessons": ""},
        ProviderUnavailable("Busy."),
    ],
    ids=str,
)
def test_an_answer_that_does_not_hold_is_not_believed(engine: Tables, tmp_path: Path, answer: Any) -> None:
    experiences = workspace_in(engine, tmp_path, provider=Scripted([answer, answer])).experiences
    kept = experiences.evaluate_and_store("resize", "scale", {"outcome": "failure", "score": 0.2})
    assert (kept.outcome, kept.score, kept.metadata["evaluated_by"]) == ("failure", 0.2, "caller")
    assert kept.metadata["evaluation_failed"]
    with pytest.raises(ProviderError):
        experiences.evaluate_and_store("resize", "scale", {"output": "who knows"})
    assert experiences.count() == 1


def test_who_asks_nobody_and_says_nothing_is_told(workspace: Workspace) -> None:
    with pytest.raises(WrongValue, match="Nobody can say"):
        workspace.experiences.evaluate_and_store("resize", "scale", {"output": "who knows"})
    assert workspace.experiences.count() == 0


# the debugging memory


def test_the_similar_issue_is_found_first_by_words_and_by_meaning(workspace: Workspace) -> None:
    keep = workspace.debugging.append
    keep("Fix login redirect loop", "The cookie's path was wrong.", error_trace="ERR_TOO_MANY_REDIRECTS")
    keep(
        "Fix OOM crash in the data pipeline with large parquet files",
        "Read in batches by row group.",
        error_trace="MemoryError: Unable to allocate 47.3 GiB",
        tools_used=["pyarrow.dataset", "htop"],
        metadata={"agent_id": "swe-01"},
    )
    found = workspace.debugging.search("ETL job killed by OOM when loading large CSV files", limit=2)
    assert found[0].error_trace.startswith("MemoryError") and found[0].score > found[1].score
    assert (found[0].tools_used, found[0].metadata) == ("pyarrow.dataset, htop", {"agent_id": "swe-01"})
    assert workspace.debugging.search("MemoryError", vector_weight=0.0, text_weight=1.0)[0].id == found[0].id
    assert workspace.debugging.count() == 2


def test_a_row_told_anew_replaces_the_old_one(workspace: Workspace) -> None:
    told(workspace)
    one = workspace.experiences.newest(limit=1)[0]
    row = {"id": one.id, "task": one.task, "approach": one.approach, "outcome": "failure", "score": 0.1}
    columns: dict[str, Any] = {name: [value] for name, value in {**row, "occurred_at": one.occurred_at}.items()}
    workspace.insert_own("experiences", columns, instead=("id", [one.id]))
    assert workspace.experiences.get(one.id).outcome == "failure" and workspace.experiences.count() == 4


class Other:
    """Another model's vectors, of another length."""

    def __init__(self, model: str, dim: int) -> None:
        self.model, self.dim = model, dim

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        made = TableEmbedding(None)(texts)[:, : self.dim][:, ::-1]
        return np.ascontiguousarray(made / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-6))


@pytest.mark.parametrize("dim", [384, 256])
def test_another_model_embeds_what_is_there_anew(
    engine: Tables, tmp_path: Path, dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reembedding, "WRITTEN_AT_ONCE", 3)  # more than one statement's worth stands there
    monkeypatch.setattr(reembedding, "EMBEDDED_AT_ONCE", 3)
    before = workspace_in(engine, tmp_path)
    told(before)
    before.branches.create("try")
    assert before.experiences.replay("deploy the billing service to staging")[0].score == 0.95
    after = Workspace("team", engine, before.sidecars, Other("other-model", dim))
    task = "deploy the billing service to staging"
    for branch in ("main", "try"):
        first = after.experiences.replay(task, branch=branch)[0]
        assert first.task == task and first.similarity == pytest.approx(1.0, abs=1e-3)
    after.experiences.append("feed the cat", "fish", "success", 0.9)
    (column,) = [one for table in after.tables() for one in table.columns if one.embeds]
    assert (column.model, column.type.dim) == ("other-model", dim)
