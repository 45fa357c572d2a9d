"""A data set as a zip of class folders with a table of labels, or as that table alone, made as it is sent."""

import csv
import io
import os
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thaw.datasets.division import EXCLUDED, FOLDERS, HOLDOUT, UNUSED, SplitChoice, place_images
from thaw.sources.safe_names import MOST_FILE_BYTES, DistinctNames, name_class_folders
from thaw.sources.tables import guarded
from thaw.storage.disk_space import require_space
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from tlcore import __version__
from tlcore.errors import DatasetError, RunError
from tlcore.files import replacing, write_atomically
from tlcore.images.pixels import LONGER_SIDE_PX

TABLE_FILE, README_FILE = "labels.csv", "README.txt"
COLUMNS = ("path", "label", "split", "name", "excluded", "sha256")
PIECE_BYTES = 1_000_000
NAMED_FOLDERS = 200
# What `zipfile` writes beside names and contents: before each entry, for each in the directory, more there for one that
# begins beyond 2 GB, and at the end, for a large zip twice more.
_HEAD_BYTES, _LISTED_BYTES, _FAR_BYTES, _END_BYTES, _LARGE_END_BYTES = 30, 46, 12, 22, 56 + 20
_MODE = 0o644 << 16


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One picture: `path` is its place in the zip, `copy` that of Thaw's copy on the disk, of `size` bytes; `name` is
    what the original was called, and `sha256` that of the original's bytes ("" where that was not recorded)."""

    path: str
    copy: str
    size: int
    label: str
    split: str
    name: str
    excluded: bool
    sha256: str


@dataclass(frozen=True)
class DatasetZip:
    """What is going to be in a zip: `beside` are the files that Thaw writes by their names; `bytes` is its exact size.

    `folders` gives the folder of each class."""

    dataset: Dataset
    rows: list[PictureRow]
    folders: dict[str, str]
    beside: dict[str, bytes]
    bytes: int


def plan_zip(store: Store, dataset_id: str, division: SplitChoice, with_excluded: bool = False) -> DatasetZip:
    """Lay a data set out in class folders as it stands now, its labels and its split.

    Raises DatasetError where a copy is missing or there is nothing to take, and what `place_images` raises.
    """
    dataset = store.dataset(dataset_id)
    rows, folders = _lay_out(store, dataset, division, with_excluded)
    beside = {
        README_FILE: _describe(dataset, rows, folders, division).encode(),
        TABLE_FILE: _table([_cells(row, row.path) for row in rows]),
    }
    sizes = [(name, len(content)) for name, content in beside.items()] + [(row.path, row.size) for row in rows]
    return DatasetZip(dataset, rows, folders, beside, measure_zip(sizes))


