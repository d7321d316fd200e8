"""Full text by tantivy, which only this folder knows: folder.py keeps an index on disk, the others fill and ask it."""

from hivemind_cli.index.tantivy.skills import TantivyIndex

__all__ = ["TantivyIndex"]
