-- What hivemind_cli/tables keeps of the agents' own tables. In a database of their own.
CREATE SEQUENCE hm_numbers START 1;

CREATE TABLE hm_tables (
    workspace VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    number BIGINT NOT NULL,
    definition VARCHAR NOT NULL -- JSON: columns, key, own
);

CREATE TABLE hm_branches (
    workspace VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    number BIGINT NOT NULL,
    parent BIGINT NOT NULL, -- 0: main
    fork_seq BIGINT NOT NULL, -- what the parent had up to this number is seen
    created_at TIMESTAMP NOT NULL,
    deleted BOOLEAN NOT NULL
);

CREATE TABLE hm_merges (
    workspace VARCHAR NOT NULL,
    source BIGINT NOT NULL, -- number of the branch that was merged, as it was at `seq`
    target BIGINT NOT NULL, -- the one it was merged into
    seq BIGINT NOT NULL
);
