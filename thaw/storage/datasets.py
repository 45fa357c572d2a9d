"""The rows of data sets, their images, the files that were set aside, and the checks that measured them."""

import dataclasses
import functools
import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from thaw.storage.boxes import RejectedBox, draw_again, keep_boxes
from thaw.storage.database import KEPT
from thaw.storage.edits import ALIAS, make_edit
from thaw.storage.facts import parse_measures
from thaw.storage.journal.journal import JournalEntry
from thaw.storage.journal.rows import Change, JournalRows, add_edit, finish_import, last_row, listed, set_values
from thaw.storage.records import Check, Dataset, Image, Role
from thaw.storage.workspace import Workspace
from tlcore.boxes import Box
from tlcore.environment import uncollected
from tlcore.errors import DatasetError
from tlcore.photos import SetAside, natural

_FIELDS = tuple(column.name for column in dataclasses.fields(Image))
IMAGE_COLUMNS = tuple(name for name in _FIELDS if name != "file")
SELECTED = ", ".join("'' AS file" if name == "file" else name for name in _FIELDS)
_ID, _SUFFIX, _FOLDER, _FILE, _NOTES, _EXCLUDED = map(
    _FIELDS.index, ("id", "suffix", "folder", "file", "notes", "excluded")
)
# To set the fields of a frozen dataclass takes four times as long: a row is filled as this, and becomes an Image then.
_Draft = dataclasses.make_dataclass("_Draft", _FIELDS)
GROUP_KINDS = ("lookalike", "similar", "derived")
STANDING = "dataset_id = ? AND role = ? AND excluded = ?"


@dataclass(frozen=True)
class Arrival:
    """What one import brings: accepted images, files set aside, and how many were ignored or known already.

    `regrouped` gives by kind of group ("lookalike", "derived") images that were there before, by id, their new one;
    `refiled` gives by id the class of those whose files have come again in the folder of another. `job_id` is the
    import job, which is finished in the same transaction: killed later, it must not tell that nothing was kept.
    `grey_range` is kept where the data set has none yet. `drawn` has the boxes of each photo that came with some or was
    said to show nothing, by id, also of photos that were there before.
    """

    images: Sequence[Image]
    set_aside: Sequence[SetAside] = ()
    ignored: int = 0
    known: int = 0
    notes: Sequence[str] = ()
    regrouped: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    refiled: Mapping[str, str] = field(default_factory=dict)
    job_id: str = ""
    grey_range: int | None = None
    drawn: Mapping[str, Sequence[Box]] = field(default_factory=dict)
    rejected_boxes: Sequence[RejectedBox] = ()


@dataclass(frozen=True)
class Tally:
    """How many images of a data set take part, by class in the order of their names, and how many stand elsewhere."""

    classes: Mapping[str, int]
    excluded: int
    holdout: int
    pile: int


