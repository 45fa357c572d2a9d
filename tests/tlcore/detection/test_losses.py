"""Each term of a detector's loss, against cases worked by hand."""

import math

import numpy as np
import pytest

from tlcore.detection.assignment import PLACES_EACH
from tlcore.detection.losses import (
    DISTANCES_WEIGHT,
    EDGES_WEIGHT,
    DetectionLoss,
    distances_loss,
    edges_loss,
    entropy,
    find_distances,
    find_terms,
    smooth,
)
from tlcore.detection.places import BINS, list_places
from tlcore.models.backend import keras


def numbers(tensor):
    return keras.ops.convert_to_numpy(tensor)


def of(*edges):
    return np.array(edges, np.float32)


def test_edges_that_are_right_cost_nothing():
    assert numbers(edges_loss(of([3, 4, 13, 24]), of([3, 4, 13, 24]))) == pytest.approx([0], abs=1e-5)


def test_edges_beside_one_another_cost_their_overlap_and_the_distance_of_their_middles():
    # Squares of 10 pixels, 5 apart: 50 of 150 pixels are shared; the middles are 5 apart, and the rectangle around both
    # measures 15 x 10. Their proportions are the same. 1 - (1/3 - 25 / 325) = 0.74359.
    assert numbers(edges_loss(of([0, 0, 10, 10]), of([5, 0, 15, 10]))) == pytest.approx([0.74359], abs=1e-4)


def test_edges_of_other_proportions_cost_that_too():
    # One middle; 10 x 10 in 20 x 10: IoU 1/2. v = 4 / pi^2 * (atan 2 - atan 1)^2 = 0.041957, and its weight
    # v / (1 - 1/2 + v) = 0.077417. 1 - (1/2 - 0.041957 * 0.077417) = 0.503248.
    v = 4 / math.pi**2 * (math.atan(2) - math.atan(1)) ** 2
    expected = 1 - (0.5 - v * v / (0.5 + v))
    assert expected == pytest.approx(0.503248, abs=1e-6)
    assert numbers(edges_loss(of([5, 0, 15, 10]), of([0, 0, 20, 10]))) == pytest.approx([expected], abs=1e-4)


def test_distances_are_in_strides_and_end_where_the_bins_do():
    middles, strides = of([20, 20]), np.array([8], np.float32)
    far = numbers(find_distances(of([[4, 12, 28, 1000]]), middles, strides))
    assert far[0, 0].tolist() == pytest.approx([2, 1, 1, BINS - 1.01])
    # A middle outside of its box has a distance of 0, not below.
    assert numbers(find_distances(of([[30, 30, 40, 40]]), middles, strides))[0, 0].tolist()[:2] == [0, 0]


def test_a_distance_between_two_bins_is_learnt_from_both():
    # Of 16 equal shares, ln 16 whichever the distance is.
    flat = np.zeros((1, 1, 4 * BINS), np.float32)
    assert numbers(distances_loss(of([[2.25, 0, 7, 3.5]]), flat)) == pytest.approx(math.log(BINS), abs=1e-5)
    # Bin 2 has a share of 3/4 and bin 3 of 1/4, which is best for 2.25: -(3/4 ln 3/4 + 1/4 ln 1/4) = 0.5623.
    best = np.full((1, 1, 4, BINS), -50, np.float32)
    best[..., 2], best[..., 3] = math.log(0.75), math.log(0.25)
    said = best.reshape(1, 1, -1)
    assert numbers(distances_loss(of([[2.25] * 4]), said)) == pytest.approx(0.56234, abs=1e-4)
    assert numbers(distances_loss(of([[2.75] * 4]), said)) > 0.6


@pytest.mark.parametrize(
    ("target", "logit", "expected"),
    [(1, 0, math.log(2)), (0, 0, math.log(2)), (1, 2, math.log1p(math.exp(-2))), (0.5, 0, math.log(2)), (0, 80, 80)],
)
def test_cross_entropy_of_soft_targets(target, logit, expected):
    found = numbers(entropy(np.float32(target), np.float32(logit)))
    assert float(found) == pytest.approx(expected, abs=1e-5)


