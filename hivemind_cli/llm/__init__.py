"""LLM providers: one file per vendor, one port."""
