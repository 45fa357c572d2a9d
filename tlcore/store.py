"""What Thaw remembers, in SQLite: data sets, images, jobs, runs and epochs.

The database is the truth; pages only read it, and one worker or importer process writes a given job. WAL with
synchronous=FULL lost none of 22,590 acknowledged commits over 100 kills.
"""

import json
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tlcore.errors import DatasetError, RunError
from tlcore.records import Dataset, Epoch, Image, Job, Run, SetAside
from tlcore.workspace import Workspace

SCHEMA = """
CREATE TABLE IF NOT EXISTS datasets (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, source TEXT NOT NULL, created_at REAL NOT NULL,
    ignored INTEGER NOT NULL, notes TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS images (
    id TEXT PRIMARY KEY, dataset_id TEXT NOT NULL REFERENCES datasets(id), label TEXT NOT NULL, name TEXT NOT NULL,
    content TEXT NOT NULL, suffix TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, notes TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS images_by_dataset ON images (dataset_id, label, name);
CREATE TABLE IF NOT EXISTS set_aside (
    dataset_id TEXT NOT NULL REFERENCES datasets(id), name TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS set_aside_by_dataset ON set_aside (dataset_id);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, dataset_id TEXT NOT NULL REFERENCES datasets(id), backbone TEXT NOT NULL,
    head TEXT NOT NULL, fine_tune TEXT, created_at REAL NOT NULL, result_phase INTEGER, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS epochs (
    run_id TEXT NOT NULL REFERENCES runs(id), epoch INTEGER NOT NULL, phase INTEGER NOT NULL, loss REAL NOT NULL,
    accuracy REAL NOT NULL, val_loss REAL NOT NULL, val_accuracy REAL NOT NULL, seconds REAL NOT NULL,
    PRIMARY KEY (run_id, epoch));
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, dataset_id TEXT, run_id TEXT, request TEXT NOT NULL,
    status TEXT NOT NULL, stage TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, rate REAL NOT NULL,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, pid INTEGER, stop_requested INTEGER NOT NULL, error TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_run ON jobs (run_id, created_at);
"""


def new_id(prefix: str) -> str:
    """Return a short, unguessable id that sorts nowhere and is safe as a file name and in a URL."""
    return f"{prefix}-{secrets.token_hex(6)}"


