"""Agent hosts: one file each, all in this dict, so that the type checker compares them with the protocol."""
