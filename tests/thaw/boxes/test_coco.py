"""COCO files as values."""

import pytest

from tests.support.boxes.annotations import ORCHARD, coco
from thaw.boxes.coco import read_coco, write_coco
from thaw.boxes.placing import Upright, place
from thaw.boxes.sheets import Drawing
from thaw.storage.boxes import Reason
from tlcore.boxes import Box


def one(annotation, **image):
    """Read a file of one photo with one annotation; return its sheet."""
    value = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 96, "height": 72} | image],
        "categories": [{"id": 3, "name": "apple"}],
        "annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]} | annotation, {"bbox": []}],
    }
    return read_coco(value, "x.json")[0]


def test_a_box_is_read_with_its_class_and_the_size_of_its_photo():
    sheet = one({})
    assert (sheet.photo, sheet.size, sheet.drawings) == ("a.jpg", (96, 72), [Drawing("apple", 1, 2, 4, 6)])


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"category_id": 9}, Reason.UNKNOWN_CLASS),
        ({"category_id": [3]}, Reason.UNKNOWN_CLASS),
        ({"iscrowd": 1}, Reason.CROWD),
        ({"bbox": None}, Reason.NOT_NUMBERS),
        ({"bbox": [1, 2, 3]}, Reason.NOT_NUMBERS),
        ({"bbox": [1, 2, 3, "4"]}, Reason.NOT_NUMBERS),
        ({"bbox": [1, 2, 3, True]}, Reason.NOT_NUMBERS),
        ({"bbox": [1, 2, 3, float("nan")]}, Reason.NOT_NUMBERS),
        ({"bbox": [1, 2, 3, 10**400]}, Reason.NOT_NUMBERS),
        ({"bbox": [1e308, 2, 1e308, 4]}, Reason.NOT_NUMBERS),
    ],
)
def test_what_is_no_box_costs_itself_alone(annotation, reason):
    sheet = one(annotation)
    assert (sheet.drawings, [each.reason for each in sheet.rejected]) == ([], [reason])


def test_annotations_of_photos_that_are_not_listed_are_told_of():
    sheets = read_coco(coco(ORCHARD) | {"images": []}, "x.json")
    assert [(sheet.photo, [each.reason for each in sheet.rejected]) for sheet in sheets] == [
        ("", [Reason.MISSING_IMAGE] * 3)
    ]


def test_a_size_that_is_none_counts_as_not_stated():
    assert one({}, width=0).size is None
    assert one({}, width="96").size is None


def test_what_is_written_is_read_again():
    boxes = [Box("pear", 0.125, 0.25, 0.5, 0.5), Box("apple", 0, 0, 1, 1)]
    written = write_coco([("a.jpg", 96, 72, boxes), ("b.jpg", 10, 20, [])], ["apple", "pear"])
    first, second = read_coco(written, "x.json")
    assert place([first], Upright(96, 72), None).boxes == boxes
    assert (second.photo, second.size, second.drawings) == ("b.jpg", (10, 20), [])
