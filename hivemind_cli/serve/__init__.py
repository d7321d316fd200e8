"""Doors for other programs: what commands tell people, over protocols. What is asked of the daemon is handed in."""
