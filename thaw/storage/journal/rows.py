"""The rows of data sets as their journals tell them: every change is noted there before it is committed here.

A journal is longer than the rows say where a process was killed between the two, or where the database has lost its
latest changes. What it has more is then made up for before anything else is changed.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from thaw.storage.database import Database, columns_of, put_rows, require_kept
from thaw.storage.journal.journal import Journal, JournalEntry
from thaw.storage.workspace import Workspace

IMAGE_FIELDS = {"label": "TEXT", "imported_label": "TEXT", "role": "TEXT", "excluded": "INTEGER"}
# Each with the column that says whose a row is; the edits of a data set bear their changes with them.
OWNED = ("images", "set_aside", "marks", "checks")


class Change(NamedTuple):
    """A field of a subject and its new value; None takes a mark away.

    `field` is one of `IMAGE_FIELDS` of an image, whose id is the subject, or else a kind of mark on the data set.
    """

    field: str
    subject: str
    after: str | None


class JournalRows(Database):
    """Writes data sets, each change with its entry in the journal."""

    @contextmanager
    def _recording(self, dataset_id: str) -> Iterator[tuple[sqlite3.Connection, JournalEntry]]:
        """Yield a transaction and the entry to fill with what it changes: both are kept, or neither.

        An entry may have, as lists of rows or as `describe` and `listed` return them: "images", "set_aside", "marks"
        and "checks" that are new, "made" with each "edit" that was made and its "changes", "extended" with what the
        latest "edit", of one change, is now and what is there "after" it, "undone_at" of the edit that is undone, and
        "values" of images by column and id. The row of the data set itself goes along with each.
        """
        journal, start, end = Journal(self.workspace.journal(dataset_id)), 0, -1
        try:
            with self._transaction() as connection:
                connection.execute("BEGIN IMMEDIATE")
                require_kept(connection, dataset_id)
                catch_up(connection, self.workspace, dataset_id)
                entry: JournalEntry = {}
                yield connection, entry
                if entry:
                    start, end = _note(connection, journal, dataset_id, entry)
        except BaseException:
            journal.cut(start, end)
            raise


def catch_up(connection: sqlite3.Connection, workspace: Workspace, dataset_id: str) -> int:
    """Make up for what a journal has and the rows have not; return how many entries that were.

    A data set whose journal is gone, or shorter than it was, is written down whole.
    """
    journal = Journal(workspace.journal(dataset_id))
    row = connection.execute("SELECT journal_bytes FROM datasets WHERE id = ?", (dataset_id,)).fetchone()
    if row is None:
        return 0
    if journal.size < row["journal_bytes"]:
        _note(connection, journal, dataset_id, whole(connection, dataset_id))
        return 0
    if journal.size == row["journal_bytes"]:
        return 0
    entries = [entry for entry in journal.read(row["journal_bytes"]) if entry]
    for entry in entries:
        apply(connection, dataset_id, entry)
    _reach(connection, dataset_id, journal.size)
    return len(entries)


def whole(connection: sqlite3.Connection, dataset_id: str) -> JournalEntry:
    """Return an entry that holds a data set whole and stands for all before it."""
    entry: JournalEntry = {table: listed(connection, table, dataset_id) for table in OWNED}
    columns = "number, kind, detail, created_at, undone_at"
    rows = connection.execute(f"SELECT {columns} FROM edits WHERE dataset_id = ? ORDER BY number", (dataset_id,))
    return entry | {"edits": [dict(row) | {"changes": _changes(connection, row["number"])} for row in rows.fetchall()]}


def apply(connection: sqlite3.Connection, dataset_id: str, entry: JournalEntry) -> None:
    """Change the rows of a data set as an entry of its journal says. Raises KeyError, TypeError, ValueError or
    sqlite3.Error for one that makes no sense."""
    row = entry["row"] | {"id": dataset_id}
    put_rows(connection, "datasets", {"columns": list(row), "rows": [list(row.values())]}, key="id")
    if "edits" in entry:
        _clear(connection, dataset_id)
    for table in OWNED:
        if table in entry:
            put_rows(connection, table, entry[table], dataset_id=dataset_id)
    for edit in entry.get("edits", []):
        add_edit(connection, dataset_id, edit, edit["changes"])
    for made in entry.get("made", []):
        add_edit(connection, dataset_id, made["edit"], made["changes"])
        for field, subject, _, after in made["changes"]:
            write_change(connection, dataset_id, Change(field, subject, after))
    if "extended" in entry:
        extend_latest(connection, dataset_id, entry["extended"]["edit"], entry["extended"]["after"])
    if "undone_at" in entry:
        undo_latest(connection, dataset_id, entry["undone_at"])
    for column, values in entry.get("values", {}).items():
        set_values(connection, dataset_id, column, values)
    if "import" in entry:
        finish_import(connection, entry["import"], dataset_id)


def finish_import(connection: sqlite3.Connection, job_id: str, dataset_id: str) -> None:
    """Call an import finished whose photos are in a data set, also where its death was noticed before they were."""
    connection.execute(
        "UPDATE jobs SET status = 'finished', error = NULL, dataset_id = ? WHERE id = ?", (dataset_id, job_id)
    )


def add_edit(
    connection: sqlite3.Connection, dataset_id: str, edit: JournalEntry, changes: Sequence[Sequence[Any]]
) -> None:
    """Record an edit and its changes, each a field, a subject, and what was there before and after."""
    number = connection.execute(
        "INSERT INTO edits (dataset_id, kind, detail, created_at, undone_at) VALUES (?, ?, ?, ?, ?)",
        (dataset_id, edit["kind"], edit["detail"], edit["created_at"], edit.get("undone_at")),
    ).lastrowid
    connection.executemany("INSERT INTO changes VALUES (?, ?, ?, ?, ?)", [(number, *change) for change in changes])


def extend_latest(connection: sqlite3.Connection, dataset_id: str, edit: JournalEntry, after: str | None) -> None:
    """Have the latest edit that stands, which has one change, end with something else; what was before it stays.

    Raises ValueError where it has more changes or there is none.
    """
    number = latest_edit(connection, dataset_id)
    ((field, subject, _, _),) = _changes(connection, number)
    write_change(connection, dataset_id, Change(field, subject, after))
    connection.execute("UPDATE changes SET after = ? WHERE edit = ?", (after, number))
    connection.execute(
        "UPDATE edits SET detail = ?, created_at = ? WHERE number = ?", (edit["detail"], edit["created_at"], number)
    )


def undo_latest(connection: sqlite3.Connection, dataset_id: str, moment: float) -> None:
    """Put back what the latest edit that stands replaced, and mark it as undone."""
    number = latest_edit(connection, dataset_id)
    for field, subject, before, _ in _changes(connection, number):
        write_change(connection, dataset_id, Change(field, subject, before))
    connection.execute("UPDATE edits SET undone_at = ? WHERE number = ?", (moment, number))


def latest_edit(connection: sqlite3.Connection, dataset_id: str) -> int | None:
    """Return the number of the latest edit that stands, or None."""
    query = "SELECT MAX(number) AS number FROM edits WHERE dataset_id = ? AND undone_at IS NULL"
    number: int | None = connection.execute(query, (dataset_id,)).fetchone()["number"]
    return number


def write_change(connection: sqlite3.Connection, dataset_id: str, change: Change) -> None:
    """Set a field of an image, or set or take away a mark."""
    if change.field in IMAGE_FIELDS:
        connection.execute(
            f"UPDATE images SET {change.field} = CAST(? AS {IMAGE_FIELDS[change.field]}) WHERE id = ?",
            (change.after, change.subject),
        )
    elif change.after is None:
        connection.execute(
            "DELETE FROM marks WHERE dataset_id = ? AND field = ? AND subject = ?",
            (dataset_id, change.field, change.subject),
        )
    else:
        connection.execute(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
            (dataset_id, change.field, change.subject, change.after),
        )


def set_values(connection: sqlite3.Connection, dataset_id: str, column: str, values: Mapping[str, Any]) -> None:
    """Set a column of the images of a data set, by id."""
    if column not in columns_of(connection, "images"):
        raise KeyError(column)
    connection.executemany(
        f"UPDATE images SET {column} = ? WHERE id = ? AND dataset_id = ?",
        [(value, image_id, dataset_id) for image_id, value in values.items()],
    )


def listed(connection: sqlite3.Connection, table: str, dataset_id: str, after: int = -1) -> JournalEntry:
    """Return the rows of a table that belong to a data set, those beyond row number `after`: columns and values."""
    columns = [name for name in columns_of(connection, table) if name != "dataset_id"]
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE dataset_id = ? AND rowid > ? ORDER BY rowid"
    return {"columns": columns, "rows": [list(row) for row in connection.execute(query, (dataset_id, after))]}


def last_row(connection: sqlite3.Connection, table: str) -> int:
    """Return the number of the newest row of a table, -1 for none."""
    return int(connection.execute(f"SELECT coalesce(MAX(rowid), -1) FROM {table}").fetchone()[0])


def _note(connection: sqlite3.Connection, journal: Journal, dataset_id: str, entry: JournalEntry) -> tuple[int, int]:
    row = connection.execute("SELECT rowid AS number, * FROM datasets WHERE id = ?", (dataset_id,)).fetchone()
    entry["row"] = {key: value for key, value in dict(row).items() if key != "journal_bytes"}
    start, end = journal.size, journal.append(entry)
    _reach(connection, dataset_id, end)
    return start, end


def _reach(connection: sqlite3.Connection, dataset_id: str, end: int) -> None:
    connection.execute("UPDATE datasets SET journal_bytes = ? WHERE id = ?", (end, dataset_id))


def _clear(connection: sqlite3.Connection, dataset_id: str) -> None:
    connection.execute(
        "DELETE FROM changes WHERE edit IN (SELECT number FROM edits WHERE dataset_id = ?)", (dataset_id,)
    )
    for table in (*OWNED, "edits"):
        connection.execute(f"DELETE FROM {table} WHERE dataset_id = ?", (dataset_id,))


def _changes(connection: sqlite3.Connection, number: int | None) -> list[list[Any]]:
    query = "SELECT field, subject, before, after FROM changes WHERE edit = ? ORDER BY rowid"
    return [list(row) for row in connection.execute(query, (number,))]
