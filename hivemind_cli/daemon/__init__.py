"""The one process that owns the database: supervisor, socket, work loop."""
