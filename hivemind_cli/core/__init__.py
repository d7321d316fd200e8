"""Records, errors, config, paths, clock, ids, assets, redaction: what every room may speak."""
