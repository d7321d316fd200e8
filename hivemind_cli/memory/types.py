"""Types of columns, for `Dataset.add_column` and `ingest(types=...)`: `types.Text()`, `types.Embedding(384)` ...

Where none is given, the first values that are there fix it.
"""

import re

from hivemind_cli.core.errors import WrongValue
from hivemind_cli.storage.tables import Kind, Type

__all__ = [
    "Bool",
    "Dict",
    "Embedding",
    "Float32",
    "Float64",
    "Int32",
    "Int64",
    "Json",
    "Text",
    "Timestamp",
    "Type",
    "Vector",
    "type_of",
]

_SAID = {
    **{kind.value: kind for kind in Kind},
    **{"str": Kind.TEXT, "jsonb": Kind.JSON, "embedding": Kind.VECTOR, "integer": Kind.INT, "int32": Kind.INT},
    **{"int64": Kind.BIGINT, "float32": Kind.REAL, "float64": Kind.DOUBLE, "float": Kind.DOUBLE, "bool": Kind.BOOLEAN},
}


def Text() -> Type:
    """Text of any language and length, searchable by `bm25`."""
    return Type(Kind.TEXT)


def Json() -> Type:
    """A dict, list, text, number, true, false or null."""
    return Type(Kind.JSON)


Dict = Json


def Embedding(size: int = 0) -> Type:
    """A vector of `size` float32; 0: as many as the first one has."""
    return Type(Kind.VECTOR, size)


Vector = Embedding


def Int32() -> Type:
    """A whole number of 32 bits."""
    return Type(Kind.INT)


def Int64() -> Type:
    """A whole number of 64 bits."""
    return Type(Kind.BIGINT)


def Float32() -> Type:
    """A number of 32 bits: seven digits."""
    return Type(Kind.REAL)


def Float64() -> Type:
    """A number of 64 bits: fifteen digits."""
    return Type(Kind.DOUBLE)


def Bool() -> Type:
    """True or false."""
    return Type(Kind.BOOLEAN)


def Timestamp() -> Type:
    """A moment in UTC, to the microsecond: an aware datetime."""
    return Type(Kind.TIMESTAMP)


def type_of(said: Type | str) -> Type:
    """A type as it is, or by its name: `text`, `vector(384)`, `int64`. WrongValue: no such type."""
    if isinstance(said, Type):
        return said
    found = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*(\d+)\s*\))?\s*", said) if isinstance(said, str) else None
    kind = _SAID.get(found[1].lower()) if found else None
    if found is None or kind is None or (found[2] and kind is not Kind.VECTOR):
        raise WrongValue(f"{said!r} is no type of a column.", why=f"They are {', '.join(sorted(_SAID))}; vector(384).")
    return Type(kind, int(found[2] or 0))
