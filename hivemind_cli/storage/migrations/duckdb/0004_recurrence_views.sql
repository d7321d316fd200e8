-- What a dashboard shows: how often people put agents right, over time, by kind, project and host; what comes back;
-- which errors had which fix. Days and weeks (from Monday) are UTC. Rates are NULL where there is nothing to divide by.
-- A tool retry is no correction by a person: it is counted apart, here and in every column named `corrections`.

-- Corrections that count by now, one a row: what a person or a model said of the turn is heeded as
-- pipeline/judged.py says, and a candidate below its CORRECTION_MIN, 0.25, is left out.
CREATE VIEW counted_corrections AS
WITH judged AS (
    SELECT
        correction.workspace_id,
        correction.id,
        last(judgement.said ORDER BY judgement.occurred_at, judgement.seq) FILTER (judgement."by" = 'person') AS person,
        last(judgement.said ORDER BY judgement.occurred_at, judgement.seq) FILTER (judgement."by" <> 'person') AS model
    FROM correction
    JOIN judgement
        ON judgement.workspace_id = correction.workspace_id
        AND judgement.event_id = correction.reaction_event_id
        AND (judgement.correction_id = correction.id OR trim(correction.quote) <> '')
    GROUP BY correction.workspace_id, correction.id
),
verdicts AS (
    SELECT
        workspace_id,
        id,
        coalesce(nullif(person, 'unknown'), nullif(model, 'unknown')) AS said,
        CASE WHEN nullif(person, 'unknown') IS NULL THEN 0.9 ELSE 1.0 END AS yes
    FROM judged
),
names AS (
    SELECT workspace_id, project_id, arg_max("name", seq) AS project FROM project GROUP BY workspace_id, project_id
),
counted AS (
    SELECT
        correction.*,
        coalesce(names.project, '') AS project,
        CAST(correction.occurred_at AS DATE) AS "day",
        CAST(date_trunc('week', correction.occurred_at) AS DATE) AS week,
        CASE
            WHEN verdicts.said IS NULL THEN correction.confidence
            WHEN verdicts.said IN ('correction', 'rejection_interrupt') THEN greatest(correction.confidence, verdicts.yes)
            ELSE 0.0
        END AS sure
    FROM correction
    LEFT JOIN verdicts USING (workspace_id, id)
    LEFT JOIN names USING (workspace_id, project_id)
)
SELECT
    workspace_id, id, occurred_at, "day", week, project_id, project, host, session_id, author, kind,
    kind = 'tool_retry' AS retry, sure AS confidence, durable, quote, task, act, "before", "after", cause,
    recurrence_key, "language", reaction_event_id
FROM counted
WHERE sure >= 0.25;

-- One row a day, project and host with any activity; the week's columns look back over the seven days up to the day.
-- trend: this week's corrections per 100 prompts against the week before's: rising, falling, steady; quiet: none now.
CREATE VIEW activity_daily AS
WITH names AS (
    SELECT workspace_id, project_id, arg_max("name", seq) AS project FROM project GROUP BY workspace_id, project_id
),
active AS (
    SELECT
        workspace_id,
        CAST(occurred_at AS DATE) AS "day",
        project_id,
        host,
        count(DISTINCT session_id) AS sessions,
        count(*) FILTER (kind = 'prompt') AS prompts
    FROM event
    GROUP BY ALL
),
corrected AS (
    SELECT
        workspace_id, "day", project_id, host,
        count(*) FILTER (NOT retry) AS corrections,
        count(*) FILTER (retry) AS retries,
        count(DISTINCT session_id) FILTER (NOT retry) AS corrected_sessions
    FROM counted_corrections
    GROUP BY ALL
),
days AS (
    SELECT
        workspace_id, "day", project_id, host,
        coalesce(sessions, 0) AS sessions,
        coalesce(prompts, 0) AS prompts,
        coalesce(corrections, 0) AS corrections,
        coalesce(corrected_sessions, 0) AS corrected_sessions,
        coalesce(retries, 0) AS retries
    FROM active
    FULL JOIN corrected USING (workspace_id, "day", project_id, host)
),
weeks AS (
    SELECT
        *,
        CAST(sum(prompts) OVER this_week AS BIGINT) AS week_prompts,
        CAST(sum(corrections) OVER this_week AS BIGINT) AS week_corrections,
        CAST(coalesce(sum(prompts) OVER week_before, 0) AS BIGINT) AS week_before_prompts,
        CAST(coalesce(sum(corrections) OVER week_before, 0) AS BIGINT) AS week_before_corrections
    FROM days
    WINDOW
        this_week AS (
            PARTITION BY workspace_id, project_id, host ORDER BY "day"
            RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW
        ),
        week_before AS (
            PARTITION BY workspace_id, project_id, host ORDER BY "day"
            RANGE BETWEEN INTERVAL 13 DAYS PRECEDING AND INTERVAL 7 DAYS PRECEDING
        )
)
SELECT
    workspace_id, "day", project_id, coalesce(project, '') AS project, host, sessions, prompts, corrections,
    corrected_sessions, retries,
    corrections / nullif(sessions, 0) AS per_session,
    100.0 * corrections / nullif(prompts, 0) AS per_100_prompts,
    week_prompts, week_corrections,
    100.0 * week_corrections / nullif(week_prompts, 0) AS week_per_100_prompts,
    100.0 * week_before_corrections / nullif(week_before_prompts, 0) AS week_before_per_100_prompts,
    CASE
        WHEN week_corrections = 0 THEN 'quiet'
        WHEN week_before_prompts = 0 OR week_prompts = 0 THEN NULL
        WHEN week_corrections * week_before_prompts > week_before_corrections * week_prompts THEN 'rising'
        WHEN week_corrections * week_before_prompts < week_before_corrections * week_prompts THEN 'falling'
        ELSE 'steady'
    END AS trend
