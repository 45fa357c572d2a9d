"""Views of an image: the same every time for the same seed, and different for every other."""

import numpy as np
import pytest

from tests.support.pictures.corpus import photo
from tlcore.images.augmentation import draw_view
from tlcore.images.recipes import LARGEST, PRESETS, Recipe

SIDE = 40
LIGHT, STRONG = PRESETS["light"], PRESETS["strong"]


@pytest.fixture(scope="module")
def pixels():
    return np.asarray(photo(1, SIDE, SIDE))


def drawn(pixels, recipe, number=40):
    """Return first views of the same pixels as if they were of `number` images."""
    return [draw_view(pixels, str(each), 1, recipe, 0) for each in range(number)]


def test_view_zero_is_the_image_itself(pixels):
    np.testing.assert_array_equal(draw_view(pixels, "a", 0, STRONG, 3), pixels)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "none"])
def test_views_keep_size_and_type_and_differ_from_each_other(pixels, name):
    views = [draw_view(pixels, "a", view, PRESETS[name], 3) for view in range(6)]
    assert {view.shape for view in views} == {(SIDE, SIDE, 3)}
    assert {view.dtype for view in views} == {np.dtype(np.uint8)}
    assert len({view.tobytes() for view in views}) == 6


def test_a_view_depends_on_content_number_recipe_and_seed_alone(pixels):
    view = draw_view(pixels, "a", 1, LIGHT, 3)
    np.testing.assert_array_equal(draw_view(pixels.copy(), "a", 1, LIGHT, 3), view)
    changes = (("b", 1, LIGHT, 3), ("a", 2, LIGHT, 3), ("a", 1, STRONG, 3), ("a", 1, LIGHT, 4))
    assert all((draw_view(pixels, *chosen) != view).any() for chosen in changes)


def test_the_plain_recipe_changes_nothing(pixels):
    assert all((view == pixels).all() for view in drawn(pixels, Recipe(), 3))


def test_mirroring_swaps_left_and_right_half_of_the_time_and_nothing_else(pixels):
    views = drawn(pixels, Recipe(mirror=True))
    flipped = sum((view == pixels[:, ::-1]).all() for view in views)
    assert 10 <= flipped <= 30
    assert sum((view == pixels).all() for view in views) == len(views) - flipped


def test_a_vertical_flip_swaps_top_and_bottom_half_of_the_time(pixels):
    views = drawn(pixels, Recipe(upright=True))
    flipped = sum((view == pixels[::-1]).all() for view in views)
    assert 10 <= flipped <= 30
    assert sum((view == pixels).all() for view in views) == len(views) - flipped


def test_mirroring_is_left_out_where_it_would_change_the_meaning():
    half = np.zeros((SIDE, SIDE, 3), np.uint8)
    half[:, : SIDE // 2] = 200

    def mirrored(name):
        views = drawn(half, PRESETS[name])
        return sum(view[:, : SIDE // 3].mean() < view[:, -SIDE // 3 :].mean() for view in views)

    assert mirrored("light-unmirrored") == mirrored("strong-unmirrored") == 0
    assert 10 <= mirrored("light") <= 30


def test_a_crop_shows_a_part_of_the_picture_at_full_size():
    ramp = np.repeat(np.linspace(0, 255, SIDE).astype(np.uint8)[None, :, None], SIDE, 0).repeat(3, 2)
    views = drawn(ramp, Recipe(crop=0.4))
    spans = [np.ptp(view[SIDE // 2, :, 0].astype(int)) / 255 for view in views]
    assert min(spans) > 0.5
    assert max(spans) <= 1
    assert np.mean(spans) == pytest.approx(0.8, abs=0.06)
    assert all((np.diff(view[SIDE // 2, :, 0].astype(int)) >= 0).all() for view in views)


def test_a_turn_goes_either_way_and_no_farther_than_asked():
    bar = np.zeros((101, 101, 3), np.uint8)
    bar[:, 48:53] = 255
    angles = []
    for view in drawn(bar, Recipe(rotation=30)):
        rows, columns = np.nonzero(view[20:81, 20:81, 0] > 127)
        angles.append(np.degrees(np.arctan(np.polyfit(rows, columns, 1)[0])))
    assert max(map(abs, angles)) < 31
    assert min(angles) < -15
    assert max(angles) > 15


def test_zoom_goes_both_ways():
    square = np.zeros((100, 100, 3), np.uint8)
    square[30:70, 30:70] = 255
    areas = [(view[..., 0] > 127).sum() / 1600 for view in drawn(square, Recipe(zoom=0.3))]
    assert 0.55 < min(areas) < 0.75
    assert 1.4 < max(areas) < 2.1


def test_no_turn_or_zoom_brings_black_corners():
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    farthest = Recipe(mirror=True, upright=True, crop=0.4, rotation=45, zoom=0.3)
    assert all(view.min() == 255 for view in drawn(white, farthest))


@pytest.mark.parametrize(("name", "measure"), [("brightness", np.mean), ("contrast", np.std)])
def test_light_changes_by_as_much_as_asked(pixels, name, measure):
    shares = [measure(view) / measure(pixels) for view in drawn(pixels, Recipe(**{name: 0.2}))]
    assert 0.78 < min(shares) < 0.9
    assert 1.1 < max(shares) < 1.22


def test_what_a_recipe_leaves_out_changes_nothing_of_the_rest():
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[10:30, 10:30] = 100
    cropped, brighter = Recipe(crop=0.3), Recipe(crop=0.3, brightness=0.5)
    for number in range(10):
        one, other = (draw_view(square, str(number), 1, recipe, 0) > 30 for recipe in (cropped, brighter))
        assert (one != other).mean() < 0.05


def test_a_light_view_is_still_the_same_picture(pixels):
    for view in drawn(pixels, PRESETS["light-unmirrored"], 10):
        assert 0.8 < view.mean() / pixels.mean() < 1.2
        assert np.corrcoef(view.ravel(), pixels.ravel())[0, 1] > 0.6


def test_the_smallest_pictures_can_be_drawn_with_all_of_it():
    strongest = Recipe(mirror=True, upright=True, **LARGEST)
    for side in (8, 9, 33):
        assert draw_view(np.asarray(photo(2, side, side)), "a", 1, strongest, 0).shape == (side, side, 3)
