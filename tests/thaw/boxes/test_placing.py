"""Boxes on upright photos."""

import numpy as np
import pytest
from PIL import Image

from thaw.boxes.placing import Upright, place, tell_when
from thaw.boxes.sheets import Drawing, Sheet
from thaw.pictures.exif import find_turn
from thaw.storage.boxes import MOST_ON_A_PHOTO, Reason
from tlcore.boxes import Box

PHOTO = Upright(100, 50)


def sheet(*edges, size=(100, 50), shares=False):
    return Sheet("x.json", "a.jpg", size, shares, [Drawing("apple", *each) for each in edges])


def reasons(placed):
    return [each.reason for each in placed.rejected]


def test_pixels_become_shares():
    assert place([sheet((10, 10, 30, 35))], PHOTO, None).boxes == [Box("apple", 0.1, 0.2, 0.2, 0.5)]
    assert place([sheet((0.1, 0.2, 0.3, 0.7), size=None, shares=True)], PHOTO, None).boxes == [
        Box("apple", 0.1, 0.2, 0.2, 0.5)
    ]


@pytest.mark.parametrize(
    ("edges", "reason"),
    [
        ((200, 10, 210, 20), Reason.OUTSIDE_IMAGE),
        ((-30, 10, -10, 20), Reason.OUTSIDE_IMAGE),
        ((90, 10, 130, 20), Reason.OUTSIDE_IMAGE),
        ((100, 10, 110, 20), Reason.OUTSIDE_IMAGE),
        ((-1e308, -1e308, 1e308, 1e308), Reason.OUTSIDE_IMAGE),
        ((10, 10, 10, 20), Reason.ZERO_AREA),
        ((20, 10, 10, 20), Reason.ZERO_AREA),
        ((10, 10, 10.00001, 20), Reason.ZERO_AREA),
    ],
)
def test_what_cannot_be_a_box_is_rejected(edges, reason):
    placed = place([sheet(edges)], PHOTO, None)
    assert (placed.boxes, reasons(placed), placed.cut) == ([], [reason], 0)


def test_a_box_that_reaches_beyond_an_edge_ends_there():
    placed = place([sheet((90, -5, 104, 20), (0, 0, 100.001, 50))], PHOTO, None)
    assert placed.boxes == [Box("apple", 0.9, 0, 0.1, 0.4), Box("apple", 0, 0, 1, 1)]
    assert (placed.cut, placed.rejected) == (1, [])


def test_the_same_box_counts_once_also_from_two_files():
    placed = place([sheet((1, 2, 3, 4), (1, 2, 3, 4)), sheet((1, 2, 3, 4), (5, 6, 7, 8))], PHOTO, None)
    assert (len(placed.boxes), reasons(placed)) == (2, [Reason.SAME_BOX_TWICE] * 2)


def test_more_boxes_than_a_photo_may_have_are_rejected():
    edges = [(0, 0, 1 + place / 100, 10) for place in range(MOST_ON_A_PHOTO + 2)]
    placed = place([sheet(*edges)], PHOTO, None)
    assert (len(placed.boxes), reasons(placed)) == (MOST_ON_A_PHOTO, [Reason.TOO_MANY] * 2)


def test_a_wrong_size_costs_every_box_of_the_file():
    placed = place([sheet((1, 2, 3, 4), size=(50, 100)), sheet((1, 2, 3, 4), size=(200, 100))], PHOTO, None)
    assert (placed.boxes, reasons(placed)) == ([], [Reason.WRONG_SIZE] * 2)


def test_the_stated_size_tells_whether_boxes_were_drawn_before_turning():
    turned = Upright(50, 100, 6)
    assert tell_when(sheet(size=(100, 50)), turned) == "before"
    assert tell_when(sheet(size=(50, 100)), turned) == "after"
    assert tell_when(sheet(size=None), turned) is None
    assert tell_when(sheet(size=None, shares=True), turned) is None
    assert tell_when(sheet(size=(50, 100)), Upright(50, 100, 3)) is None
    assert tell_when(sheet(size=(60, 60)), Upright(60, 60, 6)) is None
    assert tell_when(sheet(size=None), PHOTO) == "after"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_turns_as_its_photo_does(orientation):
    pixels = np.zeros((50, 100), np.uint8)
    pixels[5:15, 60:90] = 255
    stored = Image.fromarray(pixels)
    stored.getexif()[0x0112] = orientation
    turn = find_turn(stored)
    upright = np.asarray(stored.transpose(turn) if turn is not None else stored)
    rows, columns = np.nonzero(upright)
    photo = Upright(upright.shape[1], upright.shape[0], orientation)
    assert photo.stored == (100, 50)
    (box,) = place([sheet((60, 5, 90, 15), size=(100, 50))], photo, "before").boxes
    assert box.in_pixels(photo.width, photo.height) == pytest.approx(
        (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    )


def test_the_answer_holds_where_the_file_does_not_tell():
    turned, told = Upright(50, 100, 6), sheet((0, 0, 0.5, 0.25), size=None, shares=True)
    assert place([told], turned, "after").boxes == [Box("apple", 0, 0, 0.5, 0.25)]
    assert place([told], turned, "before").boxes == [Box("apple", 0.75, 0, 0.25, 0.5)]
    assert place([sheet((0, 0, 50, 50))], turned, "after").boxes == [Box("apple", 0, 0, 1, 0.5)]
