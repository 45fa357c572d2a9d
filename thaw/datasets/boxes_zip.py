"""Photos with their boxes as other programs read them: a zip in the layout of COCO or YOLO, or COCO's JSON alone."""

import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from PIL import Image as Picture

from thaw.boxes.coco import write_coco
from thaw.boxes.yolo import write_names, write_yolo
from thaw.datasets.boxes import read_boxed
from thaw.sources.safe_names import MOST_FILE_BYTES, DistinctNames
from thaw.storage.disk_space import require_space
from thaw.storage.records import Image
from thaw.storage.store import Store
from tlcore.boxes import Box, BoxedPhotos
from tlcore.errors import DatasetError, RunError
from tlcore.files import replacing
from tlcore.photos import Photo
from tlcore.splits.boxed_splits import split_boxed

BoxFormat = Literal["coco", "yolo"]
TRAIN, VALIDATION, ALL = "train", "val", ""
_LISTED_BYTES = 1000
"""More than what a zip and an annotation file say of one photo, and of one box."""


def save_boxes(
    store: Store, dataset_id: str, target: Path, form: BoxFormat, share: float | None = None, seed: int = 0
) -> dict[str, int]:
    """Write the photos that were looked at, with their boxes, to a new .zip, or the boxes to a new .json (COCO alone).

    With a `share` (0..1) for validation the photos are divided as training divides them. The pictures are Thaw's
    copies, upright and at most 640 pixels long, and pixels are theirs; in a .json alone they are the originals', turned
    upright, under the names these came with. Returns the bytes, photos, boxes and how many photos were left out since
    nobody has drawn on them. Raises RunError for a name that is taken or of another kind, or that cannot be written,
    and DatasetError where there are no boxes, a copy is missing or the photos cannot be divided.
    """
    endings = (".zip", ".json") if form == "coco" else (".zip",)
    if target.suffix.lower() not in endings or target.exists():
        raise RunError(f"Expected the name of a new {' or '.join(endings)}. Received: {str(target)!r}. Choose another.")
    boxed = read_boxed(store, dataset_id)
    if not boxed.photos:
        raise DatasetError(
            f"Expected a data set with boxes. Received: {dataset_id!r}, on whose photos nobody has drawn any. Draw "
            "them, or import photos with an annotation file."
        )
    sides = {ALL: boxed}
    if share is not None:
        split = split_boxed(boxed, share, seed)
        sides = {TRAIN: split.training, VALIDATION: split.validation}
    photos = sum(len(side.photos) for side in sides.values())
    boxes = sum(len(side.boxes[photo.id]) for side in sides.values() for photo in side.photos)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, _measure(boxed, alone=target.suffix.lower() == ".json"))
        with replacing(target) as temporary:
            if target.suffix.lower() == ".json":
                temporary.write_text(_dump(_coco_of_originals(boxed)), encoding="utf-8")
            else:
                _write_zip(temporary, sides, boxed.labels, form)
    except (PermissionError, NotADirectoryError, FileExistsError) as problem:
        raise RunError(f"Expected a folder that can be written. Received: {str(target)!r} ({problem}).") from problem
    standing = Counter(image.role for image in store.every_image(dataset_id) if not image.excluded)
    return {
        "bytes": target.stat().st_size,
        "pictures": photos,
        "boxes": boxes,
        "left_out": standing["main"] + standing["pile"] - photos,
    }


def _write_zip(target: Path, sides: dict[str, BoxedPhotos], labels: Sequence[str], form: BoxFormat) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for side, boxed in sides.items():
            names = DistinctNames()
            placed = [(_name(photo, names), photo) for photo in boxed.photos]
            folder = f"images/{side}".rstrip("/")
            for name, photo in placed:
                archive.writestr(f"{folder}/{name}", _read(photo))
                if form == "yolo":
                    text = write_yolo(boxed.boxes[photo.id], labels)
                    archive.writestr(f"labels{folder[6:]}/{name.rpartition('.')[0]}.txt", text)
            if form == "coco":
                rows = [(f"{folder}/{name}", *_size(photo), boxed.boxes[photo.id]) for name, photo in placed]
                archive.writestr(f"annotations{f'_{side}' if side else ''}.json", _dump(write_coco(rows, labels)))
        if form == "yolo":
            paths = {TRAIN: "images/train", VALIDATION: "images/val"} if VALIDATION in sides else {TRAIN: "images"}
            archive.writestr("data.yaml", write_names(labels, paths))


def _coco_of_originals(boxed: BoxedPhotos) -> dict[str, Any]:
    rows = [(photo.name, photo.width, photo.height, boxed.boxes[photo.id]) for photo in boxed.photos]
    return write_coco(rows, boxed.labels)


def _name(photo: Photo, names: DistinctNames) -> str:
    stem = photo.name.rpartition("/")[2].rpartition(".")[0] or photo.name.rpartition("/")[2]
    # Of one stem there is one picture: a YOLO file has no other name than its photo's.
    suffix = photo.suffix if isinstance(photo, Image) else Path(photo.file).suffix
    return names.take(stem, "", MOST_FILE_BYTES - len(suffix)) + suffix


def _size(photo: Photo) -> tuple[int, int]:
    with Picture.open(photo.file) as picture:
        return picture.size


def _read(photo: Photo) -> bytes:
    try:
        return Path(photo.file).read_bytes()
    except FileNotFoundError as problem:
        raise DatasetError(
            f"Expected a copy of every picture in the workspace. Received: none of {photo.name!r}. Import the "
            "originals again."
        ) from problem


def _measure(boxed: BoxedPhotos, alone: bool) -> int:
    """Return how many bytes are needed at most."""
    rows: list[Sequence[Box]] = [boxed.boxes[photo.id] for photo in boxed.photos]
    listed = _LISTED_BYTES * (len(rows) + sum(map(len, rows)))
    return listed if alone else listed + sum(len(_read(photo)) for photo in boxed.photos)


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
