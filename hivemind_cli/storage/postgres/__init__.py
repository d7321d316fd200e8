"""PostgreSQL with pgvector, for agents' tables that several machines share. The only folder that imports psycopg."""

from hivemind_cli.storage.postgres.tables import PostgresTables

__all__ = ["PostgresTables"]
