"""The gallery as one picture, whatever the names in it."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.corpus import photo
from thaw.runs.gallery import BACKGROUND, MARGIN, TEXT_HEIGHT, TILE, GalleryCard, draw_gallery

HOSTILE = ["two\nlines", "\u202egpj.exe", "\U0001f339 rose", "a\tb\0c\x1b[31m", "ä中文", "", "n" * 5000, "\ud800"]


@pytest.fixture
def picture(tmp_path):
    photo(4, 120, 90).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def drawn(title, cards, columns=4):
    png = draw_gallery(title, cards, columns)
    assert png.startswith(b"\x89PNG")
    with Image.open(io.BytesIO(png)) as sheet:
        return np.asarray(sheet.convert("RGB"))


@pytest.mark.parametrize(("cards", "rows"), [(0, 0), (1, 1), (4, 1), (5, 2), (9, 3)])
def test_the_sheet_has_room_for_every_card(picture, cards, rows):
    sheet = drawn("Mistakes", [GalleryCard(picture, "rose", "tulip", "90% and 5%")] * cards)
    assert sheet.shape == (64 + rows * (TILE + TEXT_HEIGHT + MARGIN) + MARGIN, 4 * (TILE + MARGIN) + MARGIN, 3)


def test_picture_and_labels_are_drawn(picture):
    empty = drawn("", [])
    assert (empty == BACKGROUND).all()
    sheet = drawn("", [GalleryCard(picture, "rose", "tulip", "90%")], columns=1)
    below = sheet[64 + TILE + 4 :]
    greenish = (below[..., 1] > below[..., 0].astype(int) + 60) & (below[..., 1] > below[..., 2].astype(int) + 30)
    reddish = below[..., 0] > below[..., 1].astype(int) + 100
    assert greenish.sum() > 50
    assert reddish.sum() > 100
    middle = sheet[64 + TILE // 2, MARGIN + TILE // 2]
    assert (middle != BACKGROUND).any()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_in_its_tile(picture, name):
    card = GalleryCard(picture, name, name, name)
    sheet = drawn(name, [card], columns=2)
    gutter = sheet[64:, MARGIN + TILE : MARGIN + TILE + MARGIN]
    assert (gutter == BACKGROUND).all()
    assert (sheet[:, :MARGIN] == BACKGROUND).all()
    assert (sheet[-MARGIN:] == BACKGROUND).all()


def test_a_line_break_draws_no_second_line(picture):
    def inked_rows(name):
        sheet = drawn(name, [], columns=4)
        return np.flatnonzero((sheet != BACKGROUND).any(axis=(1, 2)))

    broken, whole = inked_rows("rose\nrose"), inked_rows("rose rose")
    assert broken.max() <= whole.max() + 6
    assert (drawn("rose\nrose", []) == drawn("rose\u202erose", [])).all()


def test_long_names_are_shortened_alike_and_short_ones_shown_whole(picture):
    def card(name):
        return drawn("", [GalleryCard(picture, name, "x", "x")], columns=1)

    assert (card("n" * 200) == card("n" * 201)).all()
    assert (card("rose 1") != card("rose 2")).any()


def test_a_small_or_tall_picture_fits_its_tile(tmp_path):
    for width, height in ((16, 16), (40, 800), (800, 40)):
        photo(5, width, height).save(tmp_path / "odd.png")
        sheet = drawn("", [GalleryCard(tmp_path / "odd.png", "a", "b", "c")], columns=1)
        assert sheet.shape[1] == TILE + 2 * MARGIN
        assert (sheet[:, :MARGIN] == BACKGROUND).all()
        assert (sheet[:, -MARGIN:] == BACKGROUND).all()
