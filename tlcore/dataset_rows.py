"""The rows of data sets, their images and the files that were set aside."""

import json
import time
from collections.abc import Sequence

from tlcore.database import Database
from tlcore.errors import DatasetError
from tlcore.records import Dataset, Image, SetAside


class DatasetRows(Database):
    """Reads and writes data sets."""

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

    def has_dataset(self, dataset_id: str) -> bool:
        """Say whether there is a data set of that id."""
        return bool(self._rows("SELECT 1 FROM datasets WHERE id = ?", dataset_id))

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