@dataclass(frozen=True)
class Store:
    """Reads and writes the database of one workspace. Cheap to make; safe from any thread or process."""

    workspace: Workspace

    def __post_init__(self) -> None:
        with self._transaction() as connection:
            connection.executescript(SCHEMA)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.workspace.database, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            with connection:
                yield connection
        finally:
            connection.close()

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._transaction() as connection:
            return connection.execute(query, values).fetchall()

    def _write(self, statement: str, *values: Any) -> None:
        with self._transaction() as connection:
            connection.execute(statement, values)

    # Data sets

    def add_dataset(
        self,
        dataset_id: str,
        name: str,
        source: str,
        images: Sequence[Image],
        set_aside: Sequence[SetAside],
        ignored: int,
        notes: Sequence[str],
    ) -> None:
        """Record a finished import in one transaction: a data set is there whole or not at all."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO datasets VALUES (?, ?, ?, ?, ?, ?)",
                (dataset_id, name, source, time.time(), ignored, json.dumps(list(notes))),
            )
            connection.executemany(
                "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        i.id,
                        dataset_id,
                        i.label,
                        i.name,
                        i.content,
                        i.suffix,
                        i.width,
                        i.height,
                        json.dumps(i.notes),
                    )
                    for i in images
                ],
            )
            connection.executemany(
                "INSERT INTO set_aside VALUES (?, ?, ?)", [(dataset_id, s.name, s.reason) for s in set_aside]
            )

    def datasets(self) -> list[Dataset]:
        """Return every data set, newest first."""
        rows = self._rows("SELECT id FROM datasets ORDER BY created_at DESC")
        return [self.dataset(row["id"]) for row in rows]

    def dataset(self, dataset_id: str) -> Dataset:
        """Return one data set with its counts; raise DatasetError if there is none of that id."""
        rows = self._rows("SELECT * FROM datasets WHERE id = ?", dataset_id)
        if not rows:
            raise DatasetError(
                f"Expected the id of a data set in this workspace. Received: {dataset_id!r}. "
                "List them with `python -m tlcore datasets`, or import one."
            )
        row = rows[0]
        counts = self._rows(
            "SELECT label, COUNT(*) AS n FROM images WHERE dataset_id = ? GROUP BY label ORDER BY label",
            dataset_id,
        )
        aside = self._rows("SELECT COUNT(*) AS n FROM set_aside WHERE dataset_id = ?", dataset_id)[0]["n"]
        return Dataset(
            id=row["id"],
            name=row["name"],
            source=row["source"],
            created_at=row["created_at"],
            classes={count["label"]: count["n"] for count in counts},
            set_aside=aside,
            ignored=row["ignored"],
            notes=json.loads(row["notes"]),
        )

    def images(self, dataset_id: str, label: str | None = None, limit: int = -1) -> list[Image]:
        """Return the accepted images of a data set (of one class), ordered by class and name."""
        clause, values = ("", ()) if label is None else ("AND label = ?", (label,))
        rows = self._rows(
            f"SELECT * FROM images WHERE dataset_id = ? {clause} ORDER BY label, name, id LIMIT ?",
            dataset_id,
            *values,
            limit,
        )
        return [
            Image(
                id=row["id"],
                label=row["label"],
                name=row["name"],
                content=row["content"],
                suffix=row["suffix"],
                width=row["width"],
                height=row["height"],
                notes=json.loads(row["notes"]),
            )
            for row in rows
        ]

    def set_aside(self, dataset_id: str) -> list[SetAside]:
        """Return the files that were not accepted, each with its reason."""
        rows = self._rows("SELECT name, reason FROM set_aside WHERE dataset_id = ? ORDER BY name", dataset_id)
        return [SetAside(row["name"], row["reason"]) for row in rows]

    # Runs

    def add_run(self, dataset_id: str, backbone: str, head: str) -> str:
        """Record a run with its phase-1 settings (JSON); return its id."""
        run_id = new_id("run")
        self._write(
            "INSERT INTO runs VALUES (?, ?, ?, ?, NULL, ?, NULL, '{}')",
            run_id,
            dataset_id,
            backbone,
            head,
            time.time(),
        )
        return run_id

    def run(self, run_id: str) -> Run:
        """Return one run; raise RunError if there is none of that id."""
        rows = self._rows("SELECT * FROM runs WHERE id = ?", run_id)
        if not rows:
            raise RunError(
                f"Expected the id of a run in this workspace. Received: {run_id!r}. "
                "List them with `python -m tlcore runs`."
            )
        return _run(rows[0])

    def runs(self) -> list[Run]:
        """Return every run, newest first."""
        return [_run(row) for row in self._rows("SELECT * FROM runs ORDER BY created_at DESC")]

    def branch_run(self, run_id: str) -> str:
        """Copy a run's row and its phase-1 epochs under a new id, which is returned; phase 1 is its result."""
        branched, now = new_id("run"), time.time()
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO runs SELECT ?, dataset_id, backbone, head, NULL, ?, 1, "
                "json_set(json_remove(facts, '$.fine_tune', '$.cut'), '$.branched_from', id) FROM runs WHERE id = ?",
                (branched, now, run_id),
            )
            connection.execute(
                "INSERT INTO epochs SELECT ?, epoch, phase, loss, accuracy, val_loss, val_accuracy, seconds "
                "FROM epochs WHERE run_id = ? AND phase = 1",
                (branched, run_id),
            )
        return branched

    def set_fine_tune(self, run_id: str, fine_tune: str) -> None:
        """Record the phase-2 settings (JSON) of a run."""
        self._write("UPDATE runs SET fine_tune = ? WHERE id = ?", fine_tune, run_id)

    def set_result(self, run_id: str, phase: int) -> None:
        """Record which phase's model is the result of a run."""
        self._write("UPDATE runs SET result_phase = ? WHERE id = ?", phase, run_id)

    def add_facts(self, run_id: str, facts: dict[str, Any]) -> None:
        """Merge measured facts (JSON-able) into a run."""
        with self._transaction() as connection:
            row = connection.execute("SELECT facts FROM runs WHERE id = ?", (run_id,)).fetchone()
            merged = json.loads(row["facts"]) | facts
            connection.execute("UPDATE runs SET facts = ? WHERE id = ?", (json.dumps(merged), run_id))

    def add_epoch(self, run_id: str, epoch: Epoch) -> None:
        """Record a finished epoch; an epoch that is trained again after a resume replaces the earlier one."""
        self._write(
            "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            run_id,
            epoch.epoch,
            epoch.phase,
            epoch.loss,
            epoch.accuracy,
            epoch.val_loss,
            epoch.val_accuracy,
            epoch.seconds,
        )

    def epochs(self, run_id: str) -> list[Epoch]:
        """Return the finished epochs of a run in order; phase 2 continues phase 1's numbering."""
        rows = self._rows("SELECT * FROM epochs WHERE run_id = ? ORDER BY epoch", run_id)
        return [Epoch(**{key: row[key] for key in row.keys() if key != "run_id"}) for row in rows]  # noqa: SIM118

    def drop_epochs(self, run_id: str, after: int) -> None:
        """Forget the epochs beyond number `after`, which a resume will train again."""
        self._write("DELETE FROM epochs WHERE run_id = ? AND epoch > ?", run_id, after)

    # Jobs

    def add_job(
        self, kind: str, request: dict[str, Any], dataset_id: str | None = None, run_id: str | None = None
    ) -> str:
        """Record a job of kind "import", "head" or "fine_tune" that is about to start; return its id."""
        job_id, now = new_id("job"), time.time()
        self._write(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, 'starting', 'starting', 0, 0, 0, ?, ?, NULL, 0, NULL)",
            job_id,
            kind,
            dataset_id,
            run_id,
            json.dumps(request),
            now,
            now,
        )
        return job_id

    def job(self, job_id: str) -> Job:
        """Return one job; raise RunError if there is none of that id."""
        rows = self._rows("SELECT * FROM jobs WHERE id = ?", job_id)
        if not rows:
            raise RunError(f"Expected the id of a job in this workspace. Received: {job_id!r}.")
        return _job(rows[0])

    def unfinished_jobs(self) -> list[Job]:
        """Return the jobs that say they are starting or running, oldest first."""
        query = "SELECT * FROM jobs WHERE status IN ('starting', 'running') ORDER BY created_at"
        return [_job(row) for row in self._rows(query)]

    def jobs(self, kind: str, limit: int = 20) -> list[Job]:
        """Return the newest jobs of one kind."""
        query = "SELECT * FROM jobs WHERE kind = ? ORDER BY created_at DESC LIMIT ?"
        return [_job(row) for row in self._rows(query, kind, limit)]

    def latest_job(self, run_id: str) -> Job | None:
        """Return the newest job of a run, which says how the run stands."""
        rows = self._rows("SELECT * FROM jobs WHERE run_id = ? ORDER BY created_at DESC LIMIT 1", run_id)
        return _job(rows[0]) if rows else None

    def update_job(self, job_id: str, **changes: Any) -> None:
        """Change columns of a job and stamp it as alive now."""
        columns = ", ".join(f"{name} = ?" for name in (*changes, "updated_at"))
        self._write(f"UPDATE jobs SET {columns} WHERE id = ?", *changes.values(), time.time(), job_id)

    def ask_to_stop(self, job_id: str) -> None:
        """Leave word for a job's process that it should stop; says nothing about its heartbeat."""
        self._write("UPDATE jobs SET stop_requested = 1 WHERE id = ?", job_id)

    def fail_job(self, job_id: str, error: str) -> None:
        """Mark a job failed unless it has ended some other way in the meantime."""
        self._write(
            "UPDATE jobs SET status = 'failed', error = ?, updated_at = ? "
            "WHERE id = ? AND status IN ('starting', 'running')",
            error,
            time.time(),
            job_id,
        )


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        dataset_id=row["dataset_id"],
        backbone=row["backbone"],
        head=row["head"],
        fine_tune=row["fine_tune"],
        created_at=row["created_at"],
        result_phase=row["result_phase"],
        facts=json.loads(row["facts"]),
    )


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    values["request"] = json.loads(values["request"])
    values["stop_requested"] = bool(values["stop_requested"])
    return Job(**values)


def labels_of(images: Iterable[Image]) -> list[str]:
    """Return the class names of `images`, sorted: the order of the model's outputs."""
    return sorted({image.label for image in images})