class DatasetRows(JournalRows):
    """Reads and writes data sets."""

    def add_dataset(self, dataset_id: str, name: str, source: str, arrival: Arrival) -> None:
        """Record a finished import in one transaction: a data set is there whole or not at all."""
        with self._recording(dataset_id) as (connection, entry):
            connection.execute(
                "INSERT INTO datasets (id, name, source, created_at) VALUES (?, ?, ?, ?)",
                (dataset_id, name, source, time.time()),
            )
            entry |= _take_in(connection, dataset_id, arrival)

    def add_to_dataset(self, dataset_id: str, source: str, arrival: Arrival) -> None:
        """Record an addition to a data set in one transaction, as an edit that can be undone."""
        with self._recording(dataset_id) as (connection, entry):
            arrival = dataclasses.replace(arrival, images=_renamed(connection, dataset_id, arrival.images))
            entry |= _take_in(connection, dataset_id, arrival)
            _refile(connection, entry, dataset_id, arrival.refiled)
            new = {image.id for image in arrival.images}
            again = {image_id: boxes for image_id, boxes in arrival.drawn.items() if image_id not in new}
            draw_again(connection, entry, dataset_id, again)
            if not arrival.images:
                return
            connection.execute("UPDATE datasets SET version = version + 1 WHERE id = ?", (dataset_id,))
            roles = Counter(image.role for image in arrival.images)
            detail = {"images": len(arrival.images), "source": source, "known": arrival.known}
            detail |= {"role": roles.most_common(1)[0][0]} if len(roles) == 1 else {"roles": roles}
            edit = {"kind": "add", "detail": json.dumps(detail), "created_at": time.time()}
            # To undo an addition is to exclude what came with it.
            changes = [("excluded", image.id, "1", "0") for image in arrival.images]
            add_edit(connection, dataset_id, edit, changes)
            entry["made"] = [*entry.get("made", []), {"edit": edit, "changes": changes}]

    def datasets(self) -> list[Dataset]:
        """Return every data set, newest first."""
        rows = self._rows(f"SELECT id FROM datasets WHERE {KEPT} ORDER BY rowid DESC")
        return [self.dataset(row["id"]) for row in rows]

    def dataset(self, dataset_id: str) -> Dataset:
        """Return one data set with its counts; raise DatasetError if there is none of that id."""
        newest = "SELECT ifnull(MAX(number), 0) FROM edits WHERE dataset_id = datasets.id"
        undone = "SELECT ifnull(MAX(undone_at), 0) FROM edits WHERE dataset_id = datasets.id"
        query = f"SELECT *, ({newest}) AS edit, ({undone}) AS undone FROM datasets WHERE id = ? AND {KEPT}"
        rows = self._rows(query, dataset_id)
        if not rows:
            raise DatasetError(
                f"Expected the id of a data set in this workspace. Received: {dataset_id!r}. "
                "List them with `python -m thaw datasets`, or import one."
            )
        row = rows[0]
        tally = _tally(self, dataset_id, row["version"])
        aside = self._rows("SELECT COUNT(*) AS n FROM set_aside WHERE dataset_id = ?", dataset_id)[0]["n"]
        return Dataset(
            id=row["id"],
            name=row["name"],
            source=row["source"],
            created_at=row["created_at"],
            classes=dict(tally.classes),
            set_aside=aside,
            ignored=row["ignored"],
            notes=json.loads(row["notes"]),
            excluded=tally.excluded,
            holdout=tally.holdout,
            known=row["known"],
            version=row["version"],
            pile=tally.pile,
            grey_range=row["grey_range"],
            edit=row["edit"],
            undone=row["undone"],
            recorded=row["journal_bytes"],
        )

    def tally(self, dataset_id: str) -> Tally:
        """Count the images of a data set; of 32,000 that takes a hundredth of a second."""
        counts = self._rows(
            "SELECT role, excluded, label, COUNT(*) AS n FROM images WHERE dataset_id = ? "
            "GROUP BY role, excluded, label",
            dataset_id,
        )
        standing: Counter[str] = Counter()
        classes: dict[str, int] = {}
        for count in sorted(counts, key=lambda count: natural(count["label"])):
            if count["role"] == "main" and not count["excluded"]:
                classes[count["label"]] = count["n"]
            else:
                standing["excluded" if count["excluded"] else count["role"]] += count["n"]
        return Tally(classes, standing["excluded"], standing["holdout"], standing["pile"])

    def has_copies(self, folder: str) -> bool:
        """Say whether a folder of the workspace's data sets holds copies that are on record."""
        return bool(self._rows("SELECT 1 FROM images WHERE folder = ? LIMIT 1", folder))

    @uncollected()
    def images(
        self,
        dataset_id: str,
        label: str | None = None,
        limit: int = -1,
        offset: int = 0,
        role: Role = "main",
        excluded: bool = False,
    ) -> list[Image]:
        """Return the images of a data set (of one class) that stand as asked, ordered by class and name, as people
        count (`tlcore.photos.natural`)."""
        standing = (dataset_id, role, int(excluded))
        if label is None and limit < 0:
            # Row by row: all rows beside all images would be twice as much to hold.
            with self._transaction() as connection:
                rows = connection.execute(f"SELECT {SELECTED} FROM images WHERE {STANDING}", standing)
                return _in_order([_image(self.workspace, row) for row in rows])[offset:]
        if label is None:
            return self._page(standing, limit, offset)
        return self._of_class(standing, label, limit, offset)

    def sample(self, dataset_id: str, most: int, label: str | None = None) -> list[Image]:
        """Return some images that take part in training (of one class): quick however many there are."""
        among = "" if label is None else "AND label = ? "
        query = f"SELECT {SELECTED} FROM images INDEXED BY images_by_standing WHERE {STANDING} {among}LIMIT ?"
        rows = self._rows(query, dataset_id, "main", 0, *([] if label is None else [label]), most)
        return [_image(self.workspace, row) for row in rows]

    def add_check(self, dataset_id: str, backbone: str, version: int, facts: dict[str, Any]) -> None:
        """Record what a check of a version of a data set measured (JSON-able)."""
        with self._recording(dataset_id) as (connection, entry):
            before = last_row(connection, "checks")
            connection.execute(
                "INSERT INTO checks VALUES (?, ?, ?, ?, ?)",
                (dataset_id, backbone, version, time.time(), json.dumps(facts)),
            )
            entry["checks"] = listed(connection, "checks", dataset_id, before)

    def latest_check(self, dataset_id: str) -> Check | None:
        """Return the newest check of a data set, or None before the first."""
        rows = self._rows("SELECT * FROM checks WHERE dataset_id = ? ORDER BY rowid DESC LIMIT 1", dataset_id)
        if not rows:
            return None
        row = rows[0]
        return Check(row["backbone"], row["version"], row["created_at"], parse_measures(row["facts"]))

    def _page(self, standing: tuple[str, Role, int], limit: int, offset: int) -> list[Image]:
        """Return some images of all classes: only those of the classes that the page touches are read."""
        counts = self._rows(f"SELECT label, COUNT(*) AS n FROM images WHERE {STANDING} GROUP BY label", *standing)
        found: list[Image] = []
        for count in sorted(counts, key=lambda count: natural(count["label"])):
            if offset < count["n"] and len(found) < limit:
                found += self._of_class(standing, count["label"], limit - len(found), offset)
            offset = max(0, offset - count["n"])
        return found

    def _of_class(self, standing: tuple[str, Role, int], label: str, limit: int, offset: int) -> list[Image]:
        # Names and ids first: of a class of many thousands whole rows would take far longer to read.
        rows = self._rows(f"SELECT name, id FROM images WHERE {STANDING} AND label = ?", *standing, label)
        ordered = sorted(rows, key=lambda row: (natural(row["name"]), row["id"]))
        ids = [row["id"] for row in ordered[offset : offset + limit if limit >= 0 else None]]
        by_id = self.images_by_id(ids)
        return [by_id[image_id] for image_id in ids if image_id in by_id]

    def every_image(self, dataset_id: str) -> list[Image]:
        """Return all images of a data set, however they stand, in the order in which they came."""
        return [
            _image(self.workspace, row)
            for row in self._rows(f"SELECT {SELECTED} FROM images WHERE dataset_id = ? ORDER BY rowid", dataset_id)
        ]

    def outline(self, dataset_id: str) -> list[sqlite3.Row]:
        """Return what a list of all images tells: id, label, name, suffix, folder, role, excluded and original."""
        return self._rows(
            "SELECT id, label, name, suffix, folder, role, excluded, original FROM images WHERE dataset_id = ? "
            "ORDER BY label, name, id",
            dataset_id,
        )

    @uncollected()
    def images_by_id(self, ids: Sequence[str]) -> dict[str, Image]:
        """Return the images of these ids by id, however they stand; unknown ids are left out."""
        rows = self._rows(
            f"SELECT {SELECTED} FROM images WHERE id IN (SELECT value FROM json_each(?))", json.dumps(ids)
        )
        return {row["id"]: _image(self.workspace, row) for row in rows}

    def standing(self, dataset_id: str) -> dict[str, str | None]:
        """Return by id the class that each image of a data set has now, or None for one excluded or without a class."""
        rows = self._rows("SELECT id, label, role, excluded FROM images WHERE dataset_id = ?", dataset_id)
        return {row["id"]: None if row["excluded"] or row["role"] == "pile" else row["label"] for row in rows}

    def set_aside(self, dataset_id: str) -> list[SetAside]:
        """Return the files that were not accepted, each with its reason."""
        rows = self._rows("SELECT name, reason FROM set_aside WHERE dataset_id = ?", dataset_id)
        return sorted((SetAside(row["name"], row["reason"]) for row in rows), key=lambda each: natural(each.name))

    def set_similar(self, dataset_id: str, keys: Mapping[str, str]) -> None:
        """Record the groups of near-duplicates by features: image id to the key of its group; others are in none."""
        with self._recording(dataset_id) as (connection, entry):
            grouped = connection.execute("SELECT id FROM images WHERE dataset_id = ? AND similar != ''", (dataset_id,))
            values = {row["id"]: "" for row in grouped} | dict(keys)
            set_values(connection, dataset_id, "similar", values)
            entry["values"] = {"similar": values}


