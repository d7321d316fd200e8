-- What is only a candidate is no correction here either, nor is what was judged to be none; the table `correction`
-- keeps them all. A tool retry stays listed, and is counted as in the views of 0004: apart.

CREATE OR REPLACE VIEW sessions AS
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
    FROM counted_corrections
    WHERE NOT retry
    GROUP BY workspace_id, host, session_id
) AS corrected USING (workspace_id, host, session_id)
GROUP BY event.workspace_id, event.host, event.session_id;

CREATE OR REPLACE VIEW corrections AS
SELECT
    correction.workspace_id, correction.id, correction.project_id, correction.machine_id, correction.author,
    correction.host, correction.session_id, correction.occurred_at, correction.kind, correction.quote,
    correction.task, correction.act, correction."before", correction."after", counted.confidence, correction.durable,
    correction.cause, correction.recurrence_key, correction."language", correction.act_event_id,
    correction.reaction_event_id
FROM correction
JOIN counted_corrections AS counted ON counted.workspace_id = correction.workspace_id AND counted.id = correction.id;
