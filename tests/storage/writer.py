"""A child process for crash tests: commits batches until it is killed, and says which are acknowledged.

python writer.py DATABASE FIRST
"""

import os
import sys
from pathlib import Path

from hivemind_cli.storage.duckdb import DuckDBStore
from tests.storage.samples import event, recall

BATCH = 10


def main() -> None:
    store = DuckDBStore(Path(sys.argv[1]), memory_mb=64)
    number = int(sys.argv[2])
    while True:
        events = [event(number * BATCH + n, payload={"text": "x" * 2000}) for n in range(BATCH)]
        store.commit("capture", [*events, recall(number)], cursor_from=number, cursor_to=number + 1)
        number += 1
        os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main()
