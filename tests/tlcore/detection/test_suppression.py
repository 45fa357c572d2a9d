"""The reference for non-maximum suppression, by hand."""

import numpy as np

from tlcore.detection.suppression import CANDIDATES, suppress

EDGES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [5, 0, 15, 10]], np.float32)


def test_of_boxes_over_one_another_the_surest_is_kept():
    scores = np.array([[0.8], [0.9], [0.5], [0.7]], np.float32)
    # The first lies over the second by 90 of 110, the last by 60 of 140.
    edges, values, kinds = suppress(EDGES, scores, most_overlap=0.5)
    assert edges.tolist() == EDGES[[1, 3, 2]].tolist()
    np.testing.assert_allclose(values, [0.9, 0.7, 0.5])
    assert kinds.tolist() == [0, 0, 0]
    edges, _, _ = suppress(EDGES, scores, most_overlap=0.3)
    assert edges.tolist() == EDGES[[1, 2]].tolist()


def test_kinds_are_kept_apart():
    scores = np.array([[0.8, 0.1], [0.1, 0.9], [0.0, 0.0], [0.0, 0.0]], np.float32)
    _, values, kinds = suppress(EDGES, scores, least_score=0.5)
    assert kinds.tolist() == [1, 0]
    np.testing.assert_allclose(values, [0.9, 0.8])


def test_what_is_less_sure_than_asked_is_left_out_and_so_is_what_is_too_much():
    scores = np.array([[0.8], [0.009], [0.5], [0.01]], np.float32)
    assert suppress(EDGES, scores)[1].tolist() == np.array([0.8, 0.5, 0.01], np.float32).tolist()
    assert len(suppress(EDGES, scores, most=1)[1]) == 1


def test_of_equal_scores_the_first_is_the_surer():
    edges, _, _ = suppress(EDGES[:2], np.full((2, 1), 0.5, np.float32), most_overlap=0.5)
    assert edges.tolist() == EDGES[:1].tolist()


def test_nothing_found_is_empty():
    edges, values, kinds = suppress(EDGES, np.zeros((4, 2), np.float32))
    assert (edges.shape, values.shape, kinds.shape) == ((0, 4), (0,), (0,))


def test_many_candidates_are_cut_to_the_surest():
    count = CANDIDATES + 500
    lefts = np.arange(count, dtype=np.float32) * 20
    edges = np.stack([lefts, lefts * 0, lefts + 10, lefts * 0 + 10], axis=-1)
    _, values, _ = suppress(edges, np.linspace(0.1, 1, count, dtype=np.float32)[:, None], most=count)
    assert len(values) == CANDIDATES
    assert values[0] == 1