def say(image_size, edges, kind, classes, sure):
    """Return logits that say exactly these edges at every place, and a kind, at `sure` (a logit)."""
    middles, strides = list_places(image_size)
    far = np.concatenate([middles - edges[:2], edges[2:] - middles], axis=-1) / strides[:, None]
    low = np.floor(far.clip(0, BINS - 1.01))
    share = (far.clip(0, BINS - 1.01) - low)[..., None]
    bins = np.arange(BINS)
    shares = (bins == low[..., None]) * (1 - share) + (bins == low[..., None] + 1) * share
    kinds = np.where(np.arange(classes) == kind, sure, -sure) * np.ones((len(middles), 1))
    parts = [np.log(shares + 1e-9).reshape(len(middles), -1), np.full((len(middles), 1), sure), kinds]
    return np.concatenate(parts, axis=-1).astype(np.float32)[None]


def test_without_a_box_only_the_objects_that_are_said_cost_something():
    middles, strides = list_places(64)
    said = np.zeros((1, len(middles), 4 * BINS + 1 + 2), np.float32)
    nothing = np.array([[[0, 0, 0, 0, -1]]], np.float32)
    terms = [float(numbers(each)[0]) for each in find_terms(nothing, said, middles, strides)]
    # 84 places that say 1/2, each ln 2; the sum of targets is 0 and counts as 1.
    assert len(middles) == 84
    assert terms == pytest.approx([0, 0, 84 * math.log(2), 0], rel=1e-5)


def test_a_batch_is_weighed_by_what_is_to_be_found_in_all_of_it():
    middles, strides = list_places(64)
    box = np.array([[[8, 8, 56, 56, 1]]], np.float32)
    said = say(64, np.array([8, 8, 56, 56]), 1, 2, 9.0)
    alone = find_terms(box, said, middles, strides)
    assert float(numbers(alone.edges)[0]) == pytest.approx(0, abs=1e-2)
    # Of two kinds one is to be 0.95 and the other 0.05: at logits of 9 and -9 either costs 9 * 0.05 and ln(1 + e^-9).
    assert float(numbers(alone.kinds)[0]) == pytest.approx(2 * (0.45 + math.log1p(math.exp(-9))), rel=0.01)
    # With an image of nothing beside it: twice as many images, the same targets.
    both = find_terms(
        np.concatenate([box, [[[0, 0, 0, 0, -1]]]]).astype(np.float32), np.repeat(said, 2, axis=0), middles, strides
    )
    assert float(numbers(both.kinds)[0]) == pytest.approx(2 * float(numbers(alone.kinds)[0]), rel=1e-4)
    assert float(numbers(both.kinds)[1]) == 0
    assert float(numbers(both.objects)[1]) > float(numbers(both.objects)[0])


def test_a_tenth_of_a_kind_is_shared_by_all():
    assert smooth(of(0, 1, 0, 0)).tolist() == pytest.approx([0.025, 0.925, 0.025, 0.025])
    assert smooth(of(1)).tolist() == pytest.approx([1]), "one kind has nobody to share with"


def test_what_is_left_out_of_a_step_had_nothing_to_teach():
    # Two boxes may teach 26 of the 84 places; with rows that hold no box, all of them go through.
    middles, strides = list_places(64)
    said = np.random.default_rng(1).normal(size=(2, len(middles), 4 * BINS + 3)).astype(np.float32)
    boxes = np.array([[[4, 4, 30, 40, 0], [32, 8, 60, 60, 1]], [[10, 10, 50, 30, 1], [0, 0, 0, 0, -1]]], np.float32)
    rows = math.ceil(len(middles) / PLACES_EACH)
    padded = np.concatenate([boxes, np.tile(np.array([0, 0, 0, 0, -1], np.float32), (2, rows, 1))], axis=1)
    few, all_of_them = (find_terms(each, said, middles, strides) for each in (boxes, padded))
    for one, other in zip(few, all_of_them, strict=True):
        assert numbers(one) == pytest.approx(numbers(other), rel=1e-5)


def test_the_loss_is_the_weighed_sum_of_its_terms():
    middles, strides = list_places(64)
    said = np.random.default_rng(0).normal(size=(2, len(middles), 4 * BINS + 3)).astype(np.float32)
    boxes = np.array([[[4, 4, 30, 40, 0], [32, 8, 60, 60, 1]], [[10, 10, 50, 30, 1], [0, 0, 0, 0, -1]]], np.float32)
    terms = find_terms(boxes, said, middles, strides)
    expected = EDGES_WEIGHT * terms.edges + DISTANCES_WEIGHT * terms.distances + terms.objects + terms.kinds
    assert float(numbers(DetectionLoss(64)(boxes, said))) == pytest.approx(float(np.mean(numbers(expected))), rel=1e-5)
    assert float(numbers(DetectionLoss(64)(boxes, said))) > 0
