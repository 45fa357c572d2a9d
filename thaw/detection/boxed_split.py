"""What the run of a detector sees: photos with boxes, divided, and the record of both. No Keras."""

import dataclasses
import json
from collections.abc import Mapping, Sequence

from thaw.datasets.boxes import read_boxed
from thaw.datasets.edits import grouping
from thaw.datasets.run_split import unlike, write_split
from thaw.storage.boxes import read_boxes, write_boxes
from thaw.storage.records import Image, Role, Run
from thaw.storage.store import Store
from thaw.storage.workspace import BOXES_FILE
from tlcore.boxes import Box
from tlcore.errors import DatasetError
from tlcore.files import write_atomically
from tlcore.settings import DetectorSettings
from tlcore.splits.boxed_splits import split_boxed
from tlcore.splits.splits import Split

LEARNT_FROM: tuple[Role, ...] = ("main", "pile")


def choose_boxed(
    store: Store, dataset_id: str, settings: DetectorSettings
) -> tuple[Split[Image], dict[str, list[Box]]]:
    """Divide the photos of a data set that were looked at; return them, and the boxes by a photo's id.

    Raises DatasetError where no boxes are drawn, or on too few photos to judge by others than it learns from.
    """
    boxed = read_boxed(store, dataset_id)
    if not boxed.labels:
        raise DatasetError(
            "Expected photos with boxes around the objects to be found. Received: none. Draw boxes on some of them on "
            "the page Draw boxes, or import a folder with annotations (COCO, Pascal VOC, YOLO, Create ML)."
        )
    rules = grouping(store, dataset_id)
    parts = split_boxed(boxed, settings.validation_split, settings.seed, rules, theirs=True).split
    held = read_boxed(store, dataset_id, holdout=True)
    known = [image for image in held.photos if all(box.label in parts.labels for box in held.boxes[image.id])]
    boxes = {photo_id: list(each) for photo_id, each in {**boxed.boxes, **held.boxes}.items()}
    return dataclasses.replace(parts, holdout=unlike(known, boxed.photos)), boxes


def write_seen(store: Store, run_id: str, parts: Split, boxes: Mapping[str, Sequence[Box]]) -> None:
    """Record what a run sees: the photos of every side and the boxes on them. Edits that come later change nothing."""
    sides = (*parts.training, *parts.validation, *(image for side in parts.extra.values() for image in side))
    seen = {image.id: json.loads(write_boxes(boxes[image.id])) for image in sides}
    write_atomically(store.workspace.run(run_id) / BOXES_FILE, json.dumps(seen, ensure_ascii=False).encode())
    # The split last: once it is there, all is.
    write_split(store, run_id, parts)


def read_seen_boxes(store: Store, run: Run) -> dict[str, list[Box]]:
    """Return the boxes that a run saw, by the id of the photo."""
    seen = json.loads((store.workspace.run(run.id) / BOXES_FILE).read_text(encoding="utf-8"))
    return {image_id: read_boxes(json.dumps(rows)) for image_id, rows in seen.items()}


def refuse_detection(store: Store, dataset_id: str, settings: DetectorSettings) -> str | None:
    """Say why a detector can't be trained on a data set, or None if it can."""
    try:
        choose_boxed(store, dataset_id, settings)
    except DatasetError as problem:
        return str(problem)
    return None
