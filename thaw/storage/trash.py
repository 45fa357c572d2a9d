"""The rows of the trash: what was deleted, how far its deletion has come, and how its rows come back or go for good."""

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from thaw.storage.database import KEPT, Database, new_id
from thaw.storage.jobs import read_job, subjects_of
from thaw.storage.records import Job
from tlcore.errors import RunError

ThingKind = Literal["dataset", "run", "export", "project", "features", "downloads", "speed"]
TrashState = Literal["deleting", "kept", "restoring", "emptying"]
USE_FEATURES = ("check", "sort", "head", "fine_tune", "probe", "rate_search", "search", "map", "look_ahead")
JOB_SUBJECTS = (
    *("run_id", "dataset_id"),
    *(f"json_extract(request, '$.{name}')" for name in ("run", "dataset", "subject")),
)
OF_DATASETS = ("edits", "marks", "checks", "set_aside", "images")


@dataclass(frozen=True)
class Trashed:
    """Something that was deleted and can be brought back until the trash is emptied.

    `subject` is the id by which it was deleted, `moves` are the paths below the workspace that lie in the trash, and
    `detail` holds its `title`, its `bytes` and what went along (`runs`, `exports`, ...) for the words that tell it.
    "deleting" and "restoring" are states on the way, which a kill may leave; "emptying" can no longer be undone.
    """

    id: str
    kind: ThingKind
    subject: str
    detail: dict[str, Any]
    moves: list[str]
    state: TrashState
    deleted_at: float


@dataclass(frozen=True)
class Emptied:
    """What outlives the rows of an emptied entry: its jobs, and the folders of copies that no row names any more."""

    jobs: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)


class TrashRows(Database):
    """Reads and writes the trash."""

    def trash(self) -> list[Trashed]:
        """Return what is in the trash, the newest first."""
        rows = self._rows("SELECT * FROM trash ORDER BY deleted_at DESC, rowid DESC")
        return [_trashed(row) for row in rows]

    def hide(self, kind: ThingKind, subject: str, detail: dict[str, Any], moves: Sequence[str]) -> Trashed:
        """Record that something is being deleted; a data set or run is in no list from then on.

        Raises RunError while a job works on it, and where it has been deleted already: two tabs may ask for the same.
        """
        entry = Trashed(new_id("trash"), kind, subject, detail, list(moves), "deleting", time.time())
        with self._transaction() as connection:
            connection.execute("BEGIN IMMEDIATE")
            hidden = _rows_of(connection, kind, subject)
            _require_unused(connection, kind, subject, hidden)
            connection.execute(
                "INSERT INTO trash VALUES (?, ?, ?, ?, ?, 'deleting', ?)",
                (entry.id, kind, subject, json.dumps(detail), json.dumps(entry.moves), entry.deleted_at),
            )
            connection.executemany("INSERT INTO trashed VALUES (?, ?)", [(each, entry.id) for each in hidden])
        return entry

    def set_trash_state(self, trash_id: str, state: TrashState) -> None:
        """Record how far a deletion, a return or an emptying has come."""
        self._write("UPDATE trash SET state = ? WHERE id = ?", state, trash_id)

    def show_again(self, trash_id: str) -> None:
        """Take an entry out of the trash in one transaction: its rows are in every list again."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM trashed WHERE trash_id = ?", (trash_id,))
            connection.execute("DELETE FROM trash WHERE id = ?", (trash_id,))

    def copies_left(self, dataset_id: str, folders: Iterable[str]) -> list[tuple[str, str, str]]:
        """Return the folder, id and suffix of a data set's images in folders other than `folders`."""
        rows = self._rows(
            "SELECT folder, id, suffix FROM images WHERE dataset_id = ? "
            "AND folder NOT IN (SELECT value FROM json_each(?))",
            dataset_id,
            json.dumps(list(folders)),
        )
        return [(row["folder"], row["id"], row["suffix"]) for row in rows]

    def own_folders(self, dataset_id: str) -> list[str]:
        """Return the folders that hold copies of this data set's images alone."""
        rows = self._rows(
            "SELECT folder FROM (SELECT DISTINCT folder FROM images WHERE dataset_id = ?) AS own WHERE NOT EXISTS "
            "(SELECT 1 FROM images WHERE folder = own.folder AND dataset_id != ?)",
            dataset_id,
            dataset_id,
        )
        return sorted(row["folder"] for row in rows)

    def runs_of(self, dataset_id: str) -> list[str]:
        """Return the ids of a data set's runs, those in the trash too."""
        rows = self._rows("SELECT id FROM runs WHERE dataset_id = ? ORDER BY rowid", dataset_id)
        return [row["id"] for row in rows]

    def count_checks(self, dataset_id: str) -> int:
        """Count the checks that were made of a data set."""
        return self._rows("SELECT COUNT(*) AS n FROM checks WHERE dataset_id = ?", dataset_id)[0]["n"]

    def forget(self, trash_id: str) -> Emptied:
        """Delete the rows of an entry for good, in one transaction; return what is left to remove of its files."""
        with self._transaction() as connection:
            connection.execute("BEGIN IMMEDIATE")
            subjects = _ids(connection.execute("SELECT subject FROM trashed WHERE trash_id = ?", (trash_id,)))
            runs = [each for each in subjects if each.startswith("run-")]
            datasets = [each for each in subjects if not each.startswith("run-")]
            gone = Emptied(
                _ids(
                    each
                    for column in JOB_SUBJECTS
                    for each in _where(connection, "SELECT id FROM jobs", column, [*runs, *datasets])
                ),
                _ids(_where(connection, "SELECT DISTINCT folder FROM images", "dataset_id", datasets)),
            )
            _where(connection, "DELETE FROM jobs", "id", gone.jobs)
            _where(connection, "DELETE FROM epochs", "run_id", runs)
            _where(connection, "DELETE FROM runs", "id", runs)
            edits = _ids(_where(connection, "SELECT number FROM edits", "dataset_id", datasets))
            _where(connection, "DELETE FROM changes", "edit", edits)
            for table in OF_DATASETS:
                _where(connection, f"DELETE FROM {table}", "dataset_id", datasets)
            _where(connection, "DELETE FROM datasets", "id", datasets)
            connection.execute("DELETE FROM trashed WHERE trash_id = ?", (trash_id,))
            connection.execute("DELETE FROM trash WHERE id = ?", (trash_id,))
        return gone


