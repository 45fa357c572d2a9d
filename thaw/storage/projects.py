"""The rows of a project: what of the database goes into its zip, and how it comes back in one transaction."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from thaw.storage.database import new_id
from thaw.storage.datasets import IMAGE_COLUMNS
from thaw.storage.journal.rows import JournalRows, whole
from thaw.storage.run_record import save_record

Row = dict[str, Any]
TABLES: Mapping[str, tuple[str, ...]] = {
    "datasets": ("id", "name", "source", "created_at", "ignored", "notes", "known", "version", "grey_range"),
    "images": IMAGE_COLUMNS,
    "set_aside": ("name", "reason"),
    "edits": ("number", "kind", "detail", "created_at", "undone_at"),
    "changes": ("edit", "field", "subject", "before", "after"),
    "marks": ("field", "subject", "value"),
    "checks": ("backbone", "version", "created_at", "facts"),
    "runs": ("id", "backbone", "head", "fine_tune", "created_at", "result_phase", "facts"),
    "epochs": ("epoch", "phase", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"),
}
# What the tables hold as JSON is JSON in the zip too.
JSON_COLUMNS = frozenset({"notes", "detail", "facts", "head", "fine_tune"})
OF_DATASET = ("images", "set_aside", "edits", "marks", "checks")
# Of no concern to another machine.
PRIVATE_FACTS = ("mlflow",)


class ProjectRows(JournalRows):
    """Reads and writes whole data sets and runs."""

    def dump_dataset(self, dataset_id: str) -> dict[str, Any]:
        """Return the row of a data set ("dataset") and all rows of its tables, each a list, as JSON-able values."""
        with self._transaction() as connection:
            dumped: dict[str, Any] = {
                table: _read(connection, table, "dataset_id = ? ORDER BY rowid", dataset_id) for table in OF_DATASET
            }
            dumped["changes"] = _read(
                connection,
                "changes",
                "edit IN (SELECT number FROM edits WHERE dataset_id = ?) ORDER BY rowid",
                dataset_id,
            )
            (dataset,) = _read(connection, "datasets", "id = ?", dataset_id)
        dataset["source"] = bare_source(dataset["source"])
        for edit in dumped["edits"]:
            if "source" in edit["detail"]:
                edit["detail"]["source"] = bare_source(edit["detail"]["source"])
        return {"dataset": dataset} | dumped

    def dump_run(self, run_id: str) -> dict[str, Any]:
        """Return the row of a run ("run") and those of its epochs ("epochs"), as JSON-able values."""
        with self._transaction() as connection:
            (run,) = _read(connection, "runs", "id = ?", run_id)
            epochs = _read(connection, "epochs", "run_id = ? ORDER BY epoch", run_id)
        run["facts"] = {name: fact for name, fact in run["facts"].items() if name not in PRIVATE_FACTS}
        return {"run": run, "epochs": epochs}

    def taken_ids(self, dataset_id: str, image_ids: Sequence[str], run_ids: Sequence[str]) -> bool:
        """Say whether any of these ids is in use."""
        with self._transaction() as connection:
            return any(
                connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (each,)).fetchone()
                for table, ids in (("datasets", [dataset_id]), ("images", image_ids), ("runs", run_ids))
                for each in ids
            )

    def add_project(self, dumped: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], job_id: str) -> None:
        """Record a data set and its runs in one transaction, as `dump_dataset` and `dump_run` told them, and the job
        that opened them as finished.

        Raises sqlite3.IntegrityError for an id that is in use.
        """
        dataset_id = dumped["dataset"]["id"]
        with self._recording(dataset_id) as (connection, entry):
            _add(connection, "datasets", [dumped["dataset"]])
            for table in ("images", "set_aside", "marks", "checks"):
                _add(connection, table, dumped[table], dataset_id=dataset_id)
            numbers = {edit["number"]: _add_edit(connection, edit, dataset_id) for edit in dumped["edits"]}
            _add(connection, "changes", [change | {"edit": numbers[change["edit"]]} for change in dumped["changes"]])
            for each in sorted(runs, key=lambda each: each["run"]["created_at"]):
                _add(connection, "runs", [each["run"]], dataset_id=dataset_id)
                _add(connection, "epochs", each["epochs"], run_id=each["run"]["id"])
                _add_job(connection, dataset_id, each["run"])
                save_record(connection, self.workspace, each["run"]["id"])
            connection.execute("UPDATE jobs SET status = 'finished', dataset_id = ? WHERE id = ?", (dataset_id, job_id))
            entry |= whole(connection, dataset_id)


def bare_source(source: str) -> str:
    """Return where photos came from; of a path on someone's machine only the last name."""
    return source if urlsplit(source).scheme in ("http", "https") else PurePath(source.replace("\\", "/")).name


def _read(connection: sqlite3.Connection, table: str, clause: str, value: str) -> list[Row]:
    columns = TABLES[table]
    rows = connection.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {clause}", (value,))
    return [
        {name: json.loads(row[name]) if name in JSON_COLUMNS and row[name] else row[name] for name in columns}
        for row in rows
    ]


def _add(connection: sqlite3.Connection, table: str, rows: Sequence[Row], **owner: str) -> None:
    columns = (*TABLES[table], *owner)
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        [tuple(_stored(name, (row | owner)[name]) for name in columns) for row in rows],
    )


def _add_edit(connection: sqlite3.Connection, edit: Row, dataset_id: str) -> int | None:
    """Record an edit under the next number of this workspace; return it."""
    columns = tuple(name for name in TABLES["edits"] if name != "number")
    return connection.execute(
        f"INSERT INTO edits (dataset_id, {', '.join(columns)}) VALUES (?, {', '.join('?' * len(columns))})",
        (dataset_id, *(_stored(name, edit[name]) for name in columns)),
    ).lastrowid


def _add_job(connection: sqlite3.Connection, dataset_id: str, run: Row) -> None:
    """Record the job that trained a run as ended: how its latest job stands is how a run stands."""
    now, kind = time.time(), "head" if run["fine_tune"] is None else "fine_tune"
    connection.execute(
        "INSERT INTO jobs (id, kind, dataset_id, run_id, request, status, stage, done, total, rate, created_at, "
        "updated_at, stop_requested) VALUES (?, ?, ?, ?, '{}', 'finished', 'opened', 0, 0, 0, ?, ?, 0)",
        (new_id("job"), kind, dataset_id, run["id"], now, now),
    )


def _stored(name: str, value: Any) -> Any:
    return json.dumps(value, allow_nan=False) if name in JSON_COLUMNS and value is not None else value
