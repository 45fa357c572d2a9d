"""Makes rows again from what lies in the folders of data sets and runs: their journals and records."""

import sqlite3
from dataclasses import dataclass

from thaw.storage import faults, run_record
from thaw.storage.database import Database
from thaw.storage.journal import rows as journal_rows
from thaw.storage.journal.journal import Journal
from thaw.storage.workspace import Workspace
from tlcore.errors import DatasetError, RunError


@dataclass(frozen=True)
class RestoredDataset:
    """A data set that has its rows again: how many images, how many more whose copy is gone, and lines not read."""

    id: str
    name: str
    images: int
    missing: int
    unread: int


class RebuildRows(Database):
    """Writes rows that were lost."""

    def bring_up(self, ids: tuple[str, ...]) -> None:
        """Make up for the changes that folders know and rows do not; ids are those of data sets and runs with rows."""
        for each in ids:
            with self._transaction() as connection:
                connection.execute("BEGIN IMMEDIATE")
                if each.startswith("run-"):
                    run_record.catch_up(connection, self.workspace, each)
                else:
                    journal_rows.catch_up(connection, self.workspace, each)

    def require_sound(self) -> None:
        """Read the whole database; raise WorkspaceError where any part of it is damaged."""
        with self._transaction() as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise faults.damaged(self.workspace.root)

    def restore_dataset(self, dataset_id: str) -> RestoredDataset:
        """Make the rows of a data set without any from its journal, in one transaction; raise DatasetError where it
        cannot be read."""
        try:
            with self._transaction() as connection:
                connection.execute("BEGIN IMMEDIATE")
                return _replay(connection, self.workspace, dataset_id)
        except (sqlite3.IntegrityError, KeyError, TypeError, ValueError) as problem:
            raise DatasetError(
                f"Expected a journal that tells of a data set. Received: "
                f"'{self.workspace.journal(dataset_id)}', which does not ({problem})."
            ) from problem

    def restore_run(self, run_id: str) -> None:
        """Make the rows of a run from its record; raise RunError where it cannot be read or has no data set here."""
        record = run_record.read_record(self.workspace.record(run_id))
        try:
            if record is None or record["run"]["id"] != run_id:
                raise KeyError("id")
            with self._transaction() as connection:
                connection.execute("BEGIN IMMEDIATE")
                run_record.restore(connection, record)
        except (sqlite3.IntegrityError, KeyError, TypeError, ValueError) as problem:
            raise RunError(
                f"Expected the record of a run of a data set that is here. Received: "
                f"'{self.workspace.record(run_id)}', which is none ({problem})."
            ) from problem


def _replay(connection: sqlite3.Connection, workspace: Workspace, dataset_id: str) -> RestoredDataset:
    journal, unread = Journal(workspace.journal(dataset_id)), 0
    for entry in journal.read():
        if entry is None:
            unread += 1
        else:
            journal_rows.apply(connection, dataset_id, entry)
    row = connection.execute("SELECT name FROM datasets WHERE id = ?", (dataset_id,)).fetchone()
    if row is None:
        raise ValueError("no line can be read")
    connection.execute("UPDATE datasets SET journal_bytes = ? WHERE id = ?", (journal.size, dataset_id))
    missing = _drop_missing(connection, workspace, dataset_id)
    query = "SELECT COUNT(*) FROM images WHERE dataset_id = ?"
    count = connection.execute(query, (dataset_id,)).fetchone()[0]
    return RestoredDataset(dataset_id, row["name"], count, missing, unread)


def _drop_missing(connection: sqlite3.Connection, workspace: Workspace, dataset_id: str) -> int:
    """Leave out the images whose copies are gone, which nothing could be done with; return how many."""
    rows = connection.execute("SELECT id, folder, suffix FROM images WHERE dataset_id = ?", (dataset_id,)).fetchall()
    present = {
        folder: {path.name for path in (workspace.dataset(folder) / "images").glob("*")}
        for folder in {row["folder"] for row in rows}
    }
    gone = [(row["id"],) for row in rows if f"{row['id']}{row['suffix']}" not in present[row["folder"]]]
    if gone:
        connection.executemany("DELETE FROM images WHERE id = ?", gone)
        # What pages hold of this version in memory is of more images.
        connection.execute("UPDATE datasets SET version = version + 1 WHERE id = ?", (dataset_id,))
    return len(gone)
