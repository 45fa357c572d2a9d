"""The boxes on the photos of a data set: which photos were looked at, what is drawn on each, and what was refused.

Boxes are marks on a data set, one a photo that was looked at: so they are journalled, rebuilt, undone, saved with a
project and forgotten as every mark is. A photo without the mark is still to be drawn on; an empty one is background.
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from enum import StrEnum

from thaw.names import check_class_name
from thaw.storage.edits import EditRows, go_on_with_edit, make_edit
from thaw.storage.journal.journal import JournalEntry
from thaw.storage.journal.rows import Change
from tlcore.boxes import Box
from tlcore.errors import DatasetError
from tlcore.photos import natural

BOXES, REJECTED_BOXES = "boxes", "rejected boxes"
DECIMALS = 6
"""To how many decimals of a photo's side a box is kept: a thousandth of a pixel of the largest photos."""
MOST_ON_A_PHOTO = 2000
SITTING_S = 900.0
"""A person who draws nothing on a photo for so long has gone away from it."""
# A mark is one text, which a project bounds: so many to a mark, and no longer names.
_REJECTED_TOGETHER = 200
_LONGEST_NAME = 300


class Reason(StrEnum):
    """Why a box of an annotation file is none of the data set's."""

    OUTSIDE_IMAGE = "outside-image"
    ZERO_AREA = "zero-area"
    UNKNOWN_CLASS = "unknown-class"
    WRONG_SIZE = "wrong-size"
    MISSING_IMAGE = "missing-image"
    REFUSED_IMAGE = "refused-image"
    SAME_BOX_TWICE = "same-box-twice"
    NOT_NUMBERS = "not-numbers"
    CROWD = "crowd"
    TOO_MANY = "too-many"
    UNREADABLE_FILE = "unreadable-file"
    HUGE_FILE = "huge-file"


@dataclass(frozen=True)
class RejectedBox:
    """A box that `file` has and the data set does not: the photo as the file names it, and what it calls the object.

    Both are "" where the file as a whole could not be read.
    """

    file: str
    photo: str
    label: str
    reason: Reason


class BoxesChanged(DatasetError):
    """Other boxes are on a photo than those that an editor has read."""


class BoxRows(EditRows):
    """Reads and writes the boxes of data sets."""

    def boxes(self, dataset_id: str) -> dict[str, list[Box]]:
        """Return the boxes of every photo that was looked at, by its id; [] for one that shows but background."""
        return {image_id: read_boxes(text) for image_id, text in self.marks(dataset_id, BOXES).items()}

    def boxes_on(self, dataset_id: str, image_id: str) -> list[Box] | None:
        """Return the boxes on a photo, or None where nobody has looked at it yet."""
        query = "SELECT value FROM marks WHERE dataset_id = ? AND field = ? AND subject = ?"
        rows = self._rows(query, dataset_id, BOXES, image_id)
        return read_boxes(rows[0]["value"]) if rows else None

    def count_boxes(self, dataset_id: str) -> dict[str, int]:
        """Count the boxes by what they are on the photos that take part."""
        rows = self._rows(
            "SELECT json_extract(box.value, '$[0]') AS label, COUNT(*) AS n FROM marks "
            "JOIN images ON images.id = marks.subject JOIN json_each(marks.value) AS box "
            "WHERE marks.dataset_id = ? AND field = ? AND NOT excluded GROUP BY 1 ORDER BY 1",
            dataset_id,
            BOXES,
        )
        return {row["label"]: row["n"] for row in rows}

    def count_looked_at(self, dataset_id: str) -> int:
        """Count the photos that were looked at, with those that show nothing but background."""
        query = "SELECT COUNT(*) AS n FROM marks WHERE dataset_id = ? AND field = ?"
        return int(self._rows(query, dataset_id, BOXES)[0]["n"])

    def has_boxes(self, dataset_id: str) -> bool:
        """Say whether a data set is one for finding objects: a photo of it was looked at, or boxes came with it."""
        query = "SELECT 1 FROM marks WHERE dataset_id = ? AND field IN (?, ?) LIMIT 1"
        return bool(self._rows(query, dataset_id, BOXES, REJECTED_BOXES))

    def rejected_boxes(self, dataset_id: str) -> list[RejectedBox]:
        """Return the boxes that were not taken in, each with its reason, in the order in which they came."""
        marks = self.marks(dataset_id, REJECTED_BOXES)
        return [each for number in sorted(marks, key=natural) for each in read_rejected(marks[number])]

    def set_boxes(
        self,
        dataset_id: str,
        image_id: str,
        boxes: Sequence[Box] | None,
        read: Sequence[Box] | None,
        by_hand: bool = False,
    ) -> bool:
        """Draw these boxes on a photo, as a change that can be undone; say whether that changed any.

        [] says that it shows no object, None that nobody has looked at it. `read` is what was on it, in the same terms,
        when the editor read it. What is drawn `by_hand` on one photo in one sitting, box after box, is one change.
        Raises BoxesChanged where something else is there by now, as after a change in another window, and DatasetError
        for a photo of another data set and for boxes that no photo can have.
        """
        if boxes is not None:
            _require_sound(boxes)
        with self._recording(dataset_id) as (connection, entry):
            _require_image(connection, dataset_id, image_id)
            before = _read(connection, dataset_id, image_id)
            after = None if boxes is None else write_boxes(boxes)
            if before != (None if read is None else write_boxes(read)) and before != after:
                raise BoxesChanged(
                    "Expected the boxes on this photo to be as they were when it was opened. Received: others, drawn "
                    "meanwhile in another window. Open the photo again."
                )
            detail = {"images": 1, "boxes": None if boxes is None else len(boxes)}
            detail |= {"by_hand": True} if by_hand else {}
            change = Change(BOXES, image_id, after)
            if by_hand and go_on_with_edit(connection, entry, dataset_id, "boxes", detail, change, SITTING_S):
                return True
            return bool(make_edit(connection, entry, dataset_id, "boxes", detail, [change]))

    def rename_boxes(self, dataset_id: str, old: str, new: str) -> int:
        """Call all boxes of one kind otherwise, as one change that can be undone; return on how many photos.

        One that is called so already takes them in. Raises DatasetError for a name that no kind can have.
        """
        wanted = check_class_name(new)
        with self._recording(dataset_id) as (connection, entry):
            query = "SELECT subject, value FROM marks WHERE dataset_id = ? AND field = ?"
            drawn = {row["subject"]: read_boxes(row["value"]) for row in connection.execute(query, (dataset_id, BOXES))}
            changes = [
                Change(
                    BOXES,
                    image_id,
                    write_boxes(replace(box, label=wanted) if box.label == old else box for box in boxes),
                )
                for image_id, boxes in drawn.items()
                if any(box.label == old for box in boxes)
            ]
            detail = {"images": len(changes), "boxes": 0, "renamed": [old, wanted]}
            return make_edit(connection, entry, dataset_id, "boxes", detail, changes)


