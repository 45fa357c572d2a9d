"""Create ML JSON: a list of photos with their annotations, whose boxes are a centre, a width and a height in pixels."""

from collections.abc import Mapping
from typing import Any

from thaw.boxes.sheets import Sheet, read_number
from thaw.storage.boxes import Reason

KEPT = frozenset(
    ["image", "imagefilename", "annotations", "annotation", "label", "coordinates", "x", "y", "width", "height"]
)
_PHOTO = ("image", "imagefilename")
_LISTS = ("annotations", "annotation")


def read_create_ml(value: Any, file: str) -> list[Sheet] | None:
    """Return a sheet for each photo that a Create ML file lists; None for JSON that is no such file."""
    if not isinstance(value, list) or not value or not all(map(_is_photo, value)):
        return None
    sheets = []
    for row in value:
        sheet = Sheet(file, _first(row, _PHOTO))
        for annotation in _first(row, _LISTS):
            _take(annotation, sheet)
        sheets.append(sheet)
    return sheets


def _take(annotation: Any, sheet: Sheet) -> None:
    if not isinstance(annotation, dict):
        sheet.reject("", Reason.NOT_NUMBERS)
        return
    label, place = annotation.get("label"), annotation.get("coordinates")
    edges = [read_number(place.get(name)) for name in ("x", "y", "width", "height")] if isinstance(place, dict) else []
    numbers = [edge for edge in edges if edge is not None]
    if len(numbers) != 4:
        sheet.reject(label, Reason.NOT_NUMBERS)
        return
    x, y, width, height = numbers
    sheet.draw(label, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def _is_photo(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    return isinstance(_first(row, _PHOTO), str) and isinstance(_first(row, _LISTS), list)


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None)
