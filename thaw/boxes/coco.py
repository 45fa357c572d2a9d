"""COCO JSON: one file with photos, categories and annotations, whose boxes are x, y, width and height in pixels."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from thaw.boxes.sheets import Sheet, read_number, read_size
from thaw.storage.boxes import Reason
from tlcore.boxes import Box

KEPT = frozenset(
    (
        *("images", "id", "file_name", "width", "height"),
        *("annotations", "image_id", "category_id", "bbox", "iscrowd"),
        *("categories", "name"),
    )
)
"""The members that are read; a file may hold ten times as much besides, such as outlines."""


def read_coco(value: Any, file: str) -> list[Sheet] | None:
    """Return a sheet for each photo that a COCO file lists; None for JSON that is no such file.

    Annotations of photos that are not listed come on a sheet of their own, whose photo is "".
    """
    if not isinstance(value, dict):
        return None
    images, annotations, categories = (value.get(name) for name in ("images", "annotations", "categories"))
    if not (isinstance(images, list) and isinstance(annotations, list) and isinstance(categories, list)):
        return None
    if annotations and not any(isinstance(each, dict) and "bbox" in each for each in annotations):
        return None
    names = {_key(each.get("id")): each.get("name") for each in _dicts(categories)}
    sheets: dict[str, Sheet] = {}
    for image in _dicts(images):
        if isinstance(photo := image.get("file_name"), str):
            size = read_size(image.get("width"), image.get("height"))
            sheets[_key(image.get("id"))] = Sheet(file, photo, size)
    lost = Sheet(file, "")
    for annotation in annotations:
        if not isinstance(annotation, dict):
            lost.reject("", Reason.NOT_NUMBERS)
            continue
        _take(annotation, names, sheets.get(_key(annotation.get("image_id")), lost))
    # A photo that could not be told has no boxes, whatever the file says of it.
    lost.rejected, lost.drawings = lost.reject_all(Reason.MISSING_IMAGE), []
    return [*sheets.values(), *([lost] if lost.rejected else [])]


def write_coco(photos: Sequence[tuple[str, int, int, Sequence[Box]]], labels: Sequence[str]) -> dict[str, Any]:
    """Return a COCO file, to be written as JSON, of photos: their file name, width and height, and boxes; `labels` are
    the classes in their order, numbered from 1 as in COCO's own files."""
    numbers = {label: number for number, label in enumerate(labels, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (name, width, height, boxes) in enumerate(photos, 1):
        images.append({"id": image_id, "file_name": name, "width": width, "height": height})
        for box in boxes:
            edges = [round(edge, 3) for edge in box.in_pixels(width, height)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": numbers[box.label],
                    "bbox": edges,
                    "area": round(edges[2] * edges[3], 3),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": label} for label, number in numbers.items()]
    return {"images": images, "annotations": annotations, "categories": categories}


def _take(annotation: Mapping[str, Any], names: Mapping[str, object], sheet: Sheet) -> None:
    label = names.get(_key(annotation.get("category_id")))
    box = annotation.get("bbox")
    if annotation.get("iscrowd") == 1:
        sheet.reject(label, Reason.CROWD)
        return
    numbers = [number for each in box if (number := read_number(each)) is not None] if isinstance(box, list) else []
    if not isinstance(box, list) or len(numbers) != 4 or len(box) != 4:
        sheet.reject(label, Reason.NOT_NUMBERS)
        return
    if label is None:
        sheet.reject(annotation.get("category_id"), Reason.UNKNOWN_CLASS)
        return
    left, top, width, height = numbers
    sheet.draw(label, (left, top, left + width, top + height))


def _dicts(values: Iterable[Any]) -> Iterable[dict[str, Any]]:
    return (each for each in values if isinstance(each, dict))


def _key(value: object) -> str:
    """Return an id as a text: some programs write 7 in one place and "7" in another."""
    return str(value) if isinstance(value, int | str) else ""