def read_boxes(text: str) -> list[Box]:
    """Return the boxes in the text of a mark; raise ValueError for one that `write_boxes` did not write."""
    try:
        boxes = [Box(*row) for row in json.loads(text)]
    except TypeError as problem:
        raise ValueError(str(problem)) from problem
    if not all(_is_sound(box) for box in boxes):
        raise ValueError("a box that lies outside its photo")
    return boxes


def read_rejected(text: str) -> list[RejectedBox]:
    """Return the rejected boxes in the text of a mark; raise ValueError for one that was written by nothing here."""
    try:
        rows = json.loads(text)
        return [RejectedBox(str(file), str(photo), str(label), Reason(reason)) for file, photo, label, reason in rows]
    except TypeError as problem:
        raise ValueError(str(problem)) from problem


def write_boxes(boxes: Iterable[Box]) -> str:
    """Return boxes as the text that is kept; equal boxes make equal texts."""
    rows = [[box.label, *(round(float(edge), DECIMALS) for edge in astuple(box)[1:])] for box in boxes]
    return json.dumps(rows, separators=(",", ":"), ensure_ascii=False)


def keep_boxes(
    connection: sqlite3.Connection,
    dataset_id: str,
    drawn: Mapping[str, Sequence[Box]],
    rejected: Sequence[RejectedBox],
) -> None:
    """Add within a transaction the boxes of photos that are new, by id, and those that were rejected."""
    query = "SELECT COUNT(*) FROM marks WHERE dataset_id = ? AND field = ?"
    first = connection.execute(query, (dataset_id, REJECTED_BOXES)).fetchone()[0]
    rows = [(BOXES, image_id, write_boxes(boxes)) for image_id, boxes in drawn.items()]
    for number, start in enumerate(range(0, len(rejected), _REJECTED_TOGETHER), first):
        rows.append((REJECTED_BOXES, str(number), _list(rejected[start : start + _REJECTED_TOGETHER])))
    connection.executemany("INSERT INTO marks VALUES (?, ?, ?, ?)", [(dataset_id, *row) for row in rows])


def _list(rejected: Iterable[RejectedBox]) -> str:
    rows = [[*(text[:_LONGEST_NAME] for text in astuple(each)[:-1]), each.reason] for each in rejected]
    return json.dumps(rows, separators=(",", ":"), ensure_ascii=False)


def draw_again(
    connection: sqlite3.Connection, entry: JournalEntry, dataset_id: str, drawn: Mapping[str, Sequence[Box]]
) -> None:
    """Draw within a transaction boxes on photos that were there before, as an edit that can be undone."""
    detail = {"images": len(drawn), "boxes": sum(map(len, drawn.values()))}
    changes = [Change(BOXES, image_id, write_boxes(boxes)) for image_id, boxes in drawn.items()]
    make_edit(connection, entry, dataset_id, "boxes", detail, changes)


def _read(connection: sqlite3.Connection, dataset_id: str, image_id: str) -> str | None:
    query = "SELECT value FROM marks WHERE dataset_id = ? AND field = ? AND subject = ?"
    row = connection.execute(query, (dataset_id, BOXES, image_id)).fetchone()
    return row["value"] if row else None


def _require_image(connection: sqlite3.Connection, dataset_id: str, image_id: str) -> None:
    query = "SELECT 1 FROM images WHERE id = ? AND dataset_id = ?"
    if connection.execute(query, (image_id, dataset_id)).fetchone() is None:
        raise DatasetError(f"Expected an image of this data set. Received: {image_id!r}. Reload the page.")


def _require_sound(boxes: Sequence[Box]) -> None:
    wrong = next((box for box in boxes if not (_is_sound(box) and box.label == check_class_name(box.label))), None)
    if wrong:
        raise DatasetError(
            "Expected boxes that lie within the photo, each of a kind whose name has no spaces around it. Received: "
            f"{wrong}."
        )
    if len(boxes) > MOST_ON_A_PHOTO:
        raise DatasetError(f"Expected at most {MOST_ON_A_PHOTO:,} boxes on a photo. Received: {len(boxes):,}.")


def _is_sound(box: Box) -> bool:
    edges = (box.x, box.y, box.width, box.height)
    if not isinstance(box.label, str) or not all(isinstance(edge, int | float) for edge in edges):
        return False
    slack = 10.0**-DECIMALS
    within = box.x + box.width <= 1 + 2 * slack and box.y + box.height <= 1 + 2 * slack
    return within and all(math.isfinite(edge) and edge >= 0 for edge in edges) and bool(box.width and box.height)
