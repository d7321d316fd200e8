"""Each engine of the Tables port in turn."""

from tests.tables_engines import duckdb_engine, engine, postgres_engine

__all__ = ["duckdb_engine", "engine", "postgres_engine"]
