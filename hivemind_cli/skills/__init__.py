"""The SKILL.md format, and the files on disk."""
