CREATE TABLE experience (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "machine_id" VARCHAR NOT NULL,
    "author" VARCHAR NOT NULL,
    "host" VARCHAR NOT NULL,
    "session_id" VARCHAR NOT NULL,
    "kind" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "event_id" VARCHAR NOT NULL,
    "task" VARCHAR NOT NULL,
    "approach" VARCHAR NOT NULL,
    "tools_used" VARCHAR NOT NULL,
    "outcome" VARCHAR NOT NULL,
    "score" DOUBLE NOT NULL,
    "lessons" VARCHAR NOT NULL,
    "error_trace" VARCHAR NOT NULL,
    "metadata" VARCHAR NOT NULL,
    "duration_s" DOUBLE NOT NULL,
    "tokens" BIGINT NOT NULL
);

-- What agents tried for each task of a person's, and how it went by what was seen (metadata: what that rests on).
CREATE VIEW attempts AS
SELECT
    workspace_id, id, project_id, machine_id, author, host, session_id, occurred_at, event_id, task, approach,
    tools_used, outcome, score, lessons, error_trace, metadata, duration_s, tokens
FROM experience
WHERE kind = 'attempt'
QUALIFY row_number() OVER (PARTITION BY workspace_id, event_id ORDER BY seq DESC) = 1;

-- Errors, and what was done until they were gone. score: how sure it is that this is what helped, 0..1.
CREATE VIEW fixes AS
SELECT
    workspace_id, id, project_id, machine_id, author, host, session_id, occurred_at, event_id, task, error_trace,
    approach, tools_used, score, lessons, metadata
FROM experience
WHERE kind = 'fix'
QUALIFY row_number() OVER (PARTITION BY workspace_id, event_id ORDER BY seq DESC) = 1;
