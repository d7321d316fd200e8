-- The stable face of the database for people and `hivemind sql`. Tables may change; these do not.

CREATE VIEW sessions AS
SELECT
    event.workspace_id,
    event.host,
    event.session_id,
    arg_max(event.project_id, event.seq) AS project_id,
    arg_max(event.author, event.seq) AS author,
    min(event.occurred_at) AS started_at,
    max(event.occurred_at) AS last_at,
    count(*) AS events,
    count(*) FILTER (event.kind = 'prompt') AS prompts,
    count(*) FILTER (event.kind = 'tool_call') AS tool_calls,
    coalesce(any_value(corrected.corrections), 0) AS corrections,
    bool_or(event.kind = 'session_end') AS ended
FROM event
LEFT JOIN (
    SELECT workspace_id, host, session_id, count(*) AS corrections
    FROM correction
    GROUP BY workspace_id, host, session_id
) AS corrected USING (workspace_id, host, session_id)
GROUP BY event.workspace_id, event.host, event.session_id;

CREATE VIEW corrections AS
SELECT
    workspace_id, id, project_id, machine_id, author, host, session_id, occurred_at, kind, quote, task, act,
    "before", "after", confidence, durable, cause, recurrence_key, "language", act_event_id, reaction_event_id
FROM correction;

-- The current revision of each skill, and what came of it.
CREATE VIEW skills AS
SELECT
    revision.workspace_id, revision.skill_id, revision.id AS revision_id, revision.project_id, revision.author,
    revision.name, revision.title, revision.version, revision.scope, revision.state, revision."trigger",
    revision.lines, revision.body, revision.drafter, revision.reason, revision.occurred_at,
    coalesce(judged.held, 0) AS held,
    coalesce(judged.recurred, 0) AS recurred
FROM (
    SELECT *
    FROM skill_revision
    QUALIFY row_number() OVER (PARTITION BY workspace_id, skill_id ORDER BY version DESC, seq DESC) = 1
) AS revision
LEFT JOIN (
    SELECT
        workspace_id,
        subject_id AS skill_id,
        count(*) FILTER (verdict = 'held') AS held,
        count(*) FILTER (verdict = 'recurred') AS recurred
    FROM outcome
    GROUP BY workspace_id, subject_id
) AS judged USING (workspace_id, skill_id);

CREATE VIEW recalls AS
SELECT
    workspace_id, id, project_id, machine_id, author, host, session_id, occurred_at, moment, event_id, query,
    candidates, "text", held, tier, latency_ms
FROM recall;

CREATE VIEW outcomes AS
SELECT
    workspace_id, id, project_id, session_id, occurred_at, recall_id, subject_id, verdict, evidence, reason
FROM outcome;

CREATE VIEW costs AS
SELECT
    workspace_id,
    CAST(occurred_at AS DATE) AS "day",
    purpose,
    provider,
    model,
    count(*) AS calls,
    CAST(sum(tokens_in) AS BIGINT) AS tokens_in,
    CAST(sum(tokens_out) AS BIGINT) AS tokens_out,
    sum(cost_usd) AS cost_usd
FROM llm_call
GROUP BY ALL;
