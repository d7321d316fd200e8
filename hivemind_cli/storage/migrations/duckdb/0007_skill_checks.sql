-- What a skill is narrowed to, its tests, what it would have done in the past; whom a model's call was for.

ALTER TABLE skill_revision ADD COLUMN "applies" VARCHAR DEFAULT '{}';
ALTER TABLE skill_revision ALTER COLUMN "applies" SET NOT NULL;
ALTER TABLE skill_revision ADD COLUMN "moments" VARCHAR DEFAULT '[]';
ALTER TABLE skill_revision ALTER COLUMN "moments" SET NOT NULL;
ALTER TABLE skill_revision ADD COLUMN "backtest" VARCHAR DEFAULT '{}';
ALTER TABLE skill_revision ALTER COLUMN "backtest" SET NOT NULL;
ALTER TABLE skill_revision ADD COLUMN "relations" VARCHAR DEFAULT '{}';
ALTER TABLE skill_revision ALTER COLUMN "relations" SET NOT NULL;
ALTER TABLE llm_call ADD COLUMN "subject" VARCHAR DEFAULT '';
ALTER TABLE llm_call ALTER COLUMN "subject" SET NOT NULL;

CREATE TABLE skill_check (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "project_id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "skill_id" VARCHAR NOT NULL,
    "version" BIGINT NOT NULL,
    "kind" VARCHAR NOT NULL,
    "passed" BOOLEAN,
    "matcher" VARCHAR NOT NULL,
    "figures" VARCHAR NOT NULL,
    "reason" VARCHAR NOT NULL
);

-- Every run of a skill's tests.
CREATE VIEW skill_checks AS
SELECT workspace_id, id, project_id, occurred_at, skill_id, "version", kind, passed, matcher, figures, reason
FROM skill_check;

-- Calls by whom they were for, too.
CREATE OR REPLACE VIEW costs AS
SELECT
    workspace_id,
    CAST(occurred_at AS DATE) AS "day",
    purpose,
    provider,
    model,
    subject,
    count(*) AS calls,
    CAST(sum(tokens_in) AS BIGINT) AS tokens_in,
    CAST(sum(tokens_out) AS BIGINT) AS tokens_out,
    sum(cost_usd) AS cost_usd
FROM llm_call
GROUP BY ALL;
