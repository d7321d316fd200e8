-- One table a record type, named like its class. Text columns that hold JSON are read with ->> as they are.
-- `seq` is the order of storing. Keys lead with workspace_id, so that the tables shard by workspace.
-- No unique index: the one writer admits each id and native key once, in the transaction that stores it, and an
-- index costs 30 MB of memory at 100,000 events and 2 s of closing at 500,000 (measured). Times are UTC, zoneless.

CREATE TABLE event (
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
    "native_key" VARCHAR NOT NULL,
    "turn" BIGINT NOT NULL,
    "tool" VARCHAR NOT NULL,
    "cwd" VARCHAR NOT NULL,
    "source" VARCHAR NOT NULL,
    "payload" VARCHAR NOT NULL,
    native_hash BIGINT NOT NULL -- of host, session_id, native_key: found by scanning 8 bytes a row, then compared in full
);

CREATE TABLE correction (
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
    "act_event_id" VARCHAR NOT NULL,
    "reaction_event_id" VARCHAR NOT NULL,
    "quote" VARCHAR NOT NULL,
    "task" VARCHAR NOT NULL,
    "act" VARCHAR NOT NULL,
    "before" VARCHAR NOT NULL,
    "after" VARCHAR NOT NULL,
    "confidence" DOUBLE NOT NULL,
    "durable" BOOLEAN,
    "cause" VARCHAR NOT NULL,
    "recurrence_key" VARCHAR NOT NULL,
    "language" VARCHAR NOT NULL
);

CREATE TABLE skill_revision (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "machine_id" VARCHAR NOT NULL,
    "author" VARCHAR NOT NULL,
    "skill_id" VARCHAR NOT NULL,
    "name" VARCHAR NOT NULL,
    "title" VARCHAR NOT NULL,
    "version" BIGINT NOT NULL,
    "scope" VARCHAR NOT NULL,
    "state" VARCHAR NOT NULL,
    "trigger" VARCHAR NOT NULL,
    "lines" VARCHAR NOT NULL,
    "body" VARCHAR NOT NULL,
    "acts" VARCHAR NOT NULL,
    "tasks" VARCHAR NOT NULL,
    "drafter" VARCHAR NOT NULL,
    "reason" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL
);

CREATE TABLE recall (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "machine_id" VARCHAR NOT NULL,
    "author" VARCHAR NOT NULL,
    "host" VARCHAR NOT NULL,
    "session_id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "moment" VARCHAR NOT NULL,
    "event_id" VARCHAR NOT NULL,
    "query" VARCHAR NOT NULL,
    "candidates" VARCHAR NOT NULL,
    "text" VARCHAR NOT NULL,
    "held" BOOLEAN NOT NULL,
    "tier" VARCHAR NOT NULL,
    "latency_ms" DOUBLE NOT NULL
);

CREATE TABLE outcome (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "session_id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "recall_id" VARCHAR NOT NULL,
    "subject_id" VARCHAR NOT NULL,
    "verdict" VARCHAR NOT NULL,
    "evidence" VARCHAR NOT NULL,
    "reason" VARCHAR NOT NULL
);

CREATE TABLE llm_call (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "purpose" VARCHAR NOT NULL,
    "provider" VARCHAR NOT NULL,
    "model" VARCHAR NOT NULL,
    "tokens_in" BIGINT NOT NULL,
    "tokens_out" BIGINT NOT NULL,
    "cost_usd" DOUBLE NOT NULL,
    "latency_ms" DOUBLE NOT NULL,
    "prompt_sha256" VARCHAR NOT NULL,
    "result" VARCHAR NOT NULL
);

CREATE TABLE gate_skip (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "recurrence_key" VARCHAR NOT NULL,
    "correction_ids" VARCHAR NOT NULL,
    "reason" VARCHAR NOT NULL
);

CREATE TABLE project (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "name" VARCHAR NOT NULL,
    "root" VARCHAR NOT NULL,
    "remote" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL
);

CREATE TABLE transcript_mark (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "host" VARCHAR NOT NULL,
    "session_id" VARCHAR NOT NULL,
    "path" VARCHAR NOT NULL,
    "offset" BIGINT NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL
);

CREATE TABLE notice (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "about" VARCHAR NOT NULL,
    "text" VARCHAR NOT NULL,
    "fix" VARCHAR NOT NULL,
    "subject" VARCHAR NOT NULL
);

CREATE TABLE tombstone (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "host" VARCHAR NOT NULL,
    "session_id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL
);

-- How far each stage has read.
CREATE TABLE cursors (
    stage VARCHAR PRIMARY KEY,
    position BIGINT NOT NULL
);

-- The highest seq a table ever gave out before rows were pruned: a seq is never given twice.
CREATE TABLE series (
    table_name VARCHAR PRIMARY KEY,
    last_seq BIGINT NOT NULL
);
