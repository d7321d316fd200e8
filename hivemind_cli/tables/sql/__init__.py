"""SQL as people write it, made safe and made for one engine and one branch.

dialect.py    PostgreSQL's SQL with nearness operators; a tree as an engine's SQL
params.py     `$1`, `:name`, `%s` -> $1 .. $n; values as engines take them
statement.py  text -> Statement: one, of a known kind, made of allowed parts
safety.py     the allowed parts
rewrite.py    SELECT -> Reading: tables are what the branch sees, names are resolved, scoring calls have one spelling
names.py      which WITH a name means; what PostgreSQL calls a column
scores.py     that one spelling
engines.py    what the two engines say differently
ddl.py        CREATE TABLE, DROP TABLE, ALTER TABLE ADD COLUMN
writes.py     INSERT, UPDATE, DELETE, RETURNING
constants.py  values that need no engine to be known
changes.py    rows set to something else, or deleted
conflicts.py  ON CONFLICT

Importing it costs 100 ms (sqlglot): import it where a statement is run, not before.
"""

from hivemind_cli.tables.sql.dialect import render
from hivemind_cli.tables.sql.rewrite import Reading, bind, reading
from hivemind_cli.tables.sql.statement import Kind, Statement, parse

__all__ = ["Kind", "Reading", "Statement", "bind", "parse", "reading", "render"]
