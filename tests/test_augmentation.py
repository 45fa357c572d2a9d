"""Views of an image: the same every time for the same seed, and different for every other."""

import numpy as np
import pytest

from tests.corpus import photo
from tlcore.augmentation import VIEWS, count_views, draw_view

SIDE = 40


@pytest.fixture(scope="module")
def pixels():
    return np.asarray(photo(1, SIDE, SIDE))


def test_only_augmentation_needs_more_than_one_view():
    assert [count_views(name) for name in ("none", "light", "light-unmirrored")] == [1, VIEWS, VIEWS]
    assert VIEWS > 1


def test_view_zero_is_the_image_itself(pixels):
    np.testing.assert_array_equal(draw_view(pixels, "a", 0, "light", 3), pixels)


def test_views_keep_size_and_type_and_differ_from_each_other(pixels):
    views = [draw_view(pixels, "a", view, "light", 3) for view in range(VIEWS)]
    assert {view.shape for view in views} == {(SIDE, SIDE, 3)}
    assert {view.dtype for view in views} == {np.dtype(np.uint8)}
    assert len({view.tobytes() for view in views}) == VIEWS


def test_a_view_depends_on_content_number_and_seed_alone(pixels):
    view = draw_view(pixels, "a", 1, "light", 3)
    np.testing.assert_array_equal(draw_view(pixels.copy(), "a", 1, "light", 3), view)
    others = [
        draw_view(pixels, *chosen) for chosen in (("b", 1, "light", 3), ("a", 2, "light", 3), ("a", 1, "light", 4))
    ]
    assert all((other != view).any() for other in others)


def test_mirroring_is_left_out_where_it_would_change_the_meaning():
    half = np.zeros((SIDE, SIDE, 3), np.uint8)
    half[:, : SIDE // 2] = 200

    def mirrored(augmentation):
        views = [draw_view(half, str(number), 1, augmentation, 0).astype(int) for number in range(40)]
        return sum(view[:, : SIDE // 3].mean() < view[:, -SIDE // 3 :].mean() for view in views)

    assert mirrored("light-unmirrored") == 0
    assert 10 <= mirrored("light") <= 30


def test_a_light_view_is_still_the_same_picture(pixels):
    for number in range(10):
        view = draw_view(pixels, str(number), 1, "light-unmirrored", 0)
        assert 0.8 < view.mean() / pixels.mean() < 1.2
        assert np.corrcoef(view.ravel(), pixels.ravel())[0, 1] > 0.6
