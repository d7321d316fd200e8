"""Code blocks of the mission's sources, word for word; where a page had lost its indentation, that is put back.

`adapted` changes import, URL or credentials, and the embedding call: nothing else.
"""

from collections.abc import Mapping
from typing import Any

# How Are Teams Building Agents That Learn From Their Own Experience? (Deeplake Answers)
EXPERIENCE_REPLAY = '''
import deeplake

exp = deeplake.open("al://my-org/agent-experience")

# After each task
exp.append({
    "task": task_description,
    "task_embedding": embed(task_description),
    "approach": chosen_approach,
    "tools_used": json.dumps(tools),
    "outcome": "success",  # or "failure"
    "score": 0.92,
    "error_message": None,
    "duration_seconds": 45,
    "timestamp": int(time.time())
})

# Before a new task
relevant = exp.query("""
    SELECT task, approach, outcome, score, error_message
    FROM agent_experience
    WHERE outcome = 'success' AND score > 0.8
    ORDER BY cosine_similarity(task_embedding, :q)
    LIMIT 5
""", {"q": embed(new_task)})
'''

FAILURE_AVOIDANCE = '''
# What went wrong with similar tasks?
failures = exp.query("""
    SELECT task, approach, error_message
    FROM agent_experience
    WHERE outcome = 'failure'
    ORDER BY cosine_similarity(task_embedding, :q)
    LIMIT 3
""", {"q": embed(new_task)})

# Inject into system prompt: "Avoid these known failure modes..."
'''

STRATEGY_EVOLUTION = '''
# Find the best approach for this type of task
best_strategies = exp.query("""
    SELECT approach, AVG(score) as avg_score, COUNT(*) as attempts
    FROM agent_experience
    WHERE cosine_similarity(task_embedding, :q) > 0.85
    GROUP BY approach
    ORDER BY avg_score DESC
    LIMIT 3
""", {"q": embed(new_task)})
'''

# How to Build a Self-Improving AI Agent (Deeplake Answers)
EXPERIENCE_STORE = """
import deeplake
experiences = deeplake.open("al://my-org/agent-experiences")
experiences.add_column("task_description", deeplake.types.Text())
experiences.add_column("task_embedding", deeplake.types.Embedding(1536))
experiences.add_column("approach", deeplake.types.Text())
experiences.add_column("outcome", deeplake.types.Text()) # "success", "failure", "partial"
experiences.add_column("score", deeplake.types.Float32())
experiences.add_column("lessons", deeplake.types.Text())
experiences.add_column("metadata", deeplake.types.Json())
experiences.add_column("timestamp", deeplake.types.Int64())
"""

BEFORE_ACTING = '''
def get_relevant_experience(task: str, top_k: int = 5):
    """Find similar past tasks and what worked."""
    results = experiences.query("""
        SELECT task_description, approach, outcome, score, lessons
        FROM agent_experiences
        ORDER BY cosine_similarity(task_embedding, :q)
        LIMIT :k
    """, {"q": embed(task), "k": top_k})
    # Format as context for the LLM
    context = "Past experience with similar tasks:\\n"
    for r in results:
        context += f"- Task: {r['task_description']}\\n"
        context += f" Approach: {r['approach']}\\n"
        context += f" Outcome: {r['outcome']} (score: {r['score']})\\n"
        context += f" Lesson: {r['lessons']}\\n\\n"
    return context
'''

AFTER_ACTING = '''
def evaluate_and_store(task: str, approach: str, result: dict):
    """Evaluate the outcome and persist the experience."""
    evaluation = llm.evaluate(task, approach, result)
    experiences.append({
        "task_description": task,
        "task_embedding": embed(task),
        "approach": approach,
        "outcome": evaluation["outcome"],
        "score": evaluation["score"],
        "lessons": evaluation["lessons"],
        "metadata": {"tokens_used": result["tokens"], "duration": result["duration"]},
        "timestamp": int(time.time())
    })
'''

# My AI agent isn't learning, it's retrieving. How do I get it to actually learn from experience? (Deeplake Answers)
SHELL = (
    "npm install -g @deeplake/hivemind && hivemind install",
    "HIVEMIND_WORKSPACE_ID=payments-service hivemind install",
    "hivemind status",
    "hivemind skillify",
)

