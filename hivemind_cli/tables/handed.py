"""A big batch of rows on its way to the daemon: a file in hivemind's home, written by who asks, gone once it is read.

8 bytes      length of the header, little-endian
header       JSON: {"columns": {name: column}, "blobs": [[offset, length]]}; a column names its blob by number
blobs        float arrays as they lie in memory, little-endian
"""

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hivemind_cli.core.errors import StoreError, WrongValue
from hivemind_cli.core.paths import FILE_MODE, FOLDER_MODE

SUFFIX = ".rows"
KEPT_S = 3600
"""So long a file may wait: who wrote it asks at once, or has died."""
_LENGTH_BYTES = 8
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def write(folder: Path, columns: Any, blobs: Sequence[bytes]) -> str:
    """Its name in `folder`, which is made. StoreError: it cannot be written."""
    places, offset = [], 0
    for blob in blobs:
        places.append([offset, len(blob)])
        offset += len(blob)
    header = json.dumps({"columns": columns, "blobs": places}, separators=(",", ":")).encode("ascii")
    name = f"{time.time_ns()}-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
    path = folder / name
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, _NEW, FILE_MODE), "wb") as file:
            file.write(len(header).to_bytes(_LENGTH_BYTES, "little"))
            file.write(header)
            file.writelines(blobs)
    except OSError as exc:
        path.unlink(missing_ok=True)
        raise StoreError(
            "The rows could not be handed to the daemon.", why=f"{path}: {exc}.", fix="Is there room on the disk?"
        ) from exc
    return name


def take(folder: Path, name: str) -> tuple[dict[str, Any], Callable[[Any], bytes | memoryview]]:
    """The columns, and what gives a blob by its number; the file is gone. WrongValue: it is missing or broken."""
    if not re.fullmatch(r"[0-9a-f-]+" + re.escape(SUFFIX), name):
        raise WrongValue("The request names no file of rows.")
    path = folder / name
    try:
        data = path.read_bytes()
        path.unlink()
    except OSError as exc:
        raise WrongValue(
            "The rows that were handed over are not there.", why=f"{exc}.", fix="Send them again."
        ) from exc
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    header = json.loads(data[_LENGTH_BYTES:start])
    view = memoryview(data)

    def blob(number: Any) -> memoryview:
        offset, length = header["blobs"][int(number)]
        return view[start + offset : start + offset + length]

    return header["columns"], blob


def sweep(folder: Path, now_s: float | None = None) -> int:
    """Delete what nobody came for; how many."""
    swept = 0
    now_s = time.time() if now_s is None else now_s
    for path in folder.glob(f"*{SUFFIX}") if folder.is_dir() else ():
        try:
            if now_s - path.stat().st_mtime > KEPT_S:
                path.unlink()
                swept += 1
        except OSError:
            continue  # taken meanwhile
    return swept
