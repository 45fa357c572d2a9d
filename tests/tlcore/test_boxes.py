"""Boxes on photos."""

import numpy as np
import pytest

from tlcore.boxes import Box, BoxedPhotos, corners, overlaps
from tlcore.photos import Photo


def test_a_box_is_told_in_pixels_of_a_picture_of_any_size():
    box = Box("apple", 0.25, 0.5, 0.5, 0.25)

    assert box.in_pixels(400, 200) == (100, 100, 200, 50)


def test_boxes_become_edges_and_none_an_empty_table():
    assert corners([Box("apple", 0.25, 0.5, 0.5, 0.25)]).tolist() == [[0.25, 0.5, 0.75, 0.75]]
    assert corners([]).shape == (0, 4)


def test_overlap_is_the_share_of_the_union_worked_by_hand():
    first = np.array([[0, 0, 2, 2]], np.float32)
    second = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2], [1, 1, 1, 1]], np.float32)

    assert overlaps(first, second)[0] == pytest.approx([1, 1 / 7, 0, 0])
    assert overlaps(first[:, [0, 1, 0, 1]], second[3:]).tolist() == [[0]]


def test_labels_are_those_that_the_photos_show():
    photos = [Photo(name, "", name, "", 8, 8) for name in "ab"]
    boxes = {"a": [Box("pear", 0, 0, 1, 1), Box("apple", 0, 0, 1, 1)], "elsewhere": [Box("plum", 0, 0, 1, 1)]}

    assert BoxedPhotos(photos, boxes).labels == ["apple", "pear"]
