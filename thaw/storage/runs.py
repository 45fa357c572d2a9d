"""The rows of runs and their epochs."""

import dataclasses
import functools
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from thaw.storage import run_record
from thaw.storage.database import KEPT, Database, new_id, require_kept
from thaw.storage.facts import read_facts
from thaw.storage.records import Run
from tlcore.errors import RunError
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.training.history import Epoch

# A page asks for its runs several times, and mostly none has changed.
_read_head = functools.lru_cache(maxsize=512)(HeadSettings.from_json)
_read_fine_tune = functools.lru_cache(maxsize=512)(FineTuneSettings.from_json)
EPOCH_COLUMNS = tuple(column.name for column in dataclasses.fields(Epoch))


class RunRows(Database):
    """Reads and writes runs."""

    @contextmanager
    def _recording_run(self, run_id: str) -> Iterator[sqlite3.Connection]:
        """Yield a transaction after which the record in the run's folder is written anew."""
        with self._transaction() as connection:
            connection.execute("BEGIN IMMEDIATE")
            require_kept(connection, run_id)
            run_record.catch_up(connection, self.workspace, run_id)
            yield connection
            run_record.save_record(connection, self.workspace, run_id)

    def add_run(self, dataset_id: str, backbone: str, head: str) -> str:
        """Record a run with its phase-1 settings (JSON); return its id."""
        run_id = new_id("run")
        with self._recording_run(run_id) as connection:
            connection.execute(
                "INSERT INTO runs (id, dataset_id, backbone, head, created_at, facts) VALUES (?, ?, ?, ?, ?, '{}')",
                (run_id, dataset_id, backbone, head, time.time()),
            )
        return run_id

    def run(self, run_id: str) -> Run:
        """Return one run; raise RunError if there is none of that id."""
        rows = self._rows(f"SELECT rowid AS number, * FROM runs WHERE id = ? AND {KEPT}", run_id)
        if not rows:
            raise RunError(
                f"Expected the id of a run in this workspace. Received: {run_id!r}. "
                "List them with `python -m thaw runs`."
            )
        return _run(rows[0])

    def runs(self) -> list[Run]:
        """Return every run, newest first."""
        query = f"SELECT rowid AS number, * FROM runs WHERE {KEPT} ORDER BY rowid DESC"
        return [_run(row) for row in self._rows(query)]

    def run_outlines(self, dataset_id: str) -> list[sqlite3.Row]:
        """Return `id`, `backbone` and `created_at` (seconds since 1970) of every run of a data set, newest first."""
        query = f"SELECT id, backbone, created_at FROM runs WHERE dataset_id = ? AND {KEPT} ORDER BY rowid DESC"
        return self._rows(query, dataset_id)

    def branch_run(self, run_id: str, branched: str) -> None:
        """Copy a run's row and its phase-1 epochs under the id `branched`; phase 1 is its result."""
        with self._recording_run(branched) as connection:
            connection.execute(
                "INSERT INTO runs (id, dataset_id, backbone, head, fine_tune, created_at, result_phase, facts) "
                "SELECT ?, dataset_id, backbone, head, NULL, ?, 1, "
                "json_set(json_remove(facts, '$.fine_tune', '$.cut', '$.mlflow'), '$.branched_from', id) "
                "FROM runs WHERE id = ?",
                (branched, time.time(), run_id),
            )
            connection.execute(
                "INSERT INTO epochs SELECT ?, epoch, phase, loss, accuracy, val_loss, val_accuracy, seconds "
                "FROM epochs WHERE run_id = ? AND phase = 1",
                (branched, run_id),
            )

    def set_fine_tune(self, run_id: str, fine_tune: str) -> None:
        """Record the phase-2 settings (JSON) of a run."""
        with self._recording_run(run_id) as connection:
            connection.execute("UPDATE runs SET fine_tune = ? WHERE id = ?", (fine_tune, run_id))

    def set_result(self, run_id: str, phase: int) -> None:
        """Record which phase's model is the result of a run."""
        with self._recording_run(run_id) as connection:
            connection.execute("UPDATE runs SET result_phase = ? WHERE id = ?", (phase, run_id))

    def add_facts(self, run_id: str, facts: dict[str, Any]) -> None:
        """Merge measured facts (JSON-able) into a run."""
        with self._recording_run(run_id) as connection:
            row = connection.execute("SELECT facts FROM runs WHERE id = ?", (run_id,)).fetchone()
            merged = json.loads(row["facts"]) | facts
            connection.execute("UPDATE runs SET facts = ? WHERE id = ?", (json.dumps(merged), run_id))

    def add_phase_facts(self, run_id: str, phase: str, facts: dict[str, Any]) -> None:
        """Merge measured facts (JSON-able) into those of one phase of a run ("head" or "fine_tune")."""
        with self._recording_run(run_id) as connection:
            row = connection.execute("SELECT facts FROM runs WHERE id = ?", (run_id,)).fetchone()
            merged = json.loads(row["facts"])
            merged[phase] = merged.get(phase, {}) | facts
            connection.execute("UPDATE runs SET facts = ? WHERE id = ?", (json.dumps(merged), run_id))

    def add_epochs(self, run_id: str, epochs: Sequence[Epoch]) -> None:
        """Record finished epochs in one transaction; one that is trained again after a resume replaces the earlier."""
        with self._recording_run(run_id) as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO epochs (run_id, {', '.join(EPOCH_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(run_id, *(getattr(epoch, column) for column in EPOCH_COLUMNS)) for epoch in epochs],
            )

    def epochs(self, run_id: str) -> list[Epoch]:
        """Return the finished epochs of a run in order; phase 2 continues phase 1's numbering."""
        rows = self._rows("SELECT * FROM epochs WHERE run_id = ? ORDER BY epoch", run_id)
        return [Epoch(**{key: row[key] for key in row.keys() if key != "run_id"}) for row in rows]  # noqa: SIM118

    def drop_epochs(self, run_id: str, after: int) -> None:
        """Forget the epochs beyond number `after`, which a resume will train again."""
        with self._recording_run(run_id) as connection:
            connection.execute("DELETE FROM epochs WHERE run_id = ? AND epoch > ?", (run_id, after))


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        dataset_id=row["dataset_id"],
        backbone=row["backbone"],
        head=_read_head(row["head"]),
        fine_tune=row["fine_tune"] and _read_fine_tune(row["fine_tune"]),
        created_at=row["created_at"],
        result_phase=row["result_phase"],
        facts=read_facts(row["facts"]),
        number=row["number"],
    )
