CREATE TABLE judgement (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "host" VARCHAR NOT NULL,
    "session_id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "event_id" VARCHAR NOT NULL,
    "correction_id" VARCHAR NOT NULL,
    "by" VARCHAR NOT NULL,
    "said" VARCHAR NOT NULL,
    "durable" BOOLEAN,
    "reason" VARCHAR NOT NULL
);

-- What people and models said that turns are. Of several the newest of a person counts, else a model's newest.
CREATE VIEW judgements AS
SELECT
    workspace_id, id, project_id, host, session_id, occurred_at, event_id, correction_id, "by", said, durable, reason
FROM judgement;
