-- What hivemind_cli/tables keeps of the agents' own tables. In the schema `hivemind`.
CREATE SEQUENCE hm_numbers START 1;

CREATE TABLE hm_tables (
    workspace TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL,
    definition TEXT NOT NULL, -- JSON: columns, key, own
    PRIMARY KEY (workspace, name)
);

CREATE TABLE hm_branches (
    workspace TEXT NOT NULL,
    name TEXT NOT NULL,
    number BIGINT NOT NULL PRIMARY KEY,
    parent BIGINT NOT NULL, -- 0: main
    fork_seq BIGINT NOT NULL, -- what the parent had up to this number is seen
    created_at TIMESTAMP NOT NULL,
    deleted BOOLEAN NOT NULL
);
CREATE INDEX ON hm_branches (workspace, name);

CREATE TABLE hm_merges (
    workspace TEXT NOT NULL,
    source BIGINT NOT NULL, -- branch
    target BIGINT NOT NULL,
    seq BIGINT NOT NULL, -- both were alike then, as far as the merge decided
    PRIMARY KEY (workspace, source, target, seq)
);
