"""Which places learn from which box, worked by hand on four places in a row."""

import numpy as np
import pytest

from tlcore.detection.assignment import assign, overlaps

MIDDLES = np.array([[4, 4], [12, 4], [20, 4], [28, 4]], np.float32)
NONE = [0, 0, 0, 0, -1]


def run(edges, scores, boxes, places_each=13):
    given = (np.array([each], np.float32) for each in (edges, scores, boxes))
    return [np.asarray(each)[0] for each in assign(*given, MIDDLES, places_each)]


def test_overlaps_are_of_each_box_with_each_place():
    boxes = np.array([[[0, 0, 10, 10], [20, 0, 30, 10]]], np.float32)
    edges = np.array([[[0, 0, 10, 10], [5, 0, 15, 10], [40, 0, 50, 10]]], np.float32)
    found = np.asarray(overlaps(boxes, edges))
    # 50 of 150 pixels are shared.
    np.testing.assert_allclose(found, [[[1, 1 / 3, 0], [0, 0, 0]]], atol=1e-6)


def test_the_place_that_sees_a_box_best_has_its_overlap_as_target_and_others_less():
    # Places 1 and 2 lie in the box 8..24 x 0..8 of kind 1. Place 1 sees it exactly at 0.5, place 2 half of it at 0.8.
    edges = [[0, 0, 8, 8], [8, 0, 24, 8], [8, 0, 16, 8], [24, 0, 32, 8]]
    scores = [[0.9, 0.9], [0.1, 0.5], [0.1, 0.8], [0.9, 0.9]]
    theirs, kinds, targets = run(edges, scores, [[8, 0, 24, 8, 1], NONE])
    # 0.5 * 1 ** 6 = 0.5 and 0.8 * 0.5 ** 6 = 0.0125, which scaled by 1 / 0.5 are 1 and 0.025.
    np.testing.assert_allclose(targets, [0, 1, 0.025, 0], atol=1e-5)
    assert kinds.tolist() == [[0, 0], [0, 1], [0, 1], [0, 0]]
    assert theirs[1].tolist() == [8, 0, 24, 8]


def test_only_so_many_places_learn_from_a_box():
    edges = [[0, 0, 32, 8], [0, 0, 30, 8], [0, 0, 28, 8], [0, 0, 26, 8]]
    _, kinds, targets = run(edges, [[0.5]] * 4, [[0, 0, 32, 8, 0], NONE], places_each=2)
    assert kinds[:, 0].tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(targets, [1, (30 / 32) ** 6, 0, 0], atol=1e-5)


def test_of_places_that_see_a_box_equally_well_the_first_learn_from_it():
    _, kinds, targets = run([[0, 0, 32, 8]] * 4, [[0.5]] * 4, [[0, 0, 32, 8, 0], NONE], places_each=2)
    assert kinds[:, 0].tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(targets, [1, 1, 0, 0], atol=1e-5)


def test_a_place_in_two_boxes_learns_the_one_it_sees_better():
    edges = [[0, 0, 8, 8], [8, 0, 16, 8], [16, 0, 24, 8], [24, 0, 32, 8]]
    theirs, kinds, _ = run(edges, [[0.5, 0.5]] * 4, [[8, 0, 16, 8, 0], [8, 0, 24, 8, 1]])
    assert kinds[1].tolist() == [1, 0]
    assert theirs[1].tolist() == [8, 0, 16, 8]
    assert kinds[2].tolist() == [0, 1]


def test_a_box_between_all_places_is_learnt_by_the_nearest():
    # 9..11 holds no middle; that of place 1, at 12, is the nearest.
    _, kinds, _ = run([[0, 0, 1, 1]] * 4, [[0.01]] * 4, [[9, 3, 11, 5, 0], NONE])
    assert kinds[:, 0].tolist() == [0, 1, 0, 0]


def test_where_nothing_is_drawn_nothing_is_to_be_found():
    _, kinds, targets = run([[0, 0, 8, 8]] * 4, [[0.9]] * 4, [NONE, NONE])
    assert targets.tolist() == [0, 0, 0, 0]
    assert kinds.sum() == 0


@pytest.mark.parametrize("score", [0.0, 1e-12])
def test_a_detector_that_sees_nothing_yet_still_learns_from_every_box(score):
    _, kinds, targets = run([[50, 50, 51, 51]] * 4, [[score]] * 4, [[0, 0, 16, 8, 0], NONE])
    assert kinds[:2, 0].tolist() == [1, 1]
    assert np.isfinite(targets).all()