def save_dataset(
    store: Store, dataset_id: str, target: Path, division: SplitChoice, with_excluded: bool = False
) -> dict[str, int]:
    """Write a data set to a new .zip, or its table to a new .csv, whole or not at all; return bytes and pictures.

    Raises RunError for any other name, one that is taken or one that cannot be written, and what `plan_zip` raises.
    """
    if target.suffix.lower() not in (".zip", ".csv") or target.exists():
        raise RunError(f"Expected the name of a new .zip or .csv. Received: {str(target)!r}. Choose another.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix.lower() == ".csv":
            rows, _ = _lay_out(store, store.dataset(dataset_id), division, with_excluded)
            table = _list(rows)
            write_atomically(target, table)
            return {"bytes": len(table), "pictures": len(rows)}
        planned = plan_zip(store, dataset_id, division, with_excluded)
        require_space(target.parent, planned.bytes)
        with replacing(target) as temporary, temporary.open("wb") as file:
            for piece in stream_dataset(planned):
                file.write(piece)
    except (PermissionError, NotADirectoryError, FileExistsError) as problem:
        raise RunError(f"Expected a folder that can be written. Received: {str(target)!r} ({problem}).") from problem
    return {"bytes": planned.bytes, "pictures": len(planned.rows)}


def list_labels(store: Store, dataset_id: str, division: SplitChoice, with_excluded: bool = False) -> bytes:
    """Return the table alone, whose paths are the originals' names: laid beside the originals it gives their labels."""
    rows, _ = _lay_out(store, store.dataset(dataset_id), division, with_excluded)
    return _list(rows)


def stream_dataset(planned: DatasetZip) -> Iterator[bytes]:
    """Yield the bytes of the zip, about a megabyte at a time; nothing of it is kept on the disk.

    Nothing is compressed: photos do not pack, and so its size is known before. Raises DatasetError where a copy has
    gone or changed since the zip was planned.
    """
    outlet, moment = _Outlet(), time.localtime(planned.dataset.created_at)[:6]
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for name, content in planned.beside.items():
            archive.writestr(_entry(name, moment), content)
        for row in planned.rows:
            archive.writestr(_entry(row.path, moment), _read(row))
            if outlet.waiting >= PIECE_BYTES:
                yield outlet.take()
    yield outlet.take()


def measure_zip(sizes: Sequence[tuple[str, int]]) -> int:
    """Return the exact bytes of a zip of stored files, by their names and sizes in the order in which they come."""
    total = directory = 0
    for name, size in sizes:
        length = len(name.encode())
        directory += _LISTED_BYTES + length + (_FAR_BYTES if total > zipfile.ZIP64_LIMIT else 0)
        total += _HEAD_BYTES + length + size
    large = len(sizes) > zipfile.ZIP_FILECOUNT_LIMIT or max(total, directory) > zipfile.ZIP64_LIMIT
    return total + directory + _END_BYTES + (_LARGE_END_BYTES if large else 0)


class _Outlet(io.RawIOBase):
    """Takes a zip and gives it out in pieces; within what is not given out yet, `zipfile` may go back to a head."""

    def __init__(self) -> None:
        self._part = io.BytesIO()
        self._given = 0

    @property
    def waiting(self) -> int:
        return self._part.getbuffer().nbytes

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._given + self._part.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < self._given:
            raise io.UnsupportedOperation("Expected a place in what has not been given out yet.")
        return self._given + self._part.seek(offset - self._given)

    def write(self, data: Any) -> int:
        return self._part.write(data)

    def take(self) -> bytes:
        """Return what has been written since the last time."""
        piece = self._part.getvalue()
        self._given += len(piece)
        self._part = io.BytesIO()
        return piece


def _lay_out(
    store: Store, dataset: Dataset, division: SplitChoice, with_excluded: bool
) -> tuple[list[PictureRow], dict[str, str]]:
    sides = place_images(store, dataset.id, division)
    # Photos without a class are no part of what was cleaned.
    images = [
        each for each in store.outline(dataset.id) if each["role"] != "pile" and (with_excluded or not each["excluded"])
    ]
    if not images:
        raise DatasetError(
            "Expected a data set with pictures that have a class. Received: one in which all are excluded or have "
            "none. Restore some, or give them a class."
        )
    folders = name_class_folders(sorted({each["label"] for each in images}), FOLDERS)
    # Of 32,000 pictures, a Path of each takes longer than all the rest.
    of_folder = {folder: store.workspace.image(folder, "", "") for folder in {each["folder"] for each in images}}
    copies = {folder: f"{path}{os.sep}" for folder, path in of_folder.items()}
    places: dict[str, DistinctNames] = {}
    rows, missing = [], 0
    for each in images:
        split, top = _place(each, sides, division)
        folder = f"{top}/{folders[each['label']]}".removeprefix("/")
        name = each["name"].rpartition("/")[2]
        stem = name.rpartition(".")[0] or name
        file = places.setdefault(folder, DistinctNames()).take(stem, each["suffix"], MOST_FILE_BYTES)
        copy = f"{copies[each['folder']]}{each['id']}{each['suffix']}"
        size = _size(copy)
        missing += size is None
        rows.append(
            PictureRow(
                f"{folder}/{file}",
                copy,
                size or 0,
                each["label"],
                split,
                each["name"],
                bool(each["excluded"]),
                each["original"],
            )
        )
    if missing:
        raise DatasetError(
            f"Expected a copy of every picture in the workspace. Received: {missing:,} of {len(rows):,} are missing. "
            "Import the originals again."
        )
    return rows, folders


def _place(image: Any, sides: dict[str, str], division: SplitChoice) -> tuple[str, str]:
    """Return the side of an image, and the folder at the top of the zip that it lies in ("" for none)."""
    held_out = image["role"] == HOLDOUT
    side = HOLDOUT if held_out else sides.get(image["id"], UNUSED if division.divides else "")
    if image["excluded"]:
        return (HOLDOUT if held_out else ""), EXCLUDED
    return side, side


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - as above
    except FileNotFoundError:
        return None


def _read(row: PictureRow) -> bytes:
    try:
        content = Path(row.copy).read_bytes()
    except FileNotFoundError:
        content = b""
    if len(content) != row.size:
        raise DatasetError(
            f"Expected the copy of {row.name!r} as it was a moment ago. Received: another, or none: the data set was "
            "changed or deleted meanwhile. Begin again."
        )
    return content


def _entry(name: str, moment: Any) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (max(moment[0], 1980), *moment[1:]))
    entry.external_attr = _MODE
    return entry


