"""Tiles of one picture, by their names."""

import pytest

from tlcore.photos import Photo
from tlcore.splits.tiles import overlap, pair_tiles, read_tiles


def photos(*names, side=512):
    return [Photo(name, "", name, f"{number:064x}", side, side) for number, name in enumerate(names)]


def read(*names):
    return [tile and (tile.scene, tile.x, tile.y, tile.px) for tile in read_tiles(photos(*names))]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/north_0_0.png", "a/north_512_1024.png"], [("a/north", 0, 0, True), ("a/north", 512, 1024, True)]),
        (["north_x0_y0.png", "north_x0_y256.png"], [("/north", 0, 0, True), ("/north", 0, 256, True)]),
        (["north_y256_x0.png", "north_y0_x0.png"], [("/north", 0, 256, True), ("/north", 0, 0, True)]),
        (["P01__1__0___824.png", "P01__1__512___824.png"], [("/P01__1", 0, 824, True), ("/P01__1", 512, 824, True)]),
        (["site_r0_c1.png", "site_r0_c2.png"], [("/site", 1, 0, False), ("/site", 2, 0, False)]),
        (["site-row1-col1.png", "site-row2-col1.png"], [("/site", 1, 1, False), ("/site", 1, 2, False)]),
        (["m_0_0.png", "m_0_1.png", "m_1_0.png", "m_1_1.png"], [("/m", x, y, False) for x in (0, 1) for y in (0, 1)]),
    ],
)
def test_names_of_tiles_are_read(names, expected):
    assert read(*names) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["IMG_20240501_120000.jpg", "IMG_20240501_130000.jpg"],
        ["IMG_0001.jpg", "IMG_0002.jpg"],
        ["apple_3_17.jpg", "apple_9_2.jpg", "apple_14_5.jpg"],
        ["north_0_0.png", "south_512_0.png"],
        ["a/north_0_0.png", "b/north_512_0.png"],
        ["north_0_0.png", "north_0_0.jpg"],
        ["0_0.png", "512_0.png"],
        ["prefix0_0.png", "x" * 300 + "_0_512.png"],
    ],
)
def test_other_numbers_make_no_tiles(names):
    assert read(*names) == [None] * len(names)


def groups(names, side=512):
    given = photos(*names, side=side)
    return pair_tiles(given, read_tiles(given))


def test_tiles_of_one_picture_belong_together():
    names = [f"{scene}_{x}_0.png" for scene in ("north", "south", "west") for x in (0, 512)]
    assert groups(names) == [(0, 1), (2, 3), (4, 5)]


def test_of_a_picture_that_is_most_of_the_photos_tiles_that_share_pixels_do():
    names = [f"north_{x}_{y}.png" for x in (0, 256, 1024) for y in (0, 512)]
    assert groups(names) == [(0, 2), (1, 3)]
    assert groups(names, side=256) == []


def test_where_the_overlap_is_not_known_there_is_none():
    given = photos("site_r0_c1.png", "site_r0_c2.png")
    one, other = read_tiles(given)
    assert not overlap(one, other, *given)
    assert not overlap(one, None, *given)
