"""Create ML files as values."""

import pytest

from thaw.boxes.create_ml import read_create_ml
from thaw.boxes.sheets import Drawing
from thaw.storage.boxes import Reason

PLACE = {"x": 10, "y": 20, "width": 4, "height": 8}


def test_a_box_is_given_by_its_centre():
    row = {"image": "a.jpg", "annotations": [{"label": "apple", "coordinates": PLACE}]}
    older = {"imagefilename": "b.jpg", "annotation": []}
    first, second = read_create_ml([row, older], "x.json")
    assert (first.photo, first.size, first.drawings) == ("a.jpg", None, [Drawing("apple", 8, 16, 12, 24)])
    assert (second.photo, second.drawings) == ("b.jpg", [])


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ("apple", Reason.NOT_NUMBERS),
        ({"label": "apple"}, Reason.NOT_NUMBERS),
        ({"label": "apple", "coordinates": PLACE | {"x": None}}, Reason.NOT_NUMBERS),
        ({"label": "", "coordinates": PLACE}, Reason.UNKNOWN_CLASS),
        ({"label": 7, "coordinates": PLACE}, Reason.UNKNOWN_CLASS),
    ],
)
def test_what_is_no_box_costs_itself_alone(annotation, reason):
    (sheet,) = read_create_ml([{"image": "a.jpg", "annotations": [annotation]}], "x.json")
    assert (sheet.drawings, [each.reason for each in sheet.rejected]) == ([], [reason])


@pytest.mark.parametrize("value", [{}, [], [1], [{"image": "a.jpg"}], [{"image": 1, "annotations": []}]])
def test_other_json_is_none(value):
    assert read_create_ml(value, "x.json") is None
