"""Where a head's numbers stand, and what they mean: NumPy says what Keras says."""

import numpy as np
import pytest

from tlcore.detection.network import Decoded
from tlcore.detection.places import count_numbers, decode, list_places


def test_places_go_level_by_level_and_row_by_row():
    middles, strides = list_places(64)
    assert middles.shape == (64 + 16 + 4, 2)
    assert middles[:2].tolist() == [[4, 4], [12, 4]]
    assert middles[8].tolist() == [4, 12]
    assert middles[64].tolist() == [8, 8]
    assert middles[-1].tolist() == [48, 48]
    assert [int((strides == stride).sum()) for stride in (8, 16, 32)] == [64, 16, 4]


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_it_decodes_what_kerass_layer_decodes(scale):
    said = (scale * np.random.default_rng(0).normal(size=(2, 84, count_numbers(3)))).astype(np.float32)
    edges, scores = (np.asarray(each) for each in Decoded(64)(said))

    mine = decode(said, 64)

    assert [each.dtype for each in mine] == [np.float32] * 2
    np.testing.assert_allclose(mine[0], edges, atol=1e-3, rtol=0)
    np.testing.assert_allclose(mine[1], scores, atol=1e-6, rtol=0)
