"""The record of a run in its own folder: its row, its epochs and its latest job, so that it can be listed again.

It is written anew with every change, before the database commits that. `saves` counts, on both sides: a record that was
written more often than the row knows has what the database has lost.
"""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

from thaw.storage.database import put_rows
from thaw.storage.workspace import Workspace
from tlcore.files import write_atomically

Record = dict[str, Any]
# How a record begins, so that a look at its first bytes is enough.
SAVES = re.compile(rb'\{"saves": (\d+),')
HEAD_BYTES = 64


def save_record(connection: sqlite3.Connection, workspace: Workspace, run_id: str) -> None:
    """Write down how a run stands within this transaction; nothing for a run that is not there."""
    connection.execute("UPDATE runs SET saves = saves + 1 WHERE id = ?", (run_id,))
    run = connection.execute("SELECT rowid AS number, * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if run is None:
        return
    epochs = connection.execute("SELECT * FROM epochs WHERE run_id = ? ORDER BY epoch", (run_id,)).fetchall()
    job = connection.execute("SELECT * FROM jobs WHERE run_id = ? ORDER BY rowid DESC LIMIT 1", (run_id,)).fetchone()
    record = {
        "saves": run["saves"],
        "run": dict(run),
        "epochs": [dict(epoch) for epoch in epochs],
        "job": job and dict(job),
    }
    write_atomically(workspace.record(run_id), json.dumps(record).encode())


def catch_up(connection: sqlite3.Connection, workspace: Workspace, run_id: str) -> bool:
    """Make up for what the record of a run has and its rows have not; say whether there was anything."""
    record = read_record(workspace.record(run_id))
    row = connection.execute("SELECT saves FROM runs WHERE id = ?", (run_id,)).fetchone()
    if record is None or row is None or record["saves"] <= row["saves"]:
        return False
    restore(connection, record)
    return True


def read_record(path: Path) -> Record | None:
    """Return a record, or None where there is none that can be read."""
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    fits = isinstance(record, dict) and isinstance(record.get("run"), dict) and isinstance(record.get("epochs"), list)
    return record if fits and isinstance(record.get("saves"), int) else None


def restore(connection: sqlite3.Connection, record: Record) -> None:
    """Make the rows of a run what its record says. Raises KeyError, TypeError or sqlite3.Error for one that makes no
    sense, or whose data set is not there."""
    run_id = record["run"]["id"]
    _put(connection, "runs", record["run"], "id")
    connection.execute("DELETE FROM epochs WHERE run_id = ?", (run_id,))
    for epoch in record["epochs"]:
        _put(connection, "epochs", epoch | {"run_id": run_id}, "run_id, epoch")
    if record.get("job") is not None:
        _put(connection, "jobs", record["job"] | {"run_id": run_id}, "id")


def _put(connection: sqlite3.Connection, table: str, row: dict[str, Any], key: str) -> None:
    put_rows(connection, table, {"columns": list(row), "rows": [list(row.values())]}, key)
