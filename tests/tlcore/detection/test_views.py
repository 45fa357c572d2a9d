"""Photos in a detector's square: what is drawn where, the exact way back, and the boxes that a view keeps."""

import numpy as np
import pytest
from PIL import Image

from tlcore.detection.views import GREY, Window, choose_window, clip_boxes, draw_window, read_squares

BOXES = np.array([[0.1, 0.2, 0.4, 0.9], [0.0, 0.0, 1.0, 1.0]])


def test_a_wide_photo_keeps_its_proportions_with_grey_above_and_below():
    window = Window(64, 200, 100)
    assert window.drawn == (0, 16, 64, 32)
    square = window.draw(Image.new("RGB", (200, 100), "red"))
    assert square.shape == (64, 64, 3)
    assert square.dtype == np.uint8
    assert [tuple(square[row, 5]) for row in (0, 15, 16, 47, 48)] == [GREY, GREY, (255, 0, 0), (255, 0, 0), GREY]


def test_a_copy_of_another_size_is_drawn_in_the_same_place():
    window = Window(64, 4000, 2000)
    square = window.draw(Image.new("RGB", (400, 200), "red"))
    assert {tuple(pixel) for pixel in square[16:48].reshape(-1, 3)} == {(255, 0, 0)}


@pytest.mark.parametrize(
    "window",
    [
        Window(320, 640, 480),
        Window(320, 333, 777, mirrored=True),
        Window(416, 1000, 10),
        Window(512, 641, 479, 0.13, 0.29, 0.77, 0.98, mirrored=True),
    ],
)
def test_a_place_in_the_square_goes_back_to_the_photo_exactly(window):
    placed = window.place(BOXES)
    assert placed.dtype == np.float32
    np.testing.assert_allclose(window.back(placed), BOXES, atol=2e-6)


def test_what_a_box_is_around_is_drawn_within_it():
    photo = Image.new("RGB", (200, 100), "white")
    photo.paste("red", (40, 20, 100, 80))
    for window in (
        Window(100, 200, 100),
        Window(100, 200, 100, mirrored=True),
        Window(100, 200, 100, 0.1, 0.1, 0.8, 1),
    ):
        (edges,) = window.place(np.array([[0.2, 0.2, 0.5, 0.8]]))
        red = np.argwhere((window.draw(photo) == (255, 0, 0)).all(axis=-1))
        rows, columns = red[:, 0], red[:, 1]
        drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(drawn, edges, atol=1.5)


def test_a_box_is_clipped_to_the_view_and_dropped_where_less_than_a_third_is_left():
    window = Window(100, 100, 100, left=0.5)
    boxes = np.array([[0.4, 0.2, 0.7, 0.4], [0.2, 0.2, 0.65, 0.4], [0.1, 0.1, 0.52, 0.3], [0.0, 0.0, 0.4, 1.0]])
    edges, seen = clip_boxes(window, boxes)
    # Of the first two thirds are left, of the second exactly a third, of the third a twentieth.
    assert seen.tolist() == [True, True, False, False]
    left, _, width, height = window.drawn
    np.testing.assert_allclose(edges[0], [left, 20, left + 0.4 * width, 40], atol=1e-4)
    assert (width, height) == (50, 100)


def test_views_are_the_photo_its_mirror_image_and_crops_the_same_each_time():
    windows = [choose_window(640, 480, 320, "content", view, 7) for view in range(6)]
    assert windows == [choose_window(640, 480, 320, "content", view, 7) for view in range(6)]
    assert windows[0] == Window(320, 640, 480)
    assert windows[1] == Window(320, 640, 480, mirrored=True)
    assert len(set(windows)) == 6
    for window in windows[2:]:
        assert 0 <= window.left < window.right <= 1
        assert 0.49 < window.right - window.left < 0.91
    assert choose_window(640, 480, 320, "content", 2, 8) != windows[2]


def test_a_crop_is_lit_otherwise_and_the_photo_itself_as_it_is(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGB", (50, 50), (100, 120, 140)).save(file)
    plain = draw_window(file, choose_window(50, 50, 64, "c", 0, 0), "c", 0, 0)
    assert tuple(plain[32, 32]) == (100, 120, 140)
    crop = draw_window(file, choose_window(50, 50, 64, "c", 2, 0), "c", 2, 0)
    assert tuple(crop[32, 32]) != (100, 120, 140)
    assert crop.tolist() == draw_window(file, choose_window(50, 50, 64, "c", 2, 0), "c", 2, 0).tolist()


def test_pictures_to_be_looked_at_come_with_their_way_back():
    pixels, windows = read_squares([Image.new("L", (30, 60), 200), Image.new("RGB", (60, 30), "blue")], 64)
    assert pixels.shape == (2, 64, 64, 3)
    assert [window.drawn for window in windows] == [(16, 0, 32, 64), (0, 16, 64, 32)]
    assert tuple(pixels[0, 32, 32]) == (200, 200, 200)
