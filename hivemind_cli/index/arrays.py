"""Arrays in a file of their own, written once: read whole to be checked, then mapped."""

import json
import mmap
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hivemind_cli.core.paths import FILE_MODE

_ALIGN = 64
_CHUNK = 1 << 20
_WRITING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class Damaged(Exception):
    """What stands in a file is not what was written."""


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> int:
    """Write aside, then rename; the CRC-32 of the file. OSError."""
    head = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    line = json.dumps(head).encode()
    line += b" " * (-(len(line) + 1) % _ALIGN) + b"\n"
    aside = path.with_name(f"{path.name}.new")
    crc = zlib.crc32(line)
    with os.fdopen(os.open(aside, _WRITING, FILE_MODE), "wb") as file:
        file.write(line)
        for array in arrays.values():
            data = as_bytes(array)
            for piece in (data, bytes(-len(data) % _ALIGN)):
                file.write(piece)
                crc = zlib.crc32(piece, crc)
    aside.rename(path)
    return crc


def load(path: Path, crc: int) -> dict[str, NDArray[Any]]:
    """The arrays, mapped: what is looked at is read, and the system may let go of it. OSError, Damaged."""
    with path.open("rb") as file:
        if _crc_of(file.fileno()) != crc:
            raise Damaged(path.name)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    head = mapped[: mapped.find(b"\n") + 1]
    at, arrays = len(head), {}
    for name, (dtype, shape) in json.loads(head).items():
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(mapped, np.dtype(dtype), count, at).reshape(shape)
        size = count * np.dtype(dtype).itemsize
        at += size + -size % _ALIGN
    return arrays


def save_manifest(folder: Path, said: Mapping[str, Any]) -> None:
    """What in the folder counts. OSError."""
    aside = folder / "manifest.new"
    with os.fdopen(os.open(aside, _WRITING, FILE_MODE), "w", encoding="utf-8") as file:
        json.dump({**said, "crc": _crc_of_manifest(said)}, file)
    aside.rename(folder / "manifest.json")


def load_manifest(folder: Path) -> dict[str, Any] | None:
    """None: there is none. OSError, Damaged."""
    try:
        said = json.loads((folder / "manifest.json").read_bytes())
        crc = said.pop("crc")
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, AttributeError) as exc:
        raise Damaged("manifest.json") from exc
    if crc != _crc_of_manifest(said):
        raise Damaged("manifest.json")
    return dict(said)


def as_bytes(array: NDArray[Any]) -> memoryview:
    """What an array holds, without a copy where that is possible."""
    return memoryview(np.ascontiguousarray(array).reshape(-1).view(np.uint8))  # type: ignore[arg-type]


def _crc_of(fd: int) -> int:
    crc = 0
    while data := os.read(fd, _CHUNK):
        crc = zlib.crc32(data, crc)
    return crc


def _crc_of_manifest(said: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())