FROM weeks
LEFT JOIN names USING (workspace_id, project_id);

-- One row a day, project, host and kind; sessions, prompts and trend are those of the day, project and host.
CREATE VIEW corrections_daily AS
SELECT
    workspace_id, "day", project_id, activity.project, host, kind,
    count(*) AS corrections,
    count(DISTINCT session_id) AS corrected_sessions,
    any_value(activity.sessions) AS sessions,
    any_value(activity.prompts) AS prompts,
    count(*) / nullif(any_value(activity.sessions), 0) AS per_session,
    100.0 * count(*) / nullif(any_value(activity.prompts), 0) AS per_100_prompts,
    any_value(activity.trend) AS trend
FROM counted_corrections
JOIN activity_daily AS activity USING (workspace_id, "day", project_id, host)
WHERE NOT retry
GROUP BY workspace_id, "day", project_id, activity.project, host, kind;

-- One row a session.
CREATE VIEW corrections_by_session AS
SELECT
    sessions.workspace_id, sessions.host, sessions.session_id, sessions.project_id, sessions.started_at, sessions.last_at,
    CAST(date_trunc('week', sessions.started_at) AS DATE) AS week,
    sessions.prompts,
    coalesce(corrected.corrections, 0) AS corrections,
    coalesce(corrected.retries, 0) AS retries,
    100.0 * coalesce(corrected.corrections, 0) / nullif(sessions.prompts, 0) AS per_100_prompts
FROM sessions
LEFT JOIN (
    SELECT
        workspace_id, host, session_id,
        count(*) FILTER (NOT retry) AS corrections,
        count(*) FILTER (retry) AS retries
    FROM counted_corrections
    GROUP BY ALL
) AS corrected USING (workspace_id, host, session_id);

-- Corrections per session over time: one row a week in which sessions began.
CREATE VIEW corrections_weekly AS
SELECT
    *,
    per_session - lag(per_session) OVER (PARTITION BY workspace_id ORDER BY week) AS per_session_change
FROM (
    SELECT
        workspace_id, week,
        count(*) AS sessions,
        CAST(sum(prompts) AS BIGINT) AS prompts,
        CAST(sum(corrections) AS BIGINT) AS corrections,
        count(*) FILTER (corrections > 0) AS corrected_sessions,
        sum(corrections) / count(*) AS per_session,
        100.0 * sum(corrections) / nullif(sum(prompts), 0) AS per_100_prompts
    FROM corrections_by_session
    GROUP BY workspace_id, week
);

CREATE VIEW corrections_by_kind AS
SELECT
    workspace_id, kind,
    count(*) AS corrections,
    count(DISTINCT (host, session_id)) AS corrected_sessions,
    min(occurred_at) AS first_at,
    max(occurred_at) AS last_at,
    count(*) / sum(count(*)) OVER (PARTITION BY workspace_id) AS share
FROM counted_corrections
WHERE NOT retry
GROUP BY workspace_id, kind;

