"""Neck, head and decoding: where places are, what a head begins with, and boxes read from logits by hand."""

import numpy as np
import pytest

from tlcore.detection.network import PRIOR, Decoded, build_head
from tlcore.detection.places import BINS, count_numbers
from tlcore.models.backend import keras

CHANNELS = (40, 112, 320)


@pytest.fixture(scope="module")
def head():
    shapes = [(8, 8, CHANNELS[0]), (4, 4, CHANNELS[1]), (2, 2, CHANNELS[2])]
    return build_head([keras.KerasTensor((None, *shape), "float16") for shape in shapes], 3)


def test_a_head_is_small_and_says_at_first_that_nearly_nothing_is_anywhere(head):
    assert head.output.shape == (None, 84, count_numbers(3))
    assert 100_000 < head.count_params() < 200_000
    features = [np.random.default_rng(0).normal(size=(1, *each.shape[1:])).astype(np.float16) for each in head.inputs]
    said = keras.ops.convert_to_numpy(head(features))
    assert said.dtype == np.float32
    assert 1 / (1 + np.exp(-np.median(said[..., 4 * BINS]))) == pytest.approx(PRIOR, rel=0.5)


def test_boxes_and_scores_are_read_from_logits():
    logits = np.full((1, 84, 4 * BINS + 3), -30, np.float32)
    # At the place (12, 4), of stride 8: 1, 0, 2 and between 3 and 4 strides away.
    for side, bins in enumerate([[1], [0], [2], [3, 4]]):
        logits[0, 1, [side * BINS + each for each in bins]] = 0
    logits[0, 1, 4 * BINS :] = [0, 0, 2]
    edges, scores = (keras.ops.convert_to_numpy(each) for each in Decoded(64)(logits))
    np.testing.assert_allclose(edges[0, 1], [12 - 8, 4, 12 + 16, 4 + 28], atol=1e-4)
    sigmoid = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(scores[0, 1], [0.25, 0.5 * sigmoid], atol=1e-5)
    assert scores[0, 0].max() < 1e-12


def test_decoding_is_kept_with_a_model():
    layer = Decoded.from_config(Decoded(96).get_config())
    assert layer.image_size == 96