def _cells(row: PictureRow, path: str) -> list[str]:
    text = (path, row.label, row.split, row.name)
    return [*map(guarded, text), str(int(row.excluded)), row.sha256]


def _list(rows: list[PictureRow]) -> bytes:
    return _table([_cells(row, row.name) for row in rows])


def _table(rows: list[list[str]]) -> bytes:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return table.getvalue().encode("utf-8-sig")


def _describe(dataset: Dataset, rows: list[PictureRow], folders: dict[str, str], division: SplitChoice) -> str:
    renamed = [(folder, label) for label, folder in folders.items() if folder != label]
    lines = [
        f"{len(rows):,} pictures in {len(folders):,} classes, from the data set {dataset.name!r}, version "
        f"{dataset.version}, written by Thaw {__version__}.",
        "",
        f"The pictures are Thaw's copies: turned upright, RGB, the longer side at most {LONGER_SIDE_PX} pixels. For",
        "the labels of your originals use the columns name (what an original was called when it was imported) and",
        "sha256 (of its bytes) of labels.csv.",
        "",
        "labels.csv has a line for each picture: path in this zip, label, split, name of the original, excluded (1 or",
        "0), sha256 of the original. Where a cell would be read as a formula, an apostrophe stands before it.",
        *_explain_folders(division, {row.path.partition("/")[0] for row in rows}),
    ]
    if dataset.pile:
        lines += ["", f"The {dataset.pile:,} photos without a class are not in it."]
    if renamed:
        lines += ["", "Classes whose names no folder can have, or that differ in capitals only:"]
        lines += [f"  {folder} is {label!r}" for folder, label in renamed[:NAMED_FOLDERS]]
        lines += ["  and others: see labels.csv"] if len(renamed) > NAMED_FOLDERS else []
    return "\n".join([*lines, "", "Thaw imports this zip as it is; the table then says the classes.", ""])


def _explain_folders(division: SplitChoice, present: set[str]) -> list[str]:
    whose = f"of the run {division.run_id}" if division.run_id else f"with seed {division.seed}"
    words = {
        "train": f"to learn from, by the split {whose}",
        "validation": "held out to steer the training",
        "test": "the newest photos, which judge the finished model",
        HOLDOUT: "never trained on: to judge the finished model",
        UNUSED: "not there yet, or excluded, when that run divided its photos",
        EXCLUDED: "taken out in Thaw",
    }
    told = [f"  {folder}/: {meaning}" for folder, meaning in words.items() if folder in present]
    return ["", "Folders around the class folders:", *told] if told else []
