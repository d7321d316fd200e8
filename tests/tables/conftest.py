"""Each engine in turn, for what stands on the Tables port."""

from tests.tables_engines import duckdb_engine, engine, postgres_engine

__all__ = ["duckdb_engine", "engine", "postgres_engine"]
