"""Numbers of the agents' tables after a process that died: none is given twice."""

import subprocess
import sys
from pathlib import Path

from hivemind_cli.storage.duckdb import DuckDBStore

DIES = """
import os, sys
from pathlib import Path
from hivemind_cli.storage.duckdb import DuckDBStore
tables = DuckDBStore(Path(sys.argv[1])).tables()
said = []
def undone(tx):
    said.append(tx.numbers(3))
    raise KeyError
for turn in range(int(sys.argv[2])):
    said.append(tables.write(lambda tx: tx.numbers(2)) + 1)
    if turn % 2:
        said.append(tables.write(lambda tx: tx.run(f"SELECT {tables.next_number}"))[0][0])
    try:
        tables.write(undone)
    except KeyError:
        pass
    said.append(tables.write(lambda tx: tx.numbers(1)))
assert said == sorted(said) and len(set(said)) == len(said), said
print(said[-1], flush=True)
os._exit(9)
"""


def test_what_a_killed_process_was_given_is_not_given_again(tmp_path: Path) -> None:
    path = tmp_path / "db" / "hivemind.duckdb"
    last = 0
    for turns in (1, 2):
        died = subprocess.run([sys.executable, "-c", DIES, str(path), str(turns)], capture_output=True, check=False)
        assert died.returncode == 9, died.stderr
        assert int(died.stdout) > last
        last = int(died.stdout)
    with DuckDBStore(path) as store:
        assert store.tables().write(lambda tx: tx.numbers(1)) > last