# Agent Memory (Evolving Brain) (Deeplake's guide)
DEBUGGING_MEMORY = '''
import os
import json
import time
import requests
from datetime import datetime
from deeplake import Client
# --- Embedding via OpenRouter (google/gemini-embedding-001, ctx 20K) ---
OPENROUTER_API_KEY = os.environ["OPENROUTER_API_KEY"]
def embed(texts):
    """Generate embeddings using Google Gemini Embedding 001 via OpenRouter."""
    res = requests.post(
        "https://openrouter.ai/api/v1/embeddings",
        headers={"Authorization": f"Bearer {OPENROUTER_API_KEY}"},
        json={"model": "google/gemini-embedding-001", "input": texts},
    )
    return [item["embedding"] for item in res.json()["data"]]
# 1. Setup Client (workspace per agent team is recommended)
client = Client()
# 2. Store a debugging trace after resolving an issue
task = "Fix OOM crash in data pipeline when processing 50GB parquet files"
outcome = (
    "Root cause: pandas.read_parquet() loads entire file into memory. "
    "Fix: switched to pyarrow.dataset with batch_size=10000 and row-group "
    "filtering. Peak RAM dropped from 48GB to 3.2GB. Also added "
    "memory_profiler guard to CI to catch regressions."
)
error_trace = "MemoryError: Unable to allocate 47.3 GiB, triggered in ETL step 3 (transform_parquet)"
tools_used = "pyarrow.dataset, memory_profiler, htop"
metadata = {
    "agent_id": "swe-01",
    "repo": "data-pipeline",
    "error_type": "MemoryError",
    "files_changed": ["etl/transform.py", "ci/memory_guard.yml"],
    "resolution_time_min": 45,
}
task_emb = embed([task])[0]
client.ingest("debug_memory", {
    "task": [task],
    "outcome": [outcome],
    "error_trace": [error_trace],
    "tools_used": [tools_used],
    "metadata": [json.dumps(metadata)],
    "timestamp": [datetime.now().isoformat()],
    "embedding": [task_emb],
})
# 3. Later: a different agent hits a similar issue and searches the team memory
new_bug = "ETL job killed by OOM when loading large CSV exports"
search_emb = embed([new_bug])[0]
emb_pg = "{" + ",".join(str(x) for x in search_emb) + "}"
results = client.query("""
SELECT task, outcome, error_trace, tools_used, metadata,
(embedding, task)::deeplake_hybrid_record <#>
deeplake_hybrid_record($1::float4[], $2, 0.5, 0.5) AS score
FROM debug_memory
ORDER BY score DESC
LIMIT 3
""", (emb_pg, new_bug))
# 4. Use the recalled memory to inform the fix
if results:
    best = results[0]
    print(f"Similar past issue: {best['task']}")
    print(f"Resolution: {best['outcome']}")
    print(f"Tools that helped: {best['tools_used']}")
    # The agent now has context: "last time we hit OOM on large files,
    # we switched to streaming reads with pyarrow.dataset"
else:
    print("No prior experience found. Starting from scratch.")
'''

# How Should I Persist State Across Iterations of an Agentic Loop? (Deeplake Answers)
SCHEMA_DESIGN = '''
import deeplake
db = deeplake.connect("deeplake://my-org/agent-runs")
# Create a table for loop iterations
db.execute("""
CREATE TABLE IF NOT EXISTS iterations (
run_id TEXT,
step INT,
action TEXT,
observation TEXT,
embedding VECTOR(1536),
state_snapshot JSONB,
tokens_used INT,
created_at TIMESTAMP DEFAULT NOW()
)
""")
'''

CHECKPOINTING = '''
def persist_step(db, run_id, step, action, observation, embedding, state):
    db.execute("""
INSERT INTO iterations (run_id, step, action, observation, embedding, state_snapshot, tokens_used)
VALUES (%s, %s, %s, %s, %s, %s, %s)
""", [run_id, step, action, observation, embedding, state, state["tokens_used"]])
'''

RECOVERING = '''
# Resume from the last successful step after a crash
last = db.execute("""
SELECT step, state_snapshot FROM iterations
WHERE run_id = %s ORDER BY step DESC LIMIT 1
""", [run_id]).fetchone()
agent.restore(last["state_snapshot"])
agent.resume(from_step=last["step"] + 1)
'''

PARALLEL_EXPLORATION = """
# Agent explores two approaches in parallel
db.branch("run-42/approach-a")
db.branch("run-42/approach-b")
# Each branch accumulates its own iterations independently
"""

MERGE_THE_WINNER = """
# Compare outcomes, merge the winner
db.merge("run-42/approach-a", into="main")
"""


def adapted(block: str, changes: Mapping[str, str]) -> str:
    """The block with each of `changes` made once."""
    for before, after in changes.items():
        assert block.count(before) == 1, before
        block = block.replace(before, after)
    return block


def run(block: str, names: dict[str, Any]) -> None:
    """As an agent's program would run it, which has these names already; what it makes is added to them."""
    exec(compile(block, "<page>", "exec"), names)
