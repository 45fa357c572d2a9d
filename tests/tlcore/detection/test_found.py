"""Found boxes matched with drawn ones, and the precision that comes of it, by hand."""

import numpy as np
import pytest

from tlcore.detection.found import Drawn, Found, average_precision, match

SQUARES = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)


def found(*rows):
    """Return what was found, of (left, score, kind): squares of 10 pixels."""
    lefts = np.array([row[0] for row in rows], np.float32)
    edges = np.stack([lefts, lefts * 0, lefts + 10, lefts * 0 + 10], axis=-1)
    return Found(edges, np.array([row[1] for row in rows], np.float32), np.array([row[2] for row in rows], np.int64))


def test_each_drawn_box_is_found_once_by_the_surest_that_lies_over_it():
    edges = found((1, 0.9, 0), (0, 0.8, 0), (22, 0.7, 0), (50, 0.6, 0)).edges
    assert match(edges, SQUARES).tolist() == [0, -1, 1, -1]
    assert match(edges, SQUARES, least=0.9).tolist() == [-1, 0, -1, -1]
    assert match(edges, SQUARES[:0]).tolist() == [-1, -1, -1, -1]


def test_a_box_takes_the_nearest_of_two():
    drawn = np.array([[0, 0, 10, 10], [2, 0, 12, 10]], np.float32)
    assert match(found((2, 0.9, 0), (1, 0.5, 0)).edges, drawn).tolist() == [1, 0]


def test_precision_is_averaged_over_recalls():
    drawn = [Drawn(SQUARES, np.array([0, 0]))]
    assert average_precision([found((0, 0.9, 0), (20, 0.8, 0))], drawn, 1) == 1
    # Right, wrong, right: precision 1 up to half of the objects (recalls 0 to 0.50, 51 of 101), then 2/3.
    wrong = average_precision([found((0, 0.9, 0), (50, 0.8, 0), (20, 0.7, 0))], drawn, 1)
    assert wrong == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert average_precision([found((0, 0.9, 0))], drawn, 1) == pytest.approx(51 / 101)
    assert average_precision([found()], drawn, 1) == 0


def test_precision_is_the_mean_of_the_kinds_that_are_drawn():
    drawn = [Drawn(SQUARES, np.array([0, 1])), Drawn(SQUARES[:0], np.zeros(0, np.int64))]
    seen = [found((0, 0.9, 0), (20, 0.8, 0)), found((0, 0.95, 2))]
    assert average_precision(seen, drawn, 3) == pytest.approx(0.5)
    assert average_precision([found()], [Drawn(SQUARES[:0], np.zeros(0, np.int64))], 2) is None


def test_what_is_unsure_is_left_out():
    seen = found((0, 0.9, 0), (20, 0.3, 1)).above(0.5)
    assert (len(seen.edges), seen.kinds.tolist()) == (1, [0])
