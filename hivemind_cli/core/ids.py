"""ULIDs: 26 characters, sorted by time, unique without a registrar."""

import hashlib
from datetime import UTC, datetime

from ulid import ULID


def new_id(at: datetime | None = None) -> str:
    """A fresh ULID, stamped `at` (default: now)."""
    return str(ULID.from_datetime(at) if at else ULID())


def derived_id(at: datetime, *parts: str) -> str:
    """The ULID that these parts always get: doing the same work twice names the same record."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()
    milliseconds = max(int(at.astimezone(UTC).timestamp() * 1000), 0)
    return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + digest[:10]))
