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

-- The current revision of each skill, what it is narrowed to (applies), what it would have done in the person's past
-- (backtest: counts), how many tests it carries (moments) and how its newest run of them went (passed: NULL is unknown).
CREATE OR REPLACE VIEW skills AS
SELECT
    revision.workspace_id, revision.skill_id, revision.id AS revision_id, revision.project_id, revision.author,
    revision.name, revision.title, revision.version, revision.scope, revision.state, revision."trigger",
    revision.lines, revision.body, revision.drafter, revision.reason, revision.occurred_at,
    coalesce(judged.held, 0) AS held,
    coalesce(judged.recurred, 0) AS recurred,
    revision.applies, revision.relations, revision.backtest,
    json_array_length(revision.moments) AS moments,
    tested.passed
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
) AS judged USING (workspace_id, skill_id)
LEFT JOIN (
    SELECT workspace_id, skill_id, "version", arg_max_null(passed, seq) AS passed
    FROM skill_check
    WHERE kind = 'moments'
    GROUP BY workspace_id, skill_id, "version"
) AS tested USING (workspace_id, skill_id, "version");

-- Every run of a skill's tests. kind: moments (offline, with the matcher named), replay (with a model, when a person asks).
-- figures: of moments counts and ids, no words; of a replay also what was done. Pruned with what the skill rested on.
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
