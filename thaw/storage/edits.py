"""The rows of edits: each change to a data set with what was there before, so that it can be undone exactly."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from thaw.storage.journal.journal import JournalEntry
from thaw.storage.journal.rows import (
    IMAGE_FIELDS,
    Change,
    JournalRows,
    add_edit,
    extend_latest,
    latest_edit,
    undo_latest,
    write_change,
)
from thaw.storage.records import Dataset, Edit, EditKind
from tlcore.errors import DatasetError

# The mark by which a folder's name, its subject, stands for the class that it was renamed to.
ALIAS = "alias"
_MADE_SINCE = """
SELECT field, subject, before FROM changes JOIN edits ON number = edit WHERE dataset_id = :dataset AND number > :edit
ORDER BY number DESC, changes.rowid DESC
"""
_UNDONE_SINCE = """
SELECT field, subject, after FROM changes JOIN edits ON number = edit
WHERE dataset_id = :dataset AND number <= :edit AND undone_at > :undone
ORDER BY number, changes.rowid
"""


class PhotosChanged(DatasetError):
    """Photos that a change is about are not as they were when it was decided on: `found` says by id what has become of
    each, its class ("" for one without), or None for one that was excluded."""

    def __init__(self, found: Mapping[str, str | None]) -> None:
        self.found = dict(found)
        moved = sorted({repr(label) for label in self.found.values() if label})
        super().__init__(
            "Expected these photos as they were when the change was decided on. Received: "
            f"{len(self.found):,} that {'were' if len(self.found) > 1 else 'was'} changed meanwhile"
            f"{', in ' + ', '.join(moved) if moved else ''}. Nothing was done: look again."
        )


class ClassGone(DatasetError):
    """A class that a change is about, `label`, is none by now; `renamed` is what its photos are called, if known."""

    def __init__(self, label: str, renamed: str | None) -> None:
        self.label, self.renamed = label, renamed
        what = f"which is called {renamed!r} by now" if renamed else "which is none by now"
        super().__init__(f"Expected a class of this data set. Received: {label!r}, {what}. Reload the page.")


class EditRows(JournalRows):
    """Reads and writes edits, and the marks that they leave on a data set."""

    def add_edit(
        self,
        dataset_id: str,
        kind: EditKind,
        detail: dict[str, Any],
        changes: Iterable[Change],
        seen: Dataset | None = None,
        *targets: str,
    ) -> int:
        """Make the changes and record them as one edit, in one transaction; return how many had an effect.

        What changes nothing is left out, and an edit of which nothing is left is not recorded. With `seen`, the data
        set as it was when the change was decided on, what others have done since is not written over: raises
        PhotosChanged, having done nothing, where they have changed one of these photos, and ClassGone where one of
        the `targets` was a class then and is none now.
        """
        with self._recording(dataset_id) as (connection, entry):
            if seen is not None:
                changes = list(changes)
                _require_as_seen(connection, seen, changes)
                for label in filter(seen.classes.__contains__, targets):
                    _require_class(connection, dataset_id, label)
            return make_edit(connection, entry, dataset_id, kind, detail, changes)

    def undo_edit(self, dataset_id: str, number: int, seen_at: float | None = None) -> None:
        """Put back what the latest edit replaced.

        Raises DatasetError if `number` is not the latest edit that stands, since two tabs may ask for the same one, or
        if it has been gone on with since it was made `seen_at`, where that is given.
        """
        with self._recording(dataset_id) as (connection, entry):
            if latest_edit(connection, dataset_id) != number:
                raise DatasetError(
                    f"Expected the latest change of this data set. Received: change {number}, which is undone already "
                    "or has others after it. Reload the page and undo the latest first."
                )
            query = "SELECT created_at FROM edits WHERE number = ?"
            if seen_at not in (None, connection.execute(query, (number,)).fetchone()["created_at"]):
                raise DatasetError(
                    f"Expected change {number} as it was when the page was opened. Received: one that has been gone on "
                    "with since. Reload the page to see what would be undone."
                )
            entry["undone_at"] = time.time()
            undo_latest(connection, dataset_id, entry["undone_at"])
            _bump(connection, dataset_id)

    def edits(self, dataset_id: str) -> list[Edit]:
        """Return the edits of a data set, newest first, the undone ones too."""
        rows = self._rows("SELECT * FROM edits WHERE dataset_id = ? ORDER BY number DESC", dataset_id)
        return [
            Edit(row["number"], row["kind"], json.loads(row["detail"]), row["created_at"], row["undone_at"])
            for row in rows
        ]

    def withdrawn(self, dataset_id: str) -> set[str]:
        """Return the ids of the images that stay excluded since the addition that brought them was undone."""
        rows = self._rows(
            "SELECT images.id FROM images JOIN changes ON subject = images.id JOIN edits ON number = edit "
            "WHERE images.dataset_id = ? AND excluded AND kind = 'add' AND undone_at IS NOT NULL",
            dataset_id,
        )
        return {row["id"] for row in rows}

    def marks(self, dataset_id: str, field: str) -> dict[str, str]:
        """Return the marks of one kind on a data set: subject to value."""
        rows = self._rows("SELECT subject, value FROM marks WHERE dataset_id = ? AND field = ?", dataset_id, field)
        return {row["subject"]: row["value"] for row in rows}


def make_edit(
    connection: sqlite3.Connection,
    entry: JournalEntry,
    dataset_id: str,
    kind: EditKind,
    detail: dict[str, Any],
    changes: Iterable[Change],
) -> int:
    """Do within a transaction what `EditRows.add_edit` does, and say so in the `entry` of the journal."""
    rows = [
        (change.field, change.subject, before, change.after)
        for change in changes
        if (before := _read(connection, dataset_id, change)) != change.after
    ]
    if not rows:
        return 0
    edit = {"kind": kind, "detail": json.dumps(detail), "created_at": time.time()}
    add_edit(connection, dataset_id, edit, rows)
    for field, subject, _, after in rows:
        write_change(connection, dataset_id, Change(field, subject, after))
    _bump(connection, dataset_id)
    entry["made"] = [*entry.get("made", []), {"edit": edit, "changes": rows}]
    return len(rows)


def go_on_with_edit(
    connection: sqlite3.Connection,
    entry: JournalEntry,
    dataset_id: str,
    kind: EditKind,
    detail: dict[str, Any],
    change: Change,
    within_s: float,
) -> bool:
    """Make a change within a transaction as a part of the newest edit; say whether it is one that this goes on with.

    It is where that edit stands, changed the same subject alone, is of the same kind and of a detail of the same keys,
    and was made or gone on with less than `within_s` seconds ago. To undo it brings back what was before all of it, so
    that one which would change nothing any more is not gone on with.
    """
    newest = connection.execute(
        "SELECT * FROM edits WHERE dataset_id = ? ORDER BY number DESC LIMIT 1", (dataset_id,)
    ).fetchone()
    if newest is None or newest["undone_at"] is not None or newest["kind"] != kind:
        return False
    rows = connection.execute("SELECT * FROM changes WHERE edit = ?", (newest["number"],)).fetchall()
    same = [(row["field"], row["subject"]) for row in rows] == [(change.field, change.subject)]
    lately = 0 <= time.time() - newest["created_at"] < within_s
    if not (same and lately and json.loads(newest["detail"]).keys() == detail.keys()):
        return False
    if change.after in (rows[0]["before"], rows[0]["after"]):
        return False
    edit = {"detail": json.dumps(detail), "created_at": time.time()}
    extend_latest(connection, dataset_id, edit, change.after)
    _bump(connection, dataset_id)
    entry["extended"] = {"edit": edit, "after": change.after}
    return True


def _read(connection: sqlite3.Connection, dataset_id: str, change: Change) -> str | None:
    if change.field in IMAGE_FIELDS:
        query = f"SELECT CAST({change.field} AS TEXT) FROM images WHERE id = ? AND dataset_id = ?"
        row = connection.execute(query, (change.subject, dataset_id)).fetchone()
        if row is None:
            raise DatasetError(f"Expected an image of this data set. Received: {change.subject!r}. Reload the page.")
        return row[0]
    query = "SELECT value FROM marks WHERE dataset_id = ? AND field = ? AND subject = ?"
    row = connection.execute(query, (dataset_id, change.field, change.subject)).fetchone()
    return row[0] if row else None


def _bump(connection: sqlite3.Connection, dataset_id: str) -> None:
    connection.execute("UPDATE datasets SET version = version + 1 WHERE id = ?", (dataset_id,))


def _require_as_seen(connection: sqlite3.Connection, seen: Dataset, changes: Sequence[Change]) -> None:
    """Raise PhotosChanged where others have changed since what these changes are to change."""
    fields: dict[str, set[str]] = {}
    for change in changes:
        if _read(connection, seen.id, change) != change.after:
            fields.setdefault(change.subject, set(IMAGE_FIELDS)).add(change.field)
    torn = [
        subject
        for (field, subject), shown in _list_seen(connection, seen).items()
        if field in fields.get(subject, ()) and _read(connection, seen.id, Change(field, subject, None)) != shown
    ]
    query = "SELECT id, label, excluded FROM images WHERE id IN (SELECT value FROM json_each(?))"
    rows = connection.execute(query, (json.dumps(torn),)).fetchall() if torn else []
    if rows:
        raise PhotosChanged({row["id"]: None if row["excluded"] else row["label"] for row in rows})


def _list_seen(connection: sqlite3.Connection, seen: Dataset) -> dict[tuple[str, str], str | None]:
    """Return by field and subject what was seen of all that has been changed since."""
    asked = {"dataset": seen.id, "edit": seen.edit, "undone": seen.undone}
    # Of several changes to one thing the first tells what was there.
    values = {(row["field"], row["subject"]): row["before"] for row in connection.execute(_MADE_SINCE, asked)}
    # Of several that stood then and were undone since, the last tells it.
    undone = {(row["field"], row["subject"]): row["after"] for row in connection.execute(_UNDONE_SINCE, asked)}
    return values | undone


def _require_class(connection: sqlite3.Connection, dataset_id: str, label: str) -> None:
    query = "SELECT 1 FROM images WHERE dataset_id = ? AND role = 'main' AND excluded = 0 AND label = ? LIMIT 1"
    if connection.execute(query, (dataset_id, label)).fetchone() is None:
        raise ClassGone(label, _read(connection, dataset_id, Change(ALIAS, label, None)))
