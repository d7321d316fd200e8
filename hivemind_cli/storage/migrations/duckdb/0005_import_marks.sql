-- Which session files an import has read to their end.

CREATE TABLE import_mark (
    "workspace_id" VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    "id" VARCHAR NOT NULL,
    "host" VARCHAR NOT NULL,
    "session_id" VARCHAR NOT NULL,
    "occurred_at" TIMESTAMP NOT NULL,
    "path_sha256" VARCHAR NOT NULL,
    "stamp" VARCHAR NOT NULL,
    "told" VARCHAR NOT NULL
);
