"""OpenClaw: a plugin of ours inside its gateway."""