# A page asks for its data set up to ten times, and every change to what is counted here makes a new version.
@functools.lru_cache(maxsize=256)
def _tally(rows: DatasetRows, dataset_id: str, version: int) -> Tally:
    return rows.tally(dataset_id)


def _renamed(connection: sqlite3.Connection, dataset_id: str, images: Sequence[Image]) -> list[Image]:
    """Return images under the names that their classes have by now: one may be renamed while an import goes on."""
    query = "SELECT subject, value FROM marks WHERE dataset_id = ? AND field = ?"
    names = {row["subject"]: row["value"] for row in connection.execute(query, (dataset_id, ALIAS))}
    return [dataclasses.replace(image, label=names.get(image.label, image.label)) for image in images]


def _refile(connection: sqlite3.Connection, entry: JournalEntry, dataset_id: str, classes: Mapping[str, str]) -> None:
    """Move images to the classes where their files are by now, as an edit that can be undone."""
    query = "SELECT id FROM images WHERE dataset_id = ? AND role = 'pile'"
    pile = {row["id"] for row in connection.execute(query, (dataset_id,))}
    changes = [
        Change(field, image_id, value)
        for image_id, label in classes.items()
        for field, value in (("label", label), ("imported_label", label), *[("role", "main")] * (image_id in pile))
    ]
    detail = {"classes": sorted(set(classes.values()), key=natural), "images": len(classes)}
    make_edit(connection, entry, dataset_id, "refile", detail, changes)