def _rows_of(connection: sqlite3.Connection, kind: ThingKind, subject: str) -> list[str]:
    """Return the ids of the rows that go with something: of a data set its own and its runs'."""
    if kind not in ("dataset", "run"):
        return []
    owned = _ids(connection.execute(f"SELECT id FROM {kind}s WHERE id = ? AND {KEPT}", (subject,)))
    if not owned:
        raise RunError(f"Expected what is not in the trash yet. Received: {subject!r}. Reload the page.")
    if kind == "dataset":
        owned += _ids(connection.execute(f"SELECT id FROM runs WHERE dataset_id = ? AND {KEPT}", (subject,)))
    return owned


def _require_unused(connection: sqlite3.Connection, kind: ThingKind, subject: str, hidden: Sequence[str]) -> None:
    for row in connection.execute("SELECT * FROM jobs WHERE status IN ('starting', 'running')").fetchall():
        job = read_job(row)
        if _uses(connection, job, kind, subject, set(hidden)):
            raise RunError(
                f"Expected nothing to be at work on {subject!r}. Received: the job {job.id!r} "
                f"({job.kind.replace('_', ' ')}), which is. Wait for its end, or stop it first."
            )


def _uses(connection: sqlite3.Connection, job: Job, kind: ThingKind, subject: str, hidden: set[str]) -> bool:
    """Say whether an active job reads or writes what is to be deleted."""
    asked = job.request
    if kind == "dataset":
        return not hidden.isdisjoint(subjects_of(job.dataset_id, job.run_id, asked))
    if kind == "run":
        owner = _ids(connection.execute("SELECT dataset_id FROM runs WHERE id = ?", (subject,)))
        # A head that is retrained reads the run before it, and the project of a data set holds all its runs.
        before = _ids(
            connection.execute(
                "SELECT json_extract(facts, '$.retrained_from') FROM runs WHERE id = ? AND json_valid(facts)",
                (job.run_id,),
            )
        )
        saved = asked.get("subject") in owner
        return saved or subject in [*before, *subjects_of(None, job.run_id, asked)]
    if kind == "export":
        return job.kind == "export" and f"{asked.get('run')}/export" == subject
    if kind == "project":
        return PurePath(asked.get("path", "")).as_posix().endswith(f"/{subject}")
    if kind == "downloads":
        return job.kind == "import" and asked.get("kind") == "flowers"
    return kind == "features" and job.kind in USE_FEATURES


def _where(connection: sqlite3.Connection, statement: str, column: str, values: Sequence[Any]) -> sqlite3.Cursor:
    return connection.execute(
        f"{statement} WHERE {column} IN (SELECT value FROM json_each(?))", (json.dumps(list(values)),)
    )


def _ids(rows: Iterable[sqlite3.Row]) -> list[Any]:
    return [row[0] for row in rows]


def _trashed(row: sqlite3.Row) -> Trashed:
    values = dict(row)
    return Trashed(**values | {name: json.loads(values[name]) for name in ("detail", "moves")})
