"""Full-text indexes: derived from the store, rebuilt at will."""