def _take_in(connection: sqlite3.Connection, dataset_id: str, arrival: Arrival) -> JournalEntry:
    """Add what an import brings; return what the journal is to say of it."""
    annotated = ["marks"] if arrival.drawn or arrival.rejected_boxes else []
    before = {table: last_row(connection, table) for table in ("images", "set_aside", *annotated)}
    columns = ("dataset_id", *IMAGE_COLUMNS)
    connection.executemany(
        f"INSERT INTO images ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
        [(dataset_id, *_values(image)) for image in arrival.images],
    )
    connection.executemany(
        "INSERT INTO set_aside VALUES (?, ?, ?)", [(dataset_id, each.name, each.reason) for each in arrival.set_aside]
    )
    new_boxes = {image.id: arrival.drawn[image.id] for image in arrival.images if image.id in arrival.drawn}
    keep_boxes(connection, dataset_id, new_boxes, arrival.rejected_boxes)
    for kind, keys in arrival.regrouped.items():
        set_values(connection, dataset_id, kind, keys)
    earlier = connection.execute("SELECT notes FROM datasets WHERE id = ?", (dataset_id,)).fetchone()["notes"]
    notes = dict.fromkeys([*json.loads(earlier), *arrival.notes])
    connection.execute(
        "UPDATE datasets SET ignored = ignored + ?, known = known + ?, notes = ?, "
        "grey_range = coalesce(grey_range, ?) WHERE id = ?",
        (arrival.ignored, arrival.known, json.dumps(list(notes)), arrival.grey_range, dataset_id),
    )
    finish_import(connection, arrival.job_id, dataset_id)
    new: JournalEntry = {table: listed(connection, table, dataset_id, after) for table, after in before.items()}
    return new | {"import": arrival.job_id, "values": {kind: dict(keys) for kind, keys in arrival.regrouped.items()}}


def _in_order(images: list[Image]) -> list[Image]:
    by_class: defaultdict[str, list[Image]] = defaultdict(list)
    for image in images:
        by_class[image.label].append(image)
    return [image for label in sorted(by_class, key=natural) for image in _in_order_of_names(by_class[label])]


def _in_order_of_names(images: list[Image]) -> list[Image]:
    # A folder that all of them are in says nothing of their order, and takes most of the time of a sort.
    folders = {image.name.rpartition("/")[0] for image in images}
    skipped = len(folders.pop()) + 1 if len(folders) == 1 and "/" in images[0].name else 0
    return sorted(images, key=lambda image: (natural(image.name[skipped:]), image.id))


def _values(image: Image) -> list[object]:
    return [json.dumps(image.notes) if name == "notes" else getattr(image, name) for name in IMAGE_COLUMNS]


def _image(workspace: Workspace, row: Sequence[Any]) -> Image:
    values = list(row)
    values[_FILE] = workspace.image_file(values[_FOLDER], values[_ID], values[_SUFFIX])
    values[_NOTES] = [] if values[_NOTES] == "[]" else json.loads(values[_NOTES])
    values[_EXCLUDED] = bool(values[_EXCLUDED])
    image = _Draft(*values)
    image.__class__ = Image
    return cast(Image, image)