CREATE VIEW corrections_by_project AS
SELECT
    workspace_id, project_id, any_value(activity.project) AS project,
    any_value(worked.sessions) AS sessions,
    CAST(sum(activity.prompts) AS BIGINT) AS prompts,
    CAST(sum(activity.corrections) AS BIGINT) AS corrections,
    sum(activity.corrections) / nullif(any_value(worked.sessions), 0) AS per_session,
    100.0 * sum(activity.corrections) / nullif(sum(activity.prompts), 0) AS per_100_prompts
FROM activity_daily AS activity
JOIN (
    SELECT workspace_id, project_id, count(DISTINCT (host, session_id)) AS sessions FROM event GROUP BY ALL
) AS worked USING (workspace_id, project_id)
GROUP BY workspace_id, project_id;

CREATE VIEW corrections_by_host AS
SELECT
    workspace_id, host,
    any_value(worked.sessions) AS sessions,
    CAST(sum(activity.prompts) AS BIGINT) AS prompts,
    CAST(sum(activity.corrections) AS BIGINT) AS corrections,
    sum(activity.corrections) / nullif(any_value(worked.sessions), 0) AS per_session,
    100.0 * sum(activity.corrections) / nullif(sum(activity.prompts), 0) AS per_100_prompts
FROM activity_daily AS activity
JOIN (
    SELECT workspace_id, host, count(DISTINCT session_id) AS sessions FROM event GROUP BY ALL
) AS worked USING (workspace_id, host)
GROUP BY workspace_id, host;

-- One row a mistake that was put right in two turns or more, at least once surely (SHOWN_MIN, 0.4);
-- whether a skill carries it, and what came after.
CREATE VIEW recurring_corrections AS
WITH carriers AS (
    SELECT
        workspace_id, skill_id, "version", state, "name", occurred_at, seq,
        unnest(list_distinct(flatten(list_transform(
            from_json(lines, '[{"correction_ids": ["VARCHAR"]}]'), lambda line: line.correction_ids
        )))) AS correction_id
    FROM skill_revision
),
carried AS (
    SELECT
        counted.workspace_id,
        counted.recurrence_key,
        arg_max(carriers.skill_id, carriers.seq) AS skill_id,
        min(carriers.occurred_at) FILTER (carriers.state = 'live') AS live_since
    FROM counted_corrections AS counted
    JOIN carriers ON carriers.workspace_id = counted.workspace_id AND carriers.correction_id = counted.id
    GROUP BY counted.workspace_id, counted.recurrence_key
)
SELECT
    counted.workspace_id,
    counted.recurrence_key,
    count(DISTINCT coalesce(nullif(counted.reaction_event_id, ''), counted.id)) AS times,
    count(DISTINCT (counted.host, counted.session_id)) AS sessions,
    min(counted.occurred_at) AS since,
    max(counted.occurred_at) AS last_at,
    list_sort(list(DISTINCT coalesce(nullif(counted.project, ''), counted.project_id))) AS projects,
    list_sort(list(DISTINCT counted.host)) AS hosts,
    arg_max(counted.quote, counted.occurred_at) FILTER (counted.quote <> '') AS quote,
    any_value(skills."name") AS skill,
    any_value(skills.state) AS skill_state,
    any_value(carried.live_since) AS live_since,
    count(DISTINCT coalesce(nullif(counted.reaction_event_id, ''), counted.id))
        FILTER (counted.occurred_at > carried.live_since) AS after_live
FROM counted_corrections AS counted
LEFT JOIN carried
    ON carried.workspace_id = counted.workspace_id AND carried.recurrence_key = counted.recurrence_key
LEFT JOIN skills ON skills.workspace_id = carried.workspace_id AND skills.skill_id = carried.skill_id
WHERE NOT counted.retry AND counted.recurrence_key <> ''
GROUP BY counted.workspace_id, counted.recurrence_key
HAVING times >= 2 AND max(counted.confidence) >= 0.4;

-- One row an error and the call that then worked: the newest of those with one command head and error class.
CREATE VIEW error_fixes AS
SELECT
    workspace_id,
    recurrence_key,
    count(*) AS times,
    count(DISTINCT (host, session_id)) AS sessions,
    min(occurred_at) AS since,
    max(occurred_at) AS last_at,
    list_sort(list(DISTINCT coalesce(nullif(project, ''), project_id))) AS projects,
    arg_max(act ->> 'command', occurred_at) AS failed,
    arg_max("before", occurred_at) AS error,
    arg_max("after", occurred_at) AS fix
FROM counted_corrections
WHERE retry
GROUP BY workspace_id, recurrence_key;
