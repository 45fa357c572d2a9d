import numpy as np

from tlcore.evaluation.heat_maps import normalise_map


def test_what_speaks_for_a_class_is_scaled_and_what_speaks_against_it_is_left_out():
    scaled = normalise_map(np.array([[-3.0, 0.5], [2.0, 1.0]]))
    np.testing.assert_array_equal(scaled, np.array([[0, 0.25], [1, 0.5]], np.float32))
    assert scaled.dtype == np.float32
    assert not normalise_map(np.array([[-1.0, -2.0]])).any()
